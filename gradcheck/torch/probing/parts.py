"""What is found in particular parts of a model: checkpoints, compiled parts, recurrences, attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import printable
from gradcheck.probing.evidence import Parts
from gradcheck.torch.layers import Layer, own_parameters
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.sequences.recurrences import Recurrence


class Attention(NamedTuple):
    """One attention, by the layer that takes it in; of each head over a few examples."""

    layer: str
    # of the rows' entropy over its largest possible value the mean: 1 looks everywhere alike, 0 at one token
    entropy: tuple[float, ...]
    largest_score: tuple[float, ...]  # above the mean of its row, before the softmax


@dataclass(frozen=True)
class ModelParts(Parts):
    """What a pass found in them."""

    recurrences: tuple[Recurrence, ...] = ()
    attention: tuple[Attention, ...] = ()

    def beside(self, other: "ModelParts") -> "ModelParts":
        """Return both; of two verdicts the first."""
        return ModelParts(
            self.status or other.status,
            (*self.causes, *other.causes),
            (*self.notes, *other.notes),
            (*self.recurrences, *other.recurrences),
            (*self.attention, *other.attention),
        )


def find_starved(starved: Sequence[Layer]) -> ModelParts:
    """Find what is to be trained and is in re-entrant checkpoints that pass no gradient on."""
    trained = tuple(layer.name for layer in dict.fromkeys(starved) if _is_trained(layer.module))
    if not trained:
        return ModelParts()
    return ModelParts("no-gradient", (Cause("checkpoint-inputs", None, len(trained), details={"names": trained}),))


def _is_trained(module: nn.Module) -> bool:
    return any(one.requires_grad for one in own_parameters(module))


def find_hidden(record: Recording, gradients: Gradients) -> ModelParts:
    """Find layers that ran with a gradient in the backward pass alone, where nothing but that can be measured."""
    if record.hiding is None:
        return ModelParts()
    seen = {call.layer for call in record.calls}
    hidden = tuple(
        layer.name
        for layer in dict.fromkeys(record.ungraded)
        if layer not in seen and any(gradients.get(one) is not None for one in own_parameters(layer.module))
    )
    details = {"names": hidden, "function": printable(record.hiding)}
    return ModelParts(notes=(Cause("hidden-layers", None, len(hidden), details=details),)) if hidden else ModelParts()
