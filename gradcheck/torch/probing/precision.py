"""Half precision: where the gradient of a scaled loss is too small for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from gradcheck.spec.probing import LOSS_SCALES

if TYPE_CHECKING:
    from gradcheck.torch.probing.passing import ModelPass


class Precision(NamedTuple):
    """A type of half precision, and log2 of its loss scale."""

    dtype: Any
    shift: int


#: By name.
AMP = {
    "fp16": Precision(torch.float16, LOSS_SCALES["fp16"]),
    "bf16": Precision(torch.bfloat16, LOSS_SCALES["bf16"]),
}

#: A layer is named where this share of its gradient's entries underflows.
WORTH_NAMING = 0.01


class Underflow(NamedTuple):
    """A layer's name, and of its gradient's entries that aren't zero in full precision the share that is in half."""

    layer: str
    share: float


def autocast(model: nn.Module, precision: Precision | None) -> AbstractContextManager[Any]:
    """Return the context in which a model runs in half precision; in full, one that does nothing."""
    if precision is None:
        return nullcontext()
    device = next((one.device.type for one in model.parameters()), "cpu")
    context: AbstractContextManager[Any] = torch.autocast(device, precision.dtype)
    return context


def underflows(run: "Callable[[str | None], ModelPass]", amp: str) -> tuple[Underflow, ...]:
    """Return the layers whose gradient underflows, worst first; `run` passes a batch, None in full precision."""
    full, half = run(None), run(amp)
    if full.flow.obstacle or half.flow.obstacle:
        return ()
    in_half = dict(zip(half.flow.labels, half.gradient_zeros, strict=True))
    found = [
        Underflow(layer, max(0.0, in_half[layer] - zeros) / (1 - zeros))
        for layer, zeros in zip(full.flow.labels, full.gradient_zeros, strict=True)
        if layer in in_half and zeros < 1
    ]
    return tuple(sorted((one for one in found if one.share > WORTH_NAMING), key=lambda one: -one.share))
