"""Large arrays and products in pieces, on as many threads as there are: the same numbers on any."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # read by the command line, before NumPy is
    from concurrent.futures import ThreadPoolExecutor

    from gradcheck.engine.types import Array

#: Numbers of a piece: it fits into a core's cache, and is worth handing to a thread.
PIECE = 1 << 16

#: Multiplications of a piece of a product.
PRODUCT = 1 << 21

#: The threads of the engine, where BLAS has been given one: only then are products shared out here.
OWN_THREADS = "GRADCHECK_NUM_THREADS"

#: The variables that set the threads of the BLAS libraries.
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def threads() -> int:
    """Return how many threads may work: as many as the environment says, else the cores."""
    for variable in (OWN_THREADS, *BLAS_THREADS):
        if os.environ.get(variable, "").isdigit():
            return max(1, int(os.environ[variable]))
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_pieces(size: int, work: Callable[[slice], None], piece: int = PIECE) -> None:
    """Call `work` for each piece of 0 … size, in any order; it must be the same whichever thread does it."""
    pieces = [slice(start, min(size, start + piece)) for start in range(0, size, piece)]
    if len(pieces) < 2 or threads() < 2:
        for one in pieces:
            work(one)
    else:
        for _ in _pool(os.getpid()).map(work, pieces):
            pass


def product(one: Array, other: Array) -> Array:
    """Return one · other, of matrices; a large one in pieces of columns."""
    rows, inner = one.shape
    columns = other.shape[1]
    if rows * inner * columns < 2 * PRODUCT or OWN_THREADS not in os.environ:
        whole: Array = one @ other
        return whole
    import numpy as np

    result = np.empty((rows, columns), one.dtype)

    def multiply(piece: slice) -> None:
        np.matmul(one, other[:, piece], out=result[:, piece])

    in_pieces(columns, multiply, max(64, PRODUCT // (rows * inner) // 64 * 64))
    return result


def contraction(one: Array, other: Array) -> Array:
    """Return one · otherᵀ, of two matrices with long rows; a large one in pieces that are added up in order."""
    rows, inner = one.shape
    if rows * inner * len(other) < 2 * PRODUCT or OWN_THREADS not in os.environ:
        whole: Array = one @ other.T
        return whole
    import numpy as np

    piece = max(64, PRODUCT // (rows * len(other)) // 64 * 64)
    parts = np.empty((-(-inner // piece), rows, len(other)), one.dtype)

    def multiply(columns: slice) -> None:
        np.matmul(one[:, columns], other[:, columns].T, out=parts[columns.start // piece])

    in_pieces(inner, multiply, piece)
    total: Array = parts.sum(0)
    return total


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process; one that was forked off has none of its parent's."""
    from concurrent.futures import ThreadPoolExecutor  # small arrays need no threads, nor what those need

    return ThreadPoolExecutor(threads(), thread_name_prefix="pieces")
