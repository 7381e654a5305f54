"""Independent normal numbers in large amounts: the same on any number of threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import numpy as np

from gradcheck.engine.initializers import keyed
from gradcheck.engine.types import Array

#: Numbers that one stream draws: large enough to be worth a thread, small enough for several of them.
PIECE = 1 << 16


class Noise(NamedTuple):
    """The normal numbers of one layer: the same each time they are asked for.

    Attributes
    ----------
    seed, layer : int
    dtype : str
        ``float64`` or ``float32``.
    """

    seed: int
    layer: int
    dtype: str = "float64"

    def __call__(self, purpose: int, rows: int, columns: int) -> Array:
        """Return independent N(0, 1) entries, (rows, columns); another purpose has numbers of its own.

        They are drawn in pieces, each from a stream of its own: whichever thread draws it, it is the same.
        """
        numbers = np.empty((rows, columns), self.dtype)
        flat = numbers.reshape(-1)

        def draw(start: int) -> None:
            generator = keyed(self.seed, purpose, self.layer, start // PIECE)
            generator.standard_normal(out=flat[start : start + PIECE], dtype=flat.dtype)

        starts = range(0, flat.size, PIECE)
        if len(starts) < 2 or threads() < 2:
            for start in starts:
                draw(start)
        else:
            list(_pool().map(draw, starts))
        return numbers


def threads() -> int:
    """Return how many threads may draw: as many as the environment gives linear algebra, else the cores."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(variable, "").isdigit():
            return int(os.environ[variable])
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="noise")
