"""The initialisations: one table of laws from which a layer's weights and biases are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.shared_draws import shared
from gradcheck.engine.types import Array

#: What a random stream is for: part of its key, so that no two share their numbers.
WEIGHT_STREAM, BIAS_STREAM, FORWARD_STREAM, BACKWARD_STREAM, TOKEN_STREAM, POSITION_STREAM = 0, 1, 5, 6, 7, 8


#: (generator, fan_in, fan_out) ↦ a matrix (fan_in × fan_out).
Sample = Callable[["np.random.Generator", int, int], Array]


class Initializer(NamedTuple):
    """A law of random weights."""

    variance: Callable[[int, int], float]  # (fan_in, fan_out) ↦ variance of a weight at gain 1
    # (generator, fan_in, fan_out) ↦ weights of variance 1 (fan_in × fan_out); for a frame, the frame itself
    sample: Sample
    source: str  # where it comes from
    biases: float = 0.0  # biases have this law too, uniform, times so much at gain 1; 0 for no biases
    limit: float = math.inf  # the largest size of a weight at gain 1, where the user gives its deviation


def gaussian(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return independent N(0, 1) entries, (fan_in, fan_out)."""
    return generator.standard_normal((fan_in, fan_out))


def uniform(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return independent entries of U(−√3, √3), which has variance 1, (fan_in, fan_out)."""
    return generator.uniform(-math.sqrt(3), math.sqrt(3), (fan_in, fan_out))


def cut_deviation(cut: float) -> float:
    """Return the standard deviation of N(0, 1) cut at ±c: √(1 − 2c φ(c)/(2Φ(c) − 1)) (Johnson, Kotz & Balakrishnan)."""
    if cut < 0.01:  # there the difference cancels; two terms of its series
        return cut * math.sqrt((1 - 2 * cut * cut / 15) / 3)
    within = math.erf(cut / math.sqrt(2))
    return math.sqrt(1 - cut * math.sqrt(2 / math.pi) * math.exp(-cut * cut / 2) / within)


@lru_cache
def truncated(cut: float) -> Sample:
    """Return what draws independent N(0, 1) entries cut at ±cut, divided by their standard deviation."""

    def proposed(generator: np.random.Generator, count: int) -> tuple[Array, npt.NDArray[np.bool_]]:
        if cut < 1:
            drawn = generator.uniform(-cut, cut, count)
            return drawn, generator.random(count) > np.exp(-drawn * drawn / 2)
        normal = generator.standard_normal(count)
        return normal, np.abs(normal) > cut

    def sample(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        entries, rejected = proposed(generator, fan_in * fan_out)
        left = np.flatnonzero(rejected)
        while left.size:
            entries[left], rejected = proposed(generator, left.size)
            left = left[rejected]
        entries /= cut_deviation(cut)
        return entries.reshape(fan_in, fan_out)

    return sample


def haar_frame(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Return a Haar-distributed matrix whose shorter side is orthonormal, (fan_in, fan_out).

    QR of a Gaussian matrix, with the signs that make R's diagonal positive (Mezzadri 2007).
    """
    tall = (max(fan_in, fan_out), min(fan_in, fan_out))
    q, r = np.linalg.qr(generator.standard_normal(tall))
    frame: Array = q * np.copysign(1.0, np.diagonal(r))
    return frame if fan_in >= fan_out else frame.T


#: Where most frameworks cut, in standard deviations.
TWO = 2.0

#: n = fan_in, m = fan_out; where the variance is 1, the scale is the frame's own, or the user's.
INITIALIZERS: dict[str, Initializer] = {
    "xavier": Initializer(lambda n, m: 2 / (n + m), gaussian, "Glorot & Bengio 2010"),
    "xavier_uniform": Initializer(lambda n, m: 2 / (n + m), uniform, "Glorot & Bengio 2010"),
    "he": Initializer(lambda n, m: 2 / n, gaussian, "He et al. 2015"),
    "he_uniform": Initializer(lambda n, m: 2 / n, uniform, "He et al. 2015"),
    "lecun": Initializer(lambda n, m: 1 / n, gaussian, "LeCun et al. 1998"),
    "lecun_uniform": Initializer(lambda n, m: 1 / n, uniform, "LeCun et al. 1998"),
    "orthogonal": Initializer(lambda n, m: 1.0, haar_frame, "Saxe, McClelland & Ganguli 2014"),
    "torch_default": Initializer(lambda n, m: 1 / (3 * n), uniform, "torch.nn.Linear, weights and biases", biases=1.0),
    "normal": Initializer(lambda n, m: 1.0, gaussian, "the given standard deviation"),
    "uniform": Initializer(lambda n, m: 1.0, uniform, "the given standard deviation"),
    "xavier_truncated": Initializer(
        lambda n, m: 2 / (n + m), truncated(TWO), "glorot_normal of Keras and JAX: cut at two deviations, corrected"
    ),
    "he_truncated": Initializer(
        lambda n, m: 2 / n, truncated(TWO), "he_normal of Keras and JAX: cut at two deviations, corrected"
    ),
    "lecun_truncated": Initializer(
        lambda n, m: 1 / n, truncated(TWO), "lecun_normal of Keras, JAX and Flax: cut at two deviations, corrected"
    ),
    "haiku_default": Initializer(
        lambda n, m: cut_deviation(TWO) ** 2 / n, truncated(TWO), "haiku.Linear: N(0, 1/fan_in) cut, not corrected"
    ),
    "truncated_normal": Initializer(
        lambda n, m: cut_deviation(TWO) ** 2, truncated(TWO),
        "truncated_normal of Keras, JAX, Haiku: the given deviation is that before the cut at two of it",
    ),
    "trunc_normal": Initializer(
        lambda n, m: 1.0, gaussian, "torch.nn.init.trunc_normal_: the given deviation, cut at -2 and 2", limit=2.0
    ),
}  # fmt: skip


class Law(NamedTuple):
    """How the weights and biases of a network's layers are drawn."""

    init: str  # a key of ``INITIALIZERS``
    # multiplies the standard deviation: the gain, times the given standard deviation where there is one
    scale: float = 1.0
    bias_std: float = 0.0  # standard deviation of the normal biases; 0 leaves them to the initialisation
    # what multiplies the law where biases have it too; None for what the initialisation says
    biases: float | None = None
    fans: tuple[int, int] | None = None  # what counts as fan_in and fan_out; None for those of the matrix
    cut: float = math.inf  # deviations at which a normal law is cut, without a correction

    def weight(self, seed: int, layer: int, fan_in: int, fan_out: int, dtype: str = "float64") -> Array:
        """Draw the weights (fan_in, fan_out) of a layer; the same for a seed and layer, whatever the depth."""
        sample, std = self.sample, self.std(fan_in, fan_out)
        key = sample, seed, layer, fan_in, fan_out

        def scaled() -> Array:
            unit = shared(key, lambda: sample(random_stream(seed, WEIGHT_STREAM, layer), fan_in, fan_out))
            weight = np.multiply(unit, std, out=unit if unit.flags.writeable else None)
            return weight.astype(dtype, copy=False)

        return shared((*key, std, dtype), scaled, scaled=True)

    def std(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of the weights; of a frame what multiplies it."""
        std = self.scale * self._std_at_gain_1(fan_in, fan_out)
        return std if math.isinf(self.cut) else std * cut_deviation(self.cut)

    def bias_deviation(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of the biases of a layer."""
        if self.bias_std > 0:
            return self.bias_std
        factor = INITIALIZERS[self.init].biases if self.biases is None else self.biases
        return factor * self._std_at_gain_1(fan_in, fan_out) if factor else 0.0

    def _std_at_gain_1(self, fan_in: int, fan_out: int) -> float:
        return math.sqrt(INITIALIZERS[self.init].variance(*(self.fans or (fan_in, fan_out))))

    @property
    def sample(self) -> Sample:
        """What draws such a matrix with variance 1, or a frame."""
        return INITIALIZERS[self.init].sample if math.isinf(self.cut) else truncated(self.cut)

    @property
    def haar(self) -> bool:
        """Whether the weights are a Haar-distributed frame."""
        return INITIALIZERS[self.init].sample is haar_frame

    def bias(self, seed: int, layer: int, fan_in: int, fan_out: int, dtype: str = "float64") -> Array | None:
        """Draw the biases (fan_out,) of a layer; None if they are all zero."""
        if self.bias_std > 0:
            normal = random_stream(seed, BIAS_STREAM, layer).standard_normal(fan_out)
            return (normal * self.bias_std).astype(dtype, copy=False)
        bound = math.sqrt(3) * self.bias_deviation(fan_in, fan_out)
        if bound == 0:
            return None
        return random_stream(seed, BIAS_STREAM, layer).uniform(-bound, bound, fan_out).astype(dtype, copy=False)


def random_stream(seed: int, purpose: int, layer: int = 0) -> np.random.Generator:
    """Return the random numbers of one layer and purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, layer)))
