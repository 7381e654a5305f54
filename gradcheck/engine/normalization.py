"""The normalisations: one table of blocks that centre and scale a pre-activation (batch, units)."""

from typing import NamedTuple

import numpy as np

from gradcheck.engine.magnitude import rescaled
from gradcheck.engine.types import Array, Block, Pullback

EPSILON = 1e-5  # added to the variance


class Normalization(NamedTuple):
    """A normalisation."""

    block: Block  # (batch, units) ↦ the normalised array, of the same shape, and its pullback
    source: str  # where it comes from


def none(z: Array) -> tuple[Array, Pullback]:
    """Return z as it is."""
    return z, lambda delta: delta


def _tamed(z: Array) -> tuple[Array, float]:
    """Return z · 2**−k and 2**−k, where k > 0 keeps the squares of huge entries from overflowing."""
    mantissa, exponent = rescaled(z)
    return (mantissa, 2.0**-exponent) if exponent > 0 else (z, 1.0)


def _mean(array: Array, axis: int) -> Array:
    """Return the means along an axis, which stays; NumPy's own takes twice as long for a small batch."""
    total: Array = np.add.reduce(array, axis, keepdims=True)
    total /= array.shape[axis]
    return total


def _standardize(axis: int) -> Block:
    """Return the block ẑ = (z − mean)/√(variance + ε) along an axis, with the biased variance.

    Its pullback takes from δ/s what lies along 1 and along ẑ: the two directions in which ẑ can't move.
    """

    def block(z: Array) -> tuple[Array, Pullback]:
        tame, factor = _tamed(z)
        unit = tame - _mean(tame, axis)  # in place from here on: temporary arrays cost as much as what is computed
        scale: Array = 1 / np.sqrt(_mean(np.square(unit), axis) + EPSILON * factor**2)
        unit *= scale

        def pullback(delta: Array) -> Array:
            product = delta * unit
            along = _mean(product, axis)
            tangent = delta - _mean(delta, axis)
            tangent -= np.multiply(unit, along, out=product)
            tangent *= scale * factor
            return tangent

        return unit, pullback

    return block


def rms(z: Array) -> tuple[Array, Pullback]:
    """Return z/√(mean z² + ε) over the units of each example."""
    tame, factor = _tamed(z)
    scale = 1 / np.sqrt(np.square(tame).mean(1, keepdims=True) + EPSILON * factor**2)
    unit = tame * scale
    return unit, lambda delta: (delta - unit * (delta * unit).mean(1, keepdims=True)) * (scale * factor)


NORMS: dict[str, Normalization] = {
    "none": Normalization(none, "no normalisation"),
    "batch": Normalization(_standardize(axis=0), "Ioffe & Szegedy 2015; training mode, statistics of the batch"),
    "layer": Normalization(_standardize(axis=1), "Ba, Kiros & Hinton 2016"),
    "rms": Normalization(rms, "Zhang & Sennrich 2019"),
}
