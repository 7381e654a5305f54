"""The exponent with which a size follows width or depth: a line through logarithms."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: Networks of one width differ by this part at least in what is measured: if a few seeds look more alike it is luck.
SCATTER = 0.1

#: Standard errors of a 95 % interval where the error is known, and where it is estimated with 1, 2, … degrees of
#: freedom (Student's t).
KNOWN, ESTIMATED = 2.0, (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)


class Point(NamedTuple):
    """The size of something in one network."""

    scale: int
    seed: int
    size: float


class Slope(NamedTuple):
    """size ∝ scale**exponent."""

    # inf where a size is not finite; nan where some are zero, which has no logarithm, and others are not
    exponent: float
    # its standard error, from how the seeds' lines differ; of one seed, from the distances to the line. nan where
    # nothing tells it
    error: float
    margin: float = 0.0  # half of its 95 % interval

    def beyond(self, limit: float) -> bool:
        """Whether all of the exponent's interval is above a limit."""
        return self.exponent - self.margin > limit

    @property
    def reversed(self) -> "Slope":
        """The slope against 1/scale."""
        return Slope(-self.exponent, self.error, self.margin)


def least_error(scales: Sequence[int], seeds: int) -> float:
    """Return the standard error of a slope where the networks of one scale differ by no more than ``SCATTER``."""
    x = np.log(scales)
    return SCATTER / math.sqrt(seeds * float(np.square(x - x.mean()).sum()))


def fit(points: Sequence[Point]) -> Slope:
    """Return the slope of log size against log scale by least squares.

    Parameters
    ----------
    points : sequence of Point
        Each seed at each scale, of which there are two at least.

    Notes
    -----
    Seeds have other batches, so that one's sizes may all be larger than another's: that is no error of the slope. What
    is left after the means of each seed and of each scale is (analysis of variance with two factors).
    """
    sizes = np.array([one.size for one in sorted(points)], dtype=float)
    scales = sorted({one.scale for one in points})
    if not np.isfinite(sizes).all():
        return Slope(math.inf, math.nan)
    if not sizes.all():
        return Slope(math.nan if sizes.any() else 0.0, math.nan)
    x = np.log(scales) - np.log(scales).mean()
    y = np.log(sizes).reshape(len(scales), -1)
    seeds, spread = y.shape[1], float(np.square(x).sum())
    exponent = float(x @ y.mean(1)) / spread
    if seeds > 1:
        left, freedom = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean(), (seeds - 1) * (len(scales) - 1)
    else:
        left, freedom = y - y.mean() - exponent * x[:, None], len(scales) - 2
    least = least_error(scales, seeds)
    if not freedom:
        return Slope(exponent, math.nan, KNOWN * least)
    error = math.sqrt(float(np.square(left).sum()) / freedom / (spread * seeds))
    errors = ESTIMATED[freedom - 1] if freedom <= len(ESTIMATED) else KNOWN
    return Slope(exponent, max(error, least), max(errors * error, KNOWN * least))
