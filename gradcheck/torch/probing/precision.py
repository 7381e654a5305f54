"""Half precision: where the gradient of a scaled loss is too small for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from gradcheck.spec.probing import LOSS_SCALES

if TYPE_CHECKING:
    from gradcheck.torch.probing.passing import Passed


class Precision(NamedTuple):
    """Half precision.

    Attributes
    ----------
    dtype : torch.dtype
    shift : int
        log2 of the loss scale.
    """

    dtype: Any
    shift: int


#: By name.
AMP = {
    "fp16": Precision(torch.float16, LOSS_SCALES["fp16"]),
    "bf16": Precision(torch.bfloat16, LOSS_SCALES["bf16"]),
}

#: Where the scaled gradient overflows the scale is divided by 2**BACK_OFF, again and again.
BACK_OFF = 4

#: A layer is named where this share of its gradient's entries underflows.
WORTH_NAMING = 0.01


class Underflow(NamedTuple):
    """What half precision loses of a layer's gradient.

    Attributes
    ----------
    layer : str
    share : float
        Of the entries that are not zero in full precision, those that are zero in half.
    """

    layer: str
    share: float


def autocast(model: nn.Module, precision: Precision | None) -> AbstractContextManager[Any]:
    """Return the context in which a model runs in half precision; in full, one that does nothing."""
    if precision is None:
        return nullcontext()
    device = next((one.device.type for one in model.parameters()), "cpu")
    context: AbstractContextManager[Any] = torch.autocast(device, precision.dtype)
    return context


def underflows(run: "Callable[[str | None], Passed]", amp: str) -> tuple[Underflow, ...]:
    """Return the layers whose gradient underflows, worst first; `run` passes a batch, None in full precision."""
    full, half = run(None), run(amp)
    if full.flow.obstacle or half.flow.obstacle:
        return ()
    in_half = {layer.name: _zeros(half, index) for index, layer in enumerate(half.layers)}
    found = []
    for index, layer in enumerate(full.layers):
        zeros = _zeros(full, index)
        if layer.name in in_half and zeros < 1:
            found.append(Underflow(layer.name, max(0.0, in_half[layer.name] - zeros) / (1 - zeros)))
    return tuple(sorted((one for one in found if one.share > WORTH_NAMING), key=lambda one: -one.share))


def _zeros(passed: "Passed", index: int) -> float:
    calls = passed.calls[passed.layers[index]]
    return sum(call.gradient_zeros for call in calls) / len(calls)
