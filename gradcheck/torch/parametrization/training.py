"""A few steps of training of one of the user's models, watched."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.errors import GradcheckError
from gradcheck.probing.user_errors import ending_reported
from gradcheck.torch.parametrization.watching import Seen, Watch
from gradcheck.torch.probing.batches import Batch, Batches
from gradcheck.torch.probing.checks import check_batch, set_mode
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.loss.losses import LossFunction, cannot_compute, loss_and_targets
from gradcheck.torch.probing.loss.value import as_number, modules_of
from gradcheck.torch.probing.state import seed_all, untouched


class Trained(NamedTuple):
    """What was seen of one model."""

    passes: list[dict[str, Seen]]  # before the first step and after each, name of a layer ↦ what was seen of it
    output: str  # the layer whose output is the model's
    losses: list[float]  # of the watched batch, as often
    shapes: tuple[tuple[int, ...], ...] = ()  # of the model's parameters


@dataclass(frozen=True)
class Training:
    """How every model is trained, whatever its size."""

    batches: Batches  # the first is what is watched
    loss: str | LossFunction | None
    steps: int
    mode: str  # ``train`` or ``eval``

    def run(self, model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> Trained:
        """Train a model and return what was seen of it before the first step and after each; it is put back then.

        Training ends early where the loss isn't finite.
        """
        watch, losses = Watch(model), list[float]()
        with ending_reported(), untouched(model, optimizer, modules_of(self.loss)), torch.enable_grad():
            set_mode(model, self.mode == "train")
            for step in range(self.steps + 1):
                loss = self._watched(watch, seed)
                losses.append(float(loss.detach()))
                _check_first(losses, watch)
                if step == self.steps or not math.isfinite(losses[-1]):
                    break
                if self.batches.one is None:  # another batch for each step
                    loss = self._loss(model, self.batches.take(step), seed)
                if not loss.requires_grad:
                    raise GradcheckError("the loss doesn't depend on any parameter that is trained")
                optimizer.zero_grad()
                with errors_in_one_line("the backward pass failed: "):
                    loss.backward()
                with errors_in_one_line("the optimizer's step failed: "):
                    optimizer.step()
        return Trained(watch.passes, watch.output, losses, tuple(tuple(one.shape) for one in model.parameters()))

    def _watched(self, watch: Watch, seed: int) -> Tensor:
        """Pass the first batch through the model, watched, and return the loss."""
        batch = self.batches.take(0)
        check_batch(batch)
        with watch.watching(batch.examples):
            return self._loss(watch.model, batch, seed)

    def _loss(self, model: nn.Module, batch: Batch, seed: int) -> Tensor:
        """Return the loss of a batch; what dropout draws is the same in each pass."""
        seed_all(seed)
        batch, _ = batch.copied(with_gradient=False)
        with errors_in_one_line():
            output = model(*batch.arguments, **batch.keywords)
        chosen, targets = loss_and_targets(self.loss, output, batch.targets, torch.Generator().manual_seed(seed))
        with errors_in_one_line(cannot_compute(chosen, targets)):
            return as_number(chosen.function(output, targets), chosen.name).reshape(())


def _check_first(losses: list[float], watch: Watch) -> None:
    """Raise an error for a loss that isn't finite before any step, though all outputs are."""
    finite = all(math.isfinite(one.output.rms) for one in watch.passes[-1].values())
    if len(losses) == 1 and not math.isfinite(losses[0]) and finite:
        problem = f"the loss is {losses[0]:g} before any step, and every output is finite"
        raise GradcheckError(f"{problem}: without a gradient nothing moves; gradcheck probe says where it comes from")
