"""Gram matrices: the inner products of a batch's examples, from which most of what is asked of it follows.

The signal's size and rank, the law of what a random layer makes of it, the norm of a weight gradient: each needs
x xᵀ and nothing else. It is computed once for each array, and forgotten with it.
"""

import weakref

import numpy as np

from gradcheck.engine.pieces import contraction
from gradcheck.engine.types import Array

#: By the array's identity: the array, weakly, and its Gram matrix.
_KNOWN: dict[int, tuple[weakref.ref[Array], Array]] = {}


def gram(x: Array) -> Array:
    """Return x xᵀ, (batch, batch), in float64; x (batch, n) must not be changed afterwards."""
    known = known_gram(x)
    if known is not None:
        return known
    matrix, key = contraction(x, x, np.float64), id(x)
    matrix.flags.writeable = False
    _KNOWN[key] = weakref.ref(x, lambda _: _KNOWN.pop(key, None)), matrix
    return matrix


def known_gram(x: Array) -> Array | None:
    """Return the Gram matrix if it has been computed, else None."""
    array, matrix = _KNOWN.get(id(x), (None, None))
    return matrix if array is not None and array() is x else None


def is_wide(x: Array) -> bool:
    """Whether an example (of x, (batch, n)) is longer than the batch, so that the Gram matrix is the smaller one."""
    return x.ndim == 2 and x.shape[0] < x.shape[1]
