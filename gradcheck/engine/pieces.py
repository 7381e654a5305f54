"""Large arrays and products in pieces, on as many threads as there are: the same numbers on any."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # read by the command line, before NumPy is
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import DTypeLike

    from gradcheck.engine.types import Array

#: Numbers of a piece: it fits into a core's cache, and is worth handing to a thread.
PIECE = 1 << 16

#: Numbers that are worth beginning ahead.
WORTH = 1 << 14

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


class Begun:
    """Work in pieces that other threads have begun; who needs it does what is left.

    Parameters
    ----------
    pieces : iterable of slice
    work : callable
        Must do the same on whichever thread.
    helpers : int
        Threads that take part before it is needed; none where there is one thread.
    """

    def __init__(self, pieces: Iterable[slice], work: Callable[[slice], None], helpers: int) -> None:
        self._left, self._work = deque(pieces), work
        self._helping = [_pool(os.getpid()).submit(copy_context().run, self._take) for _ in range(helpers)]

    def finish(self) -> None:
        """Return when all is done; raise what a piece raised."""
        self._take()
        for one in self._helping:
            if not one.cancel():  # it has begun: wait for its last piece
                one.result()

    def _take(self) -> None:
        """Do one piece after the other, until none is left."""
        while self._left:
            try:
                piece = self._left.popleft()
            except IndexError:  # another thread took it
                return
            self._work(piece)


def begin(size: int, work: Callable[[slice], None], piece: int = PIECE) -> Begun:
    """Have other threads call `work` for the pieces of 0 … size, in any order, while this one does something else."""
    pieces = [slice(start, min(size, start + piece)) for start in range(0, size, piece)]
    return Begun(pieces, work, min(len(pieces), threads() - 1) if size >= WORTH else 0)


def in_pieces(size: int, work: Callable[[slice], None], piece: int = PIECE) -> None:
    """Call `work` for each piece of 0 … size, in any order; it must be the same whichever thread does it."""
    pieces = [slice(start, min(size, start + piece)) for start in range(0, size, piece)]
    if len(pieces) < 2 or threads() < 2:
        for one in pieces:
            work(one)
    else:
        Begun(pieces, work, min(len(pieces), threads()) - 1).finish()


def product(one: Array, other: Array, *more: Array) -> Array:
    """Return one · other, of matrices, plus the product of each further two; a large one in pieces of columns."""
    rows, inner = one.shape
    columns = other.shape[1]
    further = list(zip(more[::2], more[1::2], strict=True))
    if rows * inner * columns < 2 * PRODUCT or OWN_THREADS not in os.environ:
        whole: Array = one @ other
        for a, b in further:
            whole += a @ b
        return whole
    import numpy as np

    result = np.empty((rows, columns), one.dtype)

    def multiply(piece: slice) -> None:
        part = result[:, piece]
        np.matmul(one, other[:, piece], out=part)
        for a, b in further:
            part += a @ b[:, piece]

    in_pieces(columns, multiply, max(64, PRODUCT // (rows * inner) // 64 * 64))
    return result


def contraction(one: Array, other: Array, dtype: DTypeLike | None = None) -> Array:
    """Return one · otherᵀ, of two matrices with long rows, in a type; a large one in pieces, added up in order."""
    rows, inner = one.shape
    form = one.dtype if dtype is None else dtype

    def multiplied(one: Array, other: Array, out: Array | None = None) -> Array:
        left = one.astype(form, copy=False)
        right = left if other is one else other.astype(form, copy=False)
        result: Array = np.matmul(left, right.T, out=out)
        return result

    import numpy as np

    if rows * inner * len(other) < 2 * PRODUCT or OWN_THREADS not in os.environ:
        return multiplied(one, other)
    piece = max(64, PRODUCT // (rows * len(other)) // 64 * 64)
    parts = np.empty((-(-inner // piece), rows, len(other)), form)

    def multiply(columns: slice) -> None:
        left = one[:, columns]
        multiplied(left, left if other is one else other[:, columns], parts[columns.start // piece])

    in_pieces(inner, multiply, piece)
    total: Array = parts.sum(0)
    return total


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process beside the main one; one that was forked off has none of its parent's."""
    from concurrent.futures import ThreadPoolExecutor  # small arrays need no threads, nor what those need

    return ThreadPoolExecutor(max(1, threads() - 1), thread_name_prefix="pieces")
