"""The activations: one table of functions that return φ(z) and φ'(z) together.

Both are accurate in the far tails, where 1 − φ or φ·(1 − φ) would round to zero: a saturated unit passes on
little, but not nothing.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.pieces import in_pieces
from gradcheck.engine.special import normal_cdf_and_density
from gradcheck.engine.types import Array

#: Bytes of a piece of which an activation's intermediate results stay in a cache; of smaller ones threads would wait
#: for each other more often.
CACHED_BYTES = 1 << 18

NEAR_ZERO = 0.125  # |z| below which tanh z isn't made from an exponential
NEXT_TO_ONE = math.exp(-2 * NEAR_ZERO)  # and where that exponential lies above
LEAK = 0.01  # slope of leaky_relu below zero: Maas, Hannun & Ng 2013
# λ and α for which mean 0 and variance 1 are a fixed point: Klambauer et al. 2017, eq. 14
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


class Activation(NamedTuple):
    """An elementwise function and what has to be known about it."""

    # z ↦ (φ(z), φ'(z)), each of the shape of z; at a kink the derivative that PyTorch takes
    evaluate: Callable[[Array], tuple[Array, Array]]
    steepest: float  # the largest |φ'|
    kinks: tuple[float, ...]  # where φ or one of its first two derivatives jumps
    source: str  # where it comes from

    def __call__(self, z: Array) -> tuple[Array, Array]:
        """Return φ(z) and φ'(z), of a large z piece by piece."""
        if z.nbytes <= CACHED_BYTES:
            return self.evaluate(z)
        flat = z.reshape(-1)
        value, slope = np.empty_like(flat), np.empty_like(flat)

        def evaluate(piece: slice) -> None:
            value[piece], slope[piece] = self.evaluate(flat[piece])

        in_pieces(flat.size, evaluate, CACHED_BYTES // flat.itemsize)
        return value.reshape(z.shape), slope.reshape(z.shape)


def linear(z: Array) -> tuple[Array, Array]:
    """Return z and 1."""
    return z, np.ones_like(z)


def step(z: Array) -> tuple[Array, Array]:
    """Return [z > 0] and 0: nothing passes backwards."""
    return (z > 0).astype(z.dtype), np.zeros_like(z)


def sigmoid(z: Array) -> tuple[Array, Array]:
    """Return σ(z) = 1/(1 + e⁻ᶻ) and σ(z)²·e⁻ᶻ; where σ(z) is no longer a normal number, the smallest that is."""
    decay = np.maximum(z, math.log(np.finfo(z.dtype).tiny))
    np.exp(np.negative(decay, out=decay), out=decay)  # e⁻ᶻ; in place: this is the engine's busiest function
    output: Array = decay + 1
    np.reciprocal(output, out=output)
    decay *= output
    decay *= output
    return output, decay


def tanh(z: Array) -> tuple[Array, Array]:
    """Return tanh z = (1 − d)/(1 + d) and 1/cosh² z = 4d/(1 + d)², with d = e^(−2|z|)."""
    decay = np.abs(z)
    decay *= -2
    np.exp(decay, out=decay)  # in place: a recurrent network does little else
    denominator: Array = decay + 1
    if z.dtype == np.float32:
        output = np.tanh(z)
    else:  # a third faster: NumPy's tanh takes longer than its exp
        output = 1 - decay
        output /= denominator
        np.copysign(output, z, out=output)
        flat = output.ravel("K")  # compact: a view, whose places are numbered as those of z
        small = np.flatnonzero(decay.ravel("K") > NEXT_TO_ONE)  # half the time of a mask
        flat[small] = _tanh_near_zero(z.ravel("K")[small])
    denominator *= denominator
    decay *= 4
    decay /= denominator
    return output, decay


def _tanh_near_zero(z: Array) -> Array:
    """Return tanh z, |z| < ``NEAR_ZERO``, where 1 − e^(−2|z|) has lost digits.

    The continued fraction z/(1 + z²/(3 + z²/(5 + z²/(7 + z²/9)))) of Lambert 1761, which leaves out 1e-16 of it.
    """
    square = z * z
    over = (square + 105) * square + 945
    under = (15 * square + 420) * square + 945
    near_zero: Array = z * over / under
    return near_zero


def hard_tanh(z: Array) -> tuple[Array, Array]:
    """Return z clipped to [−1, 1], and 1 inside."""
    return np.clip(z, -1, 1), (np.abs(z) < 1).astype(z.dtype)


def relu(z: Array) -> tuple[Array, Array]:
    """Return max(z, 0) and [z > 0]."""
    return np.maximum(z, 0), (z > 0).astype(z.dtype)


def leaky_relu(z: Array) -> tuple[Array, Array]:
    """Return max(z, LEAK·z) and its slope, 1 or LEAK."""
    return np.maximum(z, LEAK * z), np.where(z > 0, z.dtype.type(1), z.dtype.type(LEAK))


def elu(z: Array) -> tuple[Array, Array]:
    """Return z above zero, eᶻ − 1 below, and 1 or eᶻ."""
    below = np.minimum(z, 0)
    return np.where(z > 0, z, np.expm1(below)), np.exp(below)


def selu(z: Array) -> tuple[Array, Array]:
    """Return λz above zero, λα(eᶻ − 1) below, and λ or λαeᶻ."""
    below, scale = np.minimum(z, 0), z.dtype.type(SELU_SCALE * SELU_ALPHA)
    linear_part = z.dtype.type(SELU_SCALE)
    return (
        np.where(z > 0, linear_part * z, scale * np.expm1(below)),
        np.where(z > 0, linear_part, scale * np.exp(below)),
    )


def gelu(z: Array) -> tuple[Array, Array]:
    """Return z·Φ(z) and Φ(z) + z·Φ'(z), Φ the standard normal distribution (no tanh approximation)."""
    cdf, slope = normal_cdf_and_density(z)
    slope *= z
    slope += cdf
    cdf *= z
    return cdf, slope


def silu(z: Array) -> tuple[Array, Array]:
    """Return z·σ(z) and σ(z)·(1 + z·σ(−z))."""
    gate, gate_slope = sigmoid(z)
    return z * gate, gate + z * gate_slope


def softplus(z: Array) -> tuple[Array, Array]:
    """Return log(1 + eᶻ) and σ(z)."""
    gate, _ = sigmoid(z)
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))), gate


def mish(z: Array) -> tuple[Array, Array]:
    """Return z·tanh(softplus(z)) and its derivative."""
    soft, gate = softplus(z)
    squashed, slope = tanh(soft)
    return z * squashed, squashed + z * slope * gate


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(linear, 1.0, (), "identity"),
    "step": Activation(step, 0.0, (0.0,), "McCulloch & Pitts 1943"),
    "sigmoid": Activation(sigmoid, 0.25, (), "logistic function; Rumelhart, Hinton & Williams 1986"),
    "tanh": Activation(tanh, 1.0, (), "LeCun et al. 1998"),
    "hard_tanh": Activation(hard_tanh, 1.0, (-1.0, 1.0), "Collobert 2004"),
    "relu": Activation(relu, 1.0, (0.0,), "Nair & Hinton 2010"),
    "leaky_relu": Activation(leaky_relu, 1.0, (0.0,), "Maas, Hannun & Ng 2013; slope 0.01 below zero"),
    "elu": Activation(elu, 1.0, (0.0,), "Clevert, Unterthiner & Hochreiter 2016; α = 1"),
    "selu": Activation(selu, SELU_SCALE * SELU_ALPHA, (0.0,), "Klambauer et al. 2017"),
    "gelu": Activation(gelu, 1.1289041451851548, (), "Hendrycks & Gimpel 2016; exact, steepest at √2"),
    "silu": Activation(silu, 1.0998393201288669, (), "Elfwing, Uchibe & Doya 2018; swish: Ramachandran et al. 2017"),
    "softplus": Activation(softplus, 1.0, (), "Dugas et al. 2001"),
    "mish": Activation(mish, 1.0884981612517279, (), "Misra 2019"),
}  # fmt: skip
