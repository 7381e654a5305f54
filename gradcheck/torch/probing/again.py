"""A model that passes a batch once more, watched or not."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.checkpoints import checkpoints_opened
from gradcheck.torch.probing.half_precision import Precision, autocast
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.loss.losses import LossFunction, loss_and_targets
from gradcheck.torch.probing.lost import Lost
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.rounding import find_rounding
from gradcheck.torch.probing.state import held, seed_all
from gradcheck.torch.probing.tracing import NonfiniteWatch


class Again(NamedTuple):
    """The model, and what goes through it once more."""

    model: nn.Module
    batch: Batch
    loss: str | LossFunction | None
    seed: int
    target_seed: int
    precision: Precision | None
    lost_of: dict[tuple[str, ...], Lost]  # what was found lost among which modules, in passes before
    rounding_of: dict[tuple[str, ...], tuple[str, ...]]  # among which layers the gradient of which is rounding

    def run(self, record: Recording, *watches: Any) -> tuple[object, Any]:  # noqa: ANN401
        """Return the model's output and the loss, of a pass that is watched: the same at each call."""
        seed_all(self.seed)
        generator = torch.Generator().manual_seed(self.target_seed)
        batch, _ = self.batch.copied(with_gradient=True)
        opened = checkpoints_opened(record, inputs_as_given=False)
        with autocast(self.model, self.precision), opened, torch.enable_grad(), ExitStack() as watching:
            for watch in watches:
                watching.enter_context(watch)
            output = self.model(*batch.arguments, **batch.keywords)
            for watch in watches:
                if isinstance(watch, NonfiniteWatch):
                    watch.in_loss = True
            chosen, targets = loss_and_targets(self.loss, output, batch.targets, generator)
            return output, chosen.function(output, targets)

    def loss_value(self) -> Tensor:
        """Return the loss of another pass."""
        value: Tensor = self.run(Recording())[1]
        return value

    def rounding(self, tiny: Sequence[Layer], gradients: Gradients) -> tuple[str, ...]:
        """Return those of some layers whose gradient is rounding and nothing else."""
        names = tuple(layer.name for layer in tiny)
        if names not in self.rounding_of:
            with held(self.model):
                self.rounding_of[names] = find_rounding(tiny, gradients, self.loss_value)
        return self.rounding_of[names]
