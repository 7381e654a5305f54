"""The initialisations: one table of laws from which a layer's weights and biases are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.shared_draws import shared
from gradcheck.engine.types import Array

#: What a random stream is for: part of its key, so that no two share their numbers.
WEIGHT_STREAM, BIAS_STREAM, FORWARD_STREAM, BACKWARD_STREAM, TOKEN_STREAM, POSITION_STREAM = 0, 1, 5, 6, 7, 8


class Initializer(NamedTuple):
    """A law of random weights.

    Attributes
    ----------
    variance : callable
        (fan_in, fan_out) ↦ variance of a weight at gain 1.
    sample : callable
        (generator, fan_in, fan_out) ↦ weights of variance 1 (fan_in × fan_out); for a frame, the frame itself.
    source : str
        Where it comes from.
    """

    variance: Callable[[int, int], float]
    sample: Callable[[np.random.Generator, int, int], Array]
    source: str


def gaussian(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return independent N(0, 1) entries, (fan_in, fan_out)."""
    return generator.standard_normal((fan_in, fan_out))


def uniform(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return independent entries of U(−√3, √3), which has variance 1, (fan_in, fan_out)."""
    return generator.uniform(-math.sqrt(3), math.sqrt(3), (fan_in, fan_out))


def haar_frame(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return a Haar-distributed matrix whose shorter side is orthonormal, (fan_in, fan_out).

    QR of a Gaussian matrix, with the signs that make R's diagonal positive (Mezzadri 2007).
    """
    tall = (max(fan_in, fan_out), min(fan_in, fan_out))
    q, r = np.linalg.qr(generator.standard_normal(tall))
    frame: Array = q * np.copysign(1.0, np.diagonal(r))
    return frame if fan_in >= fan_out else frame.T


#: n = fan_in, m = fan_out; where the variance is 1, the scale is the frame's own, or the user's.
INITIALIZERS: dict[str, Initializer] = {
    "xavier": Initializer(lambda n, m: 2 / (n + m), gaussian, "Glorot & Bengio 2010"),
    "xavier_uniform": Initializer(lambda n, m: 2 / (n + m), uniform, "Glorot & Bengio 2010"),
    "he": Initializer(lambda n, m: 2 / n, gaussian, "He et al. 2015"),
    "he_uniform": Initializer(lambda n, m: 2 / n, uniform, "He et al. 2015"),
    "lecun": Initializer(lambda n, m: 1 / n, gaussian, "LeCun et al. 1998"),
    "lecun_uniform": Initializer(lambda n, m: 1 / n, uniform, "LeCun et al. 1998"),
    "orthogonal": Initializer(lambda n, m: 1.0, haar_frame, "Saxe, McClelland & Ganguli 2014"),
    "torch_default": Initializer(lambda n, m: 1 / (3 * n), uniform, "torch.nn.Linear, weights and biases"),
    "normal": Initializer(lambda n, m: 1.0, gaussian, "the given standard deviation"),
    "uniform": Initializer(lambda n, m: 1.0, uniform, "the given standard deviation"),
}


class Law(NamedTuple):
    """How the weights and biases of a network's layers are drawn.

    Attributes
    ----------
    init : str
        A key of ``INITIALIZERS``.
    scale : float
        Multiplies the standard deviation: the gain, times the given standard deviation where there is one.
    bias_std : float
        Standard deviation of the normal biases; 0 leaves them to the initialisation.
    """

    init: str
    scale: float = 1.0
    bias_std: float = 0.0

    def weight(self, seed: int, layer: int, fan_in: int, fan_out: int, dtype: str = "float64") -> Array:
        """Draw the weights (fan_in, fan_out) of a layer; the same for a seed and layer, whatever the depth."""
        sample = INITIALIZERS[self.init].sample
        unit = shared(
            (sample, seed, layer, fan_in, fan_out),
            lambda: sample(random_stream(seed, WEIGHT_STREAM, layer), fan_in, fan_out),
        )
        weight = np.multiply(unit, self.std(fan_in, fan_out), out=unit if unit.flags.writeable else None)
        return weight.astype(dtype, copy=False)

    def std(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of the weights; of a frame what multiplies it."""
        return self.scale * math.sqrt(INITIALIZERS[self.init].variance(fan_in, fan_out))

    @property
    def haar(self) -> bool:
        """Whether the weights are a Haar-distributed frame."""
        return INITIALIZERS[self.init].sample is haar_frame

    def bias(self, seed: int, layer: int, fan_in: int, fan_out: int, dtype: str = "float64") -> Array | None:
        """Draw the biases (fan_out,) of a layer; None if they are all zero."""
        if self.bias_std > 0:
            normal = random_stream(seed, BIAS_STREAM, layer).standard_normal(fan_out)
            return (normal * self.bias_std).astype(dtype, copy=False)
        if self.init == "torch_default":
            bound = 1 / math.sqrt(fan_in)
            return random_stream(seed, BIAS_STREAM, layer).uniform(-bound, bound, fan_out).astype(dtype, copy=False)
        return None


def random_stream(seed: int, purpose: int, layer: int = 0) -> np.random.Generator:
    """Return the random numbers of one layer and purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, layer)))
