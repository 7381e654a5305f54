"""The first steps of training: many a model is healthy at the start and falls ill within a hundred steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import nn

from gradcheck.diagnosis.report import Status
from gradcheck.errors import OptionError, one_of
from gradcheck.spec.probing import OPTIMIZERS
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.passing import Passed
from gradcheck.torch.probing.verdict import Judged, first_sick

#: The loss has exploded where it is so many times its first value.
EXPLODED = 10.0

#: An optimizer, or parameters ↦ optimizer, or a name.
Optimizer = Any


class Step(NamedTuple):
    """What a step of training came to.

    Attributes
    ----------
    number : int
        Steps taken before.
    passed : Passed
    judged : Judged
    """

    number: int
    passed: Passed
    judged: Judged

    @property
    def status(self) -> Status:
        """The verdict."""
        return self.judged.diagnosis.verdict.status


def made_optimizer(optimizer: Optimizer, lr: float, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a name, of the user's function of the parameters, or the given one.

    Raises
    ------
    OptionError
        There is no such optimizer.
    """
    parameters = [one for one in model.parameters() if one.requires_grad]
    if not parameters:
        raise OptionError("steps", f"{type(model).__name__} has no parameter that wants a gradient: nothing to train")
    if not isinstance(optimizer, torch.optim.Optimizer) and callable(optimizer):
        optimizer = optimizer(parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OptionError("optimizer", f"returned {type(optimizer).__name__}, no torch.optim.Optimizer")
    if isinstance(optimizer, torch.optim.Optimizer):
        _check_own(optimizer, parameters)
        return optimizer
    one_of("optimizer", optimizer, OPTIMIZERS)
    if optimizer in ("sgd", "momentum"):
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9 if optimizer == "momentum" else 0.0)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    return kinds[optimizer](parameters, lr=lr)


def _check_own(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """Refuse an optimizer that can't train these parameters by their gradients alone."""
    if isinstance(optimizer, torch.optim.LBFGS):
        raise OptionError("optimizer", "LBFGS asks for the loss several times a step: take one that doesn't")
    if not {one for group in optimizer.param_groups for one in group["params"]} & set(parameters):
        raise OptionError("optimizer", "holds no parameter of this model: make it of model.parameters()")


def take_step(optimizer: torch.optim.Optimizer, gradients: Gradients, shift: int) -> None:
    """Take one step of training, given the gradients of 2**shift times the loss."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            gradient = gradients.get(parameter)
            parameter.grad = None if gradient is None else gradient * 2.0**-shift
    optimizer.step()


def course_of(
    run: Callable[[], tuple[Passed, Judged]], optimizer: torch.optim.Optimizer | None, steps: int
) -> Iterator[Step]:
    """Yield what each step comes to, the start first; the course ends where the loss isn't finite any more."""
    for number in range(steps + 1):
        passed, judged = run()
        yield Step(number, passed, judged)
        if passed.flow.obstacle or number == steps or optimizer is None:
            return
        take_step(optimizer, passed.gradients, passed.shift)


class History(NamedTuple):
    """What the steps of training showed.

    Attributes
    ----------
    steps : int
        Taken.
    losses : list of float
        Before each step, and behind the last.
    statuses : list of Status
        As many verdicts.
    sick_from : int or None
        The first of the steps behind which the model is ill to the end.
    sick_layer : str or None
        Where it showed first.
    """

    steps: int
    losses: list[float]
    statuses: list[Status]
    sick_from: int | None
    sick_layer: str | None


class Watch:
    """Follows a course and remembers since when the model is ill, and where it began."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.statuses: list[Status] = []
        self.sick_from: int | None = None
        self.sick_layer: str | None = None

    def see(self, step: Step) -> None:
        """Take notice of a step."""
        loss, status = step.passed.flow.output.loss, step.status
        if status == "healthy" and self.losses and loss > EXPLODED * max(self.losses[0], 1e-12):
            status = "exploding"
        self.losses.append(loss)
        self.statuses.append(status)
        if status == "healthy":
            self.sick_from = self.sick_layer = None
        elif self.sick_from is None:
            self.sick_from = step.number
            self.sick_layer = first_sick(step.passed.flow, step.judged.diagnosis)

    @property
    def history(self) -> History:
        """What was seen."""
        return History(len(self.losses) - 1, self.losses, self.statuses, self.sick_from, self.sick_layer)


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
        for module, own in buffers:  # forward may have put others in their place
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
