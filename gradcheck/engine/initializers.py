"""The initialisations: one table of laws from which a layer's weights and biases are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Draw = npt.NDArray[np.float64]

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
    sample: Callable[[np.random.Generator, int, int], Draw]
    source: str


def gaussian(generator: np.random.Generator, fan_in: int, fan_out: int) -> Draw:
    """Return independent N(0, 1) entries, (fan_in, fan_out)."""
    return generator.standard_normal((fan_in, fan_out))


def uniform(generator: np.random.Generator, fan_in: int, fan_out: int) -> Draw:
    """Return independent entries of U(−√3, √3), which has variance 1, (fan_in, fan_out)."""
    return generator.uniform(-math.sqrt(3), math.sqrt(3), (fan_in, fan_out))


def haar_frame(generator: np.random.Generator, fan_in: int, fan_out: int) -> Draw:
    """Return a Haar-distributed matrix whose shorter side is orthonormal, (fan_in, fan_out).

    QR of a Gaussian matrix, with the signs that make R's diagonal positive (Mezzadri 2007).
    """
    tall = (max(fan_in, fan_out), min(fan_in, fan_out))
    q, r = np.linalg.qr(generator.standard_normal(tall))
    frame: Draw = q * np.copysign(1.0, np.diagonal(r))
    return frame if fan_in >= fan_out else frame.T


def glorot(fan_in: int, fan_out: int) -> float:
    """Return 2/(fan_in + fan_out)."""
    return 2 / (fan_in + fan_out)


def kaiming(fan_in: int, fan_out: int) -> float:
    """Return 2/fan_in."""
    return 2 / fan_in


def lecun(fan_in: int, fan_out: int) -> float:
    """Return 1/fan_in."""
    return 1 / fan_in


def unit(fan_in: int, fan_out: int) -> float:
    """Return 1: the scale is the frame's own, or the user's."""
    return 1.0


def torch_variance(fan_in: int, fan_out: int) -> float:
    """Return 1/(3·fan_in), the variance of U(−1/√fan_in, 1/√fan_in)."""
    return 1 / (3 * fan_in)


INITIALIZERS: dict[str, Initializer] = {
    "xavier": Initializer(glorot, gaussian, "Glorot & Bengio 2010"),
    "xavier_uniform": Initializer(glorot, uniform, "Glorot & Bengio 2010"),
    "he": Initializer(kaiming, gaussian, "He et al. 2015"),
    "he_uniform": Initializer(kaiming, uniform, "He et al. 2015"),
    "lecun": Initializer(lecun, gaussian, "LeCun et al. 1998"),
    "lecun_uniform": Initializer(lecun, uniform, "LeCun et al. 1998"),
    "orthogonal": Initializer(unit, haar_frame, "Saxe, McClelland & Ganguli 2014"),
    "torch_default": Initializer(torch_variance, uniform, "torch.nn.Linear, weights and biases"),
    "normal": Initializer(unit, gaussian, "the given standard deviation"),
    "uniform": Initializer(unit, uniform, "the given standard deviation"),
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

    def weight(self, seed: int, layer: int, fan_in: int, fan_out: int) -> Draw:
        """Draw the weights (fan_in, fan_out) of a layer; the same for a seed and layer, whatever the depth."""
        weight = INITIALIZERS[self.init].sample(random_stream(seed, WEIGHT_STREAM, layer), fan_in, fan_out)
        weight *= self.std(fan_in, fan_out)
        return weight

    def std(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of the weights; of a frame what multiplies it."""
        return self.scale * math.sqrt(INITIALIZERS[self.init].variance(fan_in, fan_out))

    @property
    def haar(self) -> bool:
        """Whether the weights are a Haar-distributed frame."""
        return INITIALIZERS[self.init].sample is haar_frame

    def bias(self, seed: int, layer: int, fan_in: int, fan_out: int) -> Draw | None:
        """Draw the biases (fan_out,) of a layer; None if they are all zero."""
        if self.bias_std > 0:
            return random_stream(seed, BIAS_STREAM, layer).standard_normal(fan_out) * self.bias_std
        if self.init == "torch_default":
            bound = 1 / math.sqrt(fan_in)
            return random_stream(seed, BIAS_STREAM, layer).uniform(-bound, bound, fan_out)
        return None


def random_stream(seed: int, purpose: int, layer: int = 0) -> np.random.Generator:
    """Return the random numbers of one layer and purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, layer)))
