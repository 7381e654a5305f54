"""Plain training on one batch, without measuring: what opens gates, and what tells whether a model learns at all."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck.probing.measuring import decades_between
from gradcheck.probing.trial import ANSWERS, UNTRAINABLE
from gradcheck.torch.modules import all_parameters
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.checkpoints import checkpoints_opened
from gradcheck.torch.probing.hooks import Recording, as_array
from gradcheck.torch.probing.loss.losses import OWN, Loss, LossFunction, loss_and_targets
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.state import seed_all, untouched
from gradcheck.torch.probing.training.adam import Adam


class Lesson(NamedTuple):
    """A model, and the batch and the loss that it is to learn: the same in each step."""

    model: nn.Module
    batch: Batch
    loss: str | LossFunction | None
    seed: int  # for dropout, and for targets that are drawn
    scale: float  # of the loss, at which its gradient is neither too large nor too small for floats

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters that training changes."""
        return [one for one in all_parameters(self.model) if one.requires_grad]

    def value(self, number: int) -> Tensor:
        """Return the loss before step `number`."""
        seed_all(self.seed + number)
        output, chosen, targets = self._output()
        value = chosen.function(output, targets)
        return value.real if value.is_complex() else value

    def first(self) -> float:
        """Return the loss of the model as it is."""
        return float(self.value(0).detach())

    @contextmanager
    def adam(self, rate: float) -> Iterator[Callable[[int], float]]:
        """Take steps of Adam as long as the context lasts: each by its number, which returns the loss before it."""
        with untouched(self.model):
            yield partial(self.step, Adam(self.trained, rate))

    @contextmanager
    def sgd(self, rate: float) -> Iterator[Callable[[int, float], float]]:
        """Take steps of SGD in the same way, each by its number and the scale of its loss."""
        with untouched(self.model):
            optimizer = torch.optim.SGD(self.trained, lr=rate)
            yield lambda number, scale: self._replace(scale=scale).step(optimizer, number)

    def step(self, optimizer: torch.optim.Optimizer, number: int) -> float:
        """Take a step against the gradient; return the loss before it, and leave the gradients where they arrived."""
        optimizer.zero_grad()
        value = self.value(number)
        loss = float(value.detach())
        if math.isfinite(loss):
            found = torch.autograd.grad(value * self.scale, self.trained, allow_unused=True)  # users' hooks stay quiet
            self.take(optimizer, dict(zip(self.trained, found, strict=True)))
        return loss

    def take(self, optimizer: torch.optim.Optimizer, gradients: Gradients) -> None:
        """Take a step against gradients that are known, and leave them where they arrive."""
        for one in self.trained:
            gradient = gradients.get(one)
            one.grad = gradient.to_dense() if gradient is not None and gradient.is_sparse else gradient
        optimizer.step()

    def goes_on(self, optimizer: torch.optim.Optimizer, number: int) -> bool:
        """Take a step; return whether the model could be run once more, and its loss was finite."""
        try:
            return math.isfinite(self.step(optimizer, number))
        except UNTRAINABLE:
            return False

    def span(self) -> float:
        """Return the decades between the weights' gradients in the last step, per entry; nan where it isn't known."""
        return decades_between(as_array(one.grad) for one in self.trained if one.grad is not None)

    def of_answers(self) -> tuple[float, float]:
        """Return the loss of an output of zeros, and by how much outputs of size 1 change it; nan where there is none.

        What is added to the loss makes no difference to the second.
        """
        seed_all(self.seed)
        output, chosen, targets = self._output()  # with a graph: a model may take derivatives in forward
        if chosen.name == OWN or (isinstance(output, Tensor) and not output.dim()):
            return math.nan, math.nan  # a number in place of a loss that the model itself computes says nothing of it
        with torch.no_grad():
            try:
                zero = float(chosen.function(_filled(output, torch.zeros_like), targets))
                drawn = [float(chosen.function(_filled(output, torch.randn_like), targets)) for _ in range(ANSWERS)]
            except Exception:  # the user's own loss may want more than numbers
                return math.nan, math.nan
        size = sum(abs(one - zero) for one in drawn) / ANSWERS or math.nan
        return (zero if isinstance(output, Tensor) else math.nan), size  # of several, zeros are no answer

    def _output(self) -> tuple[Any, Loss, Any]:
        """Return the model's output, the loss and the targets."""
        batch, _ = self.batch.copied(with_gradient=False)
        with checkpoints_opened(Recording(), inputs_as_given=True):  # their gradients would go past the optimizer
            output = self.model(*batch.arguments, **batch.keywords)
        generator = torch.Generator().manual_seed(self.seed)
        chosen, targets = loss_and_targets(self.loss, output, batch.targets, generator)
        return output, chosen, targets


def _filled(output: object, make: Callable[[Tensor], Tensor]) -> object:
    """Return an output with other numbers in place of its floats."""
    return tree_map(lambda one: make(one) if isinstance(one, Tensor) and one.is_floating_point() else one, output)
