"""Linear maps drawn from a law, as a stored matrix or without one; their outputs may have several parts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.engine.initializers import Law
from gradcheck.engine.linear import Beside, Dense, Linear, Weightless
from gradcheck.engine.noise import Noise
from gradcheck.engine.types import Array

#: Outputs that share an input, each part drawn by its own fans and times a gain: (fan_out, gain).
Parts = Sequence[tuple[int, float]]

#: Parts that a map can have at most.
MOST = 8


class Drawing(NamedTuple):
    """How the linear maps of a network are drawn."""

    law: Law
    seed: int
    dtype: str = "float64"  # ``float64`` or ``float32``
    weightless: bool = False  # the maps hold no matrix
    biased: bool = True  # they may have biases

    def linear(self, key: int, fan_in: int, parts: Parts) -> Linear:
        """Return the map of a key, the same each time; each key has its own random numbers."""
        if not self.weightless:
            return self.dense(key, fan_in, parts)
        if self.law.haar and len(parts) > 1:  # a frame each
            return Beside(tuple(self._weightless(MOST * key + index, fan_in, [one]) for index, one in enumerate(parts)))
        return self._weightless(MOST * key, fan_in, parts)

    def dense(self, key: int, fan_in: int, parts: Parts) -> Dense:
        """Return the map with a stored matrix."""
        drawn = [
            self.law._replace(scale=gain * self.law.scale).weight(self.seed, key, fan_in, fan_out, self.dtype)
            for key, (fan_out, gain) in enumerate(parts, start=MOST * key)
        ]
        return Dense(np.ascontiguousarray(np.hstack(drawn)), self._bias(MOST * key, fan_in, parts))

    def _weightless(self, key: int, fan_in: int, parts: Parts) -> Weightless:
        fans_out = [fan_out for fan_out, _ in parts]
        stds = [gain * self.law.std(fan_in, fan_out) for fan_out, gain in parts]
        scale = stds[0] if len(set(stds)) == 1 else np.repeat(stds, fans_out).astype(self.dtype)
        noise, bias = Noise(self.seed, key, self.dtype), self._bias(key, fan_in, parts)
        return Weightless(fan_in, sum(fans_out), noise, scale, self.law.haar, bias)

    def _bias(self, key: int, fan_in: int, parts: Parts) -> Array | None:
        """Draw the biases of all parts; None if they are all zero."""
        keys = enumerate(parts, start=key)
        drawn = [self.law.bias(self.seed, key, fan_in, fan_out, self.dtype) for key, (fan_out, _) in keys]
        biases = [bias for bias in drawn if bias is not None]
        return np.concatenate(biases) if self.biased and biases else None
