"""The exponent with which a size follows width or depth: a line through logarithms."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

#: What stands for zero, which has no logarithm.
SMALLEST = 1e-300


class Slope(NamedTuple):
    """size ∝ scale**exponent.

    Attributes
    ----------
    exponent : float
        inf where a size is not finite.
    error : float
        Its standard error, from how seeds differ at the same scale; of one seed, from the distance to the line. nan
        where there is nothing to tell it from.
    """

    exponent: float
    error: float


def fit(points: Iterable[tuple[int, float]]) -> Slope:
    """Return the slope of log size against log scale by least squares.

    Parameters
    ----------
    points : iterable of (int, float)
        Scale and size of each network; at least two scales.
    """
    scales, sizes = (np.array(one, dtype=float) for one in zip(*points, strict=True))
    if not np.isfinite(sizes).all():
        return Slope(math.inf, math.nan)
    x, y = np.log(scales), np.log(np.maximum(sizes, SMALLEST))
    centred = x - x.mean()
    spread = float(np.square(centred).sum())
    exponent = float((centred * y).sum()) / spread
    known, group, counts = np.unique(scales, return_inverse=True, return_counts=True)
    if len(y) > len(known):
        residuals, freedom = y - (np.bincount(group, y) / counts)[group], len(y) - len(known)
    else:
        residuals, freedom = y - y.mean() - exponent * centred, len(y) - 2
    variance = float(np.square(residuals).sum()) / freedom if freedom else math.nan
    return Slope(exponent, math.sqrt(variance / spread))
