"""Weights that are moved a little, to see what depends on them; then they are put back to the last bit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

#: By this share weights are moved: far more than rounding, and too little to turn a true gradient.
MOVED = 1e-3


@contextmanager
def moved(weights: Sequence[Tensor]) -> Iterator[None]:
    """Move weights a little as long as the context lasts."""
    with kept(weights):
        with torch.no_grad():
            for one in weights:
                one.mul_(1 + MOVED * torch.randn_like(one))
        yield


@contextmanager
def kept(weights: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
    """Give copies of weights; put these back from them in the end."""
    copies = [one.detach().clone() for one in weights]
    try:
        yield copies
    finally:
        with torch.no_grad():
            for one, before in zip(weights, copies, strict=True):
                one.copy_(before)
