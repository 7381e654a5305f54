"""Large arrays and products in pieces, on as many threads as there are: the same numbers on any."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from gradcheck.engine.threads import OWN_THREADS, threads
from gradcheck.engine.types import Array

if TYPE_CHECKING:
    from gradcheck.engine.begun import Begun

T = TypeVar("T")

#: Numbers of a piece: it fits into a core's cache, and is worth handing to a thread.
PIECE = 1 << 16

#: Numbers that are worth beginning ahead.
WORTH = 1 << 14

#: Multiplications of a piece of a product.
PRODUCT = 1 << 21


def begin(size: int, work: Callable[[slice], None], piece: int = PIECE) -> Begun:
    """Have other threads call `work` for the pieces of 0 … size, in any order, while this one does something else."""
    from gradcheck.engine.begun import Begun  # small arrays need no threads, nor what those need

    pieces = [slice(start, min(size, start + piece)) for start in range(0, size, piece)]
    return Begun(pieces, work, min(len(pieces), threads() - 1) if size >= WORTH else 0)


def in_pieces(size: int, work: Callable[[slice], None], piece: int = PIECE) -> None:
    """Call `work` for each piece of 0 … size, in any order; it must be the same whichever thread does it."""
    pieces = [slice(start, min(size, start + piece)) for start in range(0, size, piece)]
    if len(pieces) < 2 or threads() < 2:
        for one in pieces:
            work(one)
    else:
        from gradcheck.engine.begun import Begun

        Begun(pieces, work, min(len(pieces), threads()) - 1).finish()


def ahead(task: Callable[[], T]) -> Callable[[], T]:
    """Have another thread begin a whole task; return what waits for it and gives its result."""
    from gradcheck.engine.begun import Begun

    results = list[T]()
    begun = Begun([slice(0, 1)], lambda _: results.append(task()), min(1, threads() - 1))

    def result() -> T:
        begun.finish()
        return results[0]

    return result


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
