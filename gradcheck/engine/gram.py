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
    square: float
    gram: Array | None = None


#: By the array's identity.
_KNOWN: dict[int, Known] = {}


def gram(x: Array) -> Array:
    """Return x xᵀ, (batch, batch), in float64; x (batch, n) must not be changed afterwards."""
    known = _known(x)
    if known is not None and known.gram is not None:
        return known.gram
    matrix = contraction(x, x, np.float64)
    matrix.flags.writeable = False
    _remember(x, float(matrix.trace()), matrix)
    return matrix


def remember_square(x: Array, square: float) -> None:
    """Keep the sum of squares of an array's entries if it can't be written to: it is that of any later use."""
    if isinstance(x, np.ndarray) and not x.flags.writeable:  # a single number has no weak references
        _remember(x, square)


def known_square(x: Array) -> float | None:
    """Return the sum of squares of the entries if it, or the Gram matrix, has been computed and kept, else None."""
    known = _known(x)
    return None if known is None else known.square


def _remember(x: Array, square: float, matrix: Array | None = None) -> None:
    key = id(x)
    _KNOWN[key] = Known(weakref.ref(x, lambda _: _KNOWN.pop(key, None)), square, matrix)


def _known(x: Array) -> Known | None:
    known = _KNOWN.get(id(x))
    return known if known is not None and known.of() is x else None


def is_wide(x: Array) -> bool:
    """Whether an example (of x, (batch, n)) is longer than the batch, so that the Gram matrix is the smaller one."""
    return x.ndim == 2 and x.shape[0] < x.shape[1]
