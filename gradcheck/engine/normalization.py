"""The normalisations: one table of blocks that centre and scale a pre-activation (batch, units)."""

from typing import NamedTuple

import numpy as np

from gradcheck.engine.magnitude import rescaled
from gradcheck.engine.types import Array, Block, Pullback

EPSILON = 1e-5  # added to the variance


class Normalization(NamedTuple):
    """A normalisation.

    Attributes
    ----------
    block : Block
        (batch, units) ↦ the normalised array, of the same shape, and its pullback.
    source : str
        Where it comes from.
    """

    block: Block
    source: str


def none(z: Array) -> tuple[Array, Pullback]:
    """Return z as it is."""
    return z, lambda delta: delta


def _tamed(z: Array) -> tuple[Array, float]:
    """Return z · 2**−k and 2**−k, where k > 0 keeps the squares of huge entries from overflowing."""
    mantissa, exponent = rescaled(z)
    return (mantissa, 2.0**-exponent) if exponent > 0 else (z, 1.0)


def _mean_product(a: Array, b: Array, axis: int) -> Array:
    """Return the mean of a·b along an axis, which is kept."""
    total: Array = np.einsum("ij,ij->j" if axis == 0 else "ij,ij->i", a, b)
    mean: Array = np.expand_dims(total / a.shape[axis], axis)
    return mean


def _standardize(axis: int) -> Block:
    """Return the block ẑ = (z − mean)/√(variance + ε) along an axis, with the biased variance.

    Its pullback takes from δ/s what lies along 1 and along ẑ: the two directions in which ẑ can't move.
    """

    def block(z: Array) -> tuple[Array, Pullback]:
        tame, factor = _tamed(z)
        unit = tame - tame.mean(axis, keepdims=True)
        scale: Array = 1 / np.sqrt(_mean_product(unit, unit, axis) + EPSILON * factor**2)
        unit *= scale

        def pullback(delta: Array) -> Array:
            tangent: Array = unit * -_mean_product(delta, unit, axis)
            tangent += delta
            tangent -= delta.mean(axis, keepdims=True)
            tangent *= scale * factor
            return tangent

        return unit, pullback

    return block


def rms(z: Array) -> tuple[Array, Pullback]:
    """Return z/√(mean z² + ε) over the units of each example."""
    tame, factor = _tamed(z)
    scale = 1 / np.sqrt(_mean_product(tame, tame, 1) + EPSILON * factor**2)
    unit = tame * scale

    def pullback(delta: Array) -> Array:
        tangent: Array = unit * -_mean_product(delta, unit, 1)
        tangent += delta
        tangent *= scale * factor
        return tangent

    return unit, pullback


NORMS: dict[str, Normalization] = {
    "none": Normalization(none, "no normalisation"),
    "batch": Normalization(_standardize(axis=0), "Ioffe & Szegedy 2015; training mode, statistics of the batch"),
    "layer": Normalization(_standardize(axis=1), "Ba, Kiros & Hinton 2016"),
    "rms": Normalization(rms, "Zhang & Sennrich 2019"),
}
