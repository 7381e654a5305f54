"""Compiled models: measured as eager PyTorch runs them, layer by layer."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gradcheck.torch.modules import all_modules


def is_compiled(model: nn.Module) -> bool:
    """Whether a model or a part of it is compiled by ``torch.compile``."""
    return any(
        "_orig_mod" in one._modules or getattr(one, "_compiled_call_impl", None) is not None
        for one in all_modules(model)
    )


def as_written(model: nn.Module) -> nn.Module:
    """Return the model that ``torch.compile`` was given; any other as it is."""
    while isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
        model = inner
    return model


@contextmanager
def run_eagerly() -> Iterator[None]:
    """Run what is compiled as it is written; where nothing is, PyTorch has not even loaded its compiler."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
