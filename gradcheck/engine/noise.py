"""Independent normal numbers in large amounts: the same on any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradcheck.engine.pieces import PIECE, begin
from gradcheck.engine.types import Array

if TYPE_CHECKING:  # small networks need no threads
    from gradcheck.engine.begun import Begun


class Noise:
    """The normal numbers of one layer, the same each time they are asked for."""

    def __init__(self, seed: int, layer: int, dtype: str = "float64") -> None:
        self.seed, self.layer, self.dtype = seed, layer, dtype
        self._begun: dict[int, tuple[Array, Begun]] = {}

    def begin(self, purpose: int, rows: int, columns: int) -> None:
        """Have other threads begin to draw what will be asked for.

        Each piece has its own random stream: it is the same on any thread, and of fewer rows the same from the start.
        """
        numbers = np.empty(rows * columns, self.dtype)

        def draw(piece: slice) -> None:
            key = np.random.SeedSequence(self.seed, spawn_key=(purpose, self.layer, piece.start // PIECE))
            generator = np.random.Generator(np.random.SFC64(key))  # a third faster than NumPy's default
            generator.standard_normal(out=numbers[piece], dtype=numbers.dtype)

        self._begun[purpose] = numbers, begin(numbers.size, draw)

    def __call__(self, purpose: int, rows: int, columns: int) -> Array:
        """Return independent N(0, 1) entries, (rows, columns); each purpose has its own."""
        if purpose not in self._begun or self._begun[purpose][0].size < rows * columns:
            self.begin(purpose, rows, columns)
        numbers, begun = self._begun.pop(purpose)
        begun.finish()
        return numbers[: rows * columns].reshape(rows, columns)
