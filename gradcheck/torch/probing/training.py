"""The first steps of training: many a model is healthy at the start and becomes ill within a hundred steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from gradcheck.diagnosis.report import Status
from gradcheck.errors import OptionError, one_of
from gradcheck.spec.probing import OPTIMIZERS
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.verdict import Judgement, sickest_layer

#: The loss has exploded where it is so many times its first value.
EXPLODED = 10.0

#: An optimizer, or parameters ↦ optimizer, or a name.
Optimizer = Any


def make_optimizer(optimizer: Optimizer, lr: float, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a name, of the user's function of the parameters, or the given one."""
    parameters = [one for one in model.parameters() if one.requires_grad]
    if not parameters:
        raise OptionError(
            "steps", f"{type(model).__name__} has no parameter that requires a gradient: nothing to train"
        )
    if not isinstance(optimizer, torch.optim.Optimizer) and callable(optimizer):
        optimizer = optimizer(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OptionError("optimizer", f"returned {type(optimizer).__name__}, not a torch.optim.Optimizer")
    if isinstance(optimizer, torch.optim.Optimizer):
        _check_own(optimizer, parameters)
        return optimizer
    optimizer = one_of("optimizer", optimizer, OPTIMIZERS)
    if optimizer in ("sgd", "momentum"):
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9 if optimizer == "momentum" else 0.0)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    return kinds[optimizer](parameters, lr=lr)


def _check_own(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """Raise an error for an optimizer that can't train these parameters by their gradients alone."""
    if isinstance(optimizer, torch.optim.LBFGS):
        raise OptionError("optimizer", "LBFGS asks for the loss several times a step: take one that doesn't")
    if not {one for group in optimizer.param_groups for one in group["params"]} & set(parameters):
        raise OptionError("optimizer", "holds no parameter of this model: make it of model.parameters()")


def train(run: Callable[[int], Judgement], optimizer: torch.optim.Optimizer | None, steps: int) -> Iterator[Judgement]:
    """Yield what `run` finds after so many steps, from none on; the last one where the loss isn't finite any more."""
    for number in range(steps + 1):
        judgement = run(number)
        yield judgement
        if judgement.found.flow.obstacle or number == steps or optimizer is None:
            return
        _take_step(optimizer, judgement.found.gradients, judgement.found.shift)


def _take_step(optimizer: torch.optim.Optimizer, gradients: Gradients, shift: int) -> None:
    """Take one step of training, given the gradients of 2**shift times the loss."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            gradient = gradients.get(parameter)
            parameter.grad = None if gradient is None else gradient * 2.0**-shift
    optimizer.step()


@dataclass
class History:
    """What the steps of training show: since when the model is ill, and where it began."""

    losses: list[float] = field(default_factory=list)  # before each step, and after the last
    statuses: list[Status] = field(default_factory=list)  # as many verdicts
    sick_from: int | None = None  # the first of the steps after which the model is ill to the end
    sick_layer: str | None = None  # where it showed first
    one_batch: bool = False  # the same for each step

    @property
    def steps(self) -> int:
        """Taken."""
        return len(self.losses) - 1

    def add(self, judgement: Judgement) -> None:
        """Add what was found at the start, or after a step."""
        flow, diagnosis = judgement.found.flow, judgement.diagnosis
        loss, status = flow.output.loss, diagnosis.verdict.status
        if status == "healthy" and self.losses and loss > EXPLODED * max(self.losses[0], 1e-12):
            status = "exploding"
        if status == "healthy":
            self.sick_from = self.sick_layer = None
        elif self.sick_from is None:
            self.sick_from, self.sick_layer = len(self.losses), sickest_layer(flow, diagnosis)
        self.losses.append(loss)
        self.statuses.append(status)


@contextmanager
def untouched(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
    """Put parameters, buffers, gradients, mode and optimizer back as they were."""
    tensors = [*model.parameters(), *model.buffers()]
    buffers = [(module, dict(module.named_buffers(recurse=False))) for module in model.modules()]
    kept = [tensor.detach().clone() for tensor in tensors]
    gradients = [(one, one.grad) for one in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    state = None if optimizer is None else deepcopy(optimizer.state_dict())
    try:
        yield
    finally:
        for module, own in buffers:  # forward may have replaced them
            for name, tensor in own.items():
                setattr(module, name, tensor)
        with torch.no_grad():
            for tensor, before in zip(tensors, kept, strict=True):
                tensor.copy_(before)
        for one, gradient in gradients:
            one.grad = gradient
        for module, training in modes:
            module.training = training
        if optimizer is not None and state is not None:
            optimizer.state.clear()
            optimizer.load_state_dict(state)
