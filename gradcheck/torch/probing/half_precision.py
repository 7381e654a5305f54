"""The types of half precision, and a model's passes in them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn

from gradcheck.spec.probing import LOSS_SCALES


class Precision(NamedTuple):
    """A type of half precision, and log2 of its loss scale."""

    dtype: Any
    shift: int


#: By name.
AMP = {
    "fp16": Precision(torch.float16, LOSS_SCALES["fp16"]),
    "bf16": Precision(torch.bfloat16, LOSS_SCALES["bf16"]),
}


def autocast(model: nn.Module, precision: Precision | None) -> AbstractContextManager[Any]:
    """Return the context in which a model runs in half precision; in full, one that does nothing."""
    if precision is None:
        return nullcontext()
    device = next((one.device.type for one in model.parameters()), "cpu")
    context: AbstractContextManager[Any] = torch.autocast(device, precision.dtype)
    return context
