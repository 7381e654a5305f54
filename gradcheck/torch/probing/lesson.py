"""Plain training on one batch, without measuring: what opens gates, and what tells whether a model learns at all."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.losses import LossFunction, choose_loss, draw_targets


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
        return [one for one in self.model.parameters() if one.requires_grad]

    def value(self, number: int) -> Tensor:
        """Return the loss before step `number`."""
        torch.manual_seed(self.seed + number)
        output, function, targets = self._output()
        value = function(output, targets)
        return value.real if value.is_complex() else value

    def step(self, optimizer: torch.optim.Optimizer, number: int) -> float:
        """Take a step against the gradient; return the loss before it, and leave the gradients where they arrived."""
        optimizer.zero_grad()
        value = self.value(number)
        loss = float(value.detach())
        if math.isfinite(loss):
            (value * self.scale).backward()
            optimizer.step()
        return loss

    def of_zeros(self) -> float:
        """Return the loss of an output that is zero throughout: a constant answer; nan where there is none."""
        torch.manual_seed(self.seed)
        with torch.no_grad():
            output, function, targets = self._output()
            try:
                return float(function(torch.zeros_like(output), targets)) if isinstance(output, Tensor) else math.nan
            except Exception:  # the user's own loss may want more than numbers
                return math.nan

    def _output(self) -> tuple[Any, LossFunction, Any]:
        """Return the model's output, the loss function and the targets."""
        batch, _ = self.batch.copied(with_gradient=True)
        output = self.model(*batch.arguments, **batch.keywords)
        chosen = choose_loss(self.loss, output, batch.targets)
        targets = batch.targets
        if targets is None:
            targets = draw_targets(chosen.name, output, torch.Generator().manual_seed(self.seed))
        return output, chosen.function, targets
