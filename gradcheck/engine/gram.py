"""Gram matrices: the inner products of a batch's examples, from which most of what is asked of it follows.

The signal's size and rank, the law of what a random layer makes of it, the norm of a weight gradient: each needs
x xᵀ and nothing else. It is computed once for each array, and forgotten with it.
"""

import weakref
from typing import NamedTuple

import numpy as np

from gradcheck.engine.pieces import contraction
from gradcheck.engine.types import Array


class Known(NamedTuple):
    """What is known of an array, which is held weakly."""

    of: weakref.ref[Array]
    gram: Array
    square: float


#: By the array's identity.
_KNOWN: dict[int, Known] = {}


def gram(x: Array) -> Array:
    """Return x xᵀ, (batch, batch), in float64; x (batch, n) must not be changed afterwards."""
    known = _known(x)
    if known is not None:
        return known.gram
    matrix, key = contraction(x, x, np.float64), id(x)
    matrix.flags.writeable = False
    _KNOWN[key] = Known(weakref.ref(x, lambda _: _KNOWN.pop(key, None)), matrix, float(matrix.trace()))
    return matrix


def known_square(x: Array) -> float | None:
    """Return the sum of squares of the entries if the Gram matrix has been computed, else None."""
    known = _known(x)
    return None if known is None else known.square


def _known(x: Array) -> Known | None:
    known = _KNOWN.get(id(x))
    return known if known is not None and known.of() is x else None


def is_wide(x: Array) -> bool:
    """Whether an example (of x, (batch, n)) is longer than the batch, so that the Gram matrix is the smaller one."""
    return x.ndim == 2 and x.shape[0] < x.shape[1]
