"""The normalisations: one table of blocks that centre and scale a pre-activation (batch, units)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.engine.types import Array, Block, Pullback

EPSILON = 1e-5  # added to the variance


class Norm(NamedTuple):
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


def _standardize(axis: int) -> Callable[[Array], tuple[Array, Pullback]]:
    """Return the block ẑ = (z − mean)/√(variance + ε) along an axis, with the biased variance.

    Its pullback takes from δ/s what lies along 1 and along ẑ: the two directions in which ẑ can't move.
    """

    def block(z: Array) -> tuple[Array, Pullback]:
        centred = z - z.mean(axis, keepdims=True)
        scale: Array = 1 / np.sqrt(np.square(centred).mean(axis, keepdims=True) + EPSILON)
        unit = centred * scale

        def pullback(delta: Array) -> Array:
            along = (delta * unit).mean(axis, keepdims=True)
            tangent: Array = (delta - delta.mean(axis, keepdims=True) - unit * along) * scale
            return tangent

        return unit, pullback

    return block


def rms(z: Array) -> tuple[Array, Pullback]:
    """Return z/√(mean z² + ε) over the units of each example."""
    scale = 1 / np.sqrt(np.square(z).mean(1, keepdims=True) + EPSILON)
    unit = z * scale
    return unit, lambda delta: (delta - unit * (delta * unit).mean(1, keepdims=True)) * scale


NORMS: dict[str, Norm] = {
    "none": Norm(none, "no normalisation"),
    "batch": Norm(_standardize(axis=0), "Ioffe & Szegedy 2015; training mode, statistics of the batch"),
    "layer": Norm(_standardize(axis=1), "Ba, Kiros & Hinton 2016"),
    "rms": Norm(rms, "Zhang & Sennrich 2019"),
}
