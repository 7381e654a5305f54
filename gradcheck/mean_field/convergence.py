"""Where variance and correlation settle, and over how many layers."""

import math

from gradcheck.mean_field.kernels import Angular
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.roots import bracketed_root

#: The variance is followed up to here, times the largest that the weights can make of a bounded activation.
LARGEST = 1e12

#: And down to here, where only the map's rounding moves it.
SMALLEST = 1e-10

#: Step of the search: it may pass over two fixed points closer than this.
RATIO = 1.25

#: A rate this close to 1 is 1: closed forms and quadrature are right to 1e-14.
TOLERANCE = 1e-12

#: Two correlations this close are one.
ROUNDING = 5e-16


def fixed_variance(layer: LayerMap, start: float) -> float:
    """Return q*, the fixed point of the variance map that is reached from `start`; inf if there is none.

    The map rises with q, so that iterates move one way, to the first fixed point. The search goes the same way, by the
    map's own steps or by `RATIO`, the longer of both, and then between its last two points.
    """
    if layer.normalised:
        return layer.variance(layer.variance(layer.variance(start)))  # q moves φ's input by ε only
    if isinstance(layer.kernel, Angular):
        return _angular_fixed_variance(layer, start)

    def growth(q: float) -> float:
        return layer.variance(q) / q - 1

    rises, q = growth(start) > 0, start
    limit = LARGEST * max(1.0, layer.weight, layer.bias)
    at_zero = layer.variance(0.0)
    while SMALLEST < q < limit or (not rises and at_zero > 0):
        before = q
        q = max(layer.variance(q), RATIO * q) if rises else max(min(layer.variance(q), q / RATIO), at_zero)
        if (growth(q) > 0) != rises:
            return bracketed_root(growth, before, q)
        if q == at_zero:
            return q
    return math.inf if rises else 0.0


def _angular_fixed_variance(layer: LayerMap, start: float) -> float:
    """Return q* of a map that is a straight line, m·q + σ_b²."""
    rate = layer.gain(1.0)
    if abs(rate - 1) <= TOLERANCE:
        return start if layer.bias == 0 else math.inf
    return layer.bias / (1 - rate) if rate < 1 else math.inf


def fixed_correlation(layer: LayerMap, q: float) -> float:
    """Return c*, the correlation that two inputs' signals tend to, where the variance settles at 0 < q < ∞.

    The map is convex on [0, 1] and c = 1 is a fixed point (its powers of c have positive factors: Daniely et al. 2016).
    A slope of at most 1 there makes it the only one; else Newton's steps from 0 rise to the other and never beyond it,
    first on a lower bound of the map, which is convex too.
    """
    if layer.correlation(q, 1.0).rate <= 1 + TOLERANCE:
        return 1.0
    c = 0.0
    for image_of in (layer.quick_correlation, layer.correlation):
        image, rate = image_of(q, c)
        while image - c > ROUNDING and c < 1:
            c = min(c + (image - c) / (1 - rate), 1.0)
            image, rate = image_of(q, c)
    return c if c > ROUNDING else 0.0  # an odd activation's E[φ]² is a rounding error


def depth_scale(rate: float) -> float:
    """Return ξ, the layers in which a deviation that is multiplied by `rate` each layer falls by e: 1/|log rate|."""
    if rate <= 0:  # or what rounding leaves of 0
        return 0.0
    return 1 / abs(math.log(rate)) if abs(rate - 1) > TOLERANCE else math.inf
