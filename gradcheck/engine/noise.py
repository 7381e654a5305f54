"""Independent normal numbers in large amounts: the same on any number of threads."""

from typing import NamedTuple

import numpy as np

from gradcheck.engine.pieces import PIECE, in_pieces
from gradcheck.engine.types import Array


class Noise(NamedTuple):
    """The normal numbers of one layer, the same each time they are asked for.

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
        """Return independent N(0, 1) entries, (rows, columns); each purpose has its own.

        Each piece has its own random stream: it is the same on any thread.
        """
        numbers = np.empty(rows * columns, self.dtype)

        def draw(piece: slice) -> None:
            key = np.random.SeedSequence(self.seed, spawn_key=(purpose, self.layer, piece.start // PIECE))
            generator = np.random.Generator(np.random.SFC64(key))  # a fifth faster than NumPy's default
            generator.standard_normal(out=numbers[piece], dtype=numbers.dtype)

        in_pieces(numbers.size, draw)
        return numbers.reshape(rows, columns)
