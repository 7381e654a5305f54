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


class Gate(NamedTuple):
    """One gate over all steps, units and examples."""

    name: str
    largest: float  # of its values
    saturated: float  # share of its entries
    saturated_by_inputs: float  # the share that W x alone would saturate


class Recurrence(NamedTuple):
    """A cell, or a layer of a recurrent module in one direction."""

    module: str
    part: str  # as in the names of the module's weights: ``l0``, ``l0_reverse``; empty for a cell
    kind: str
    units: int
    steps: int
    decades: float  # log10 of ‖∂loss/∂h‖ at the first step with a gradient over that at the last one; nan without any
    gain: float  # by what factor a gradient at the last state changes from step to step on its way back to the first
    gates: tuple[Gate, ...]
    input_rms: float


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
