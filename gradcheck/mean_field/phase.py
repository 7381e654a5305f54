"""Order and chaos: where a layer leaves the gradient's size as it is."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.types import Array
from gradcheck.mean_field.convergence import TOLERANCE
from gradcheck.mean_field.kernels import Angular, Kernel
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.roots import bracketed_root

#: A gain this close to 1 is critical: in 10,000 layers the gradient changes by 0.2 decades.
CRITICAL = 1e-4

#: Variances among which a critical one is looked for.
VARIANCES = 10.0 ** np.arange(-6, 7, 0.25)

#: And those from which the phase diagram is read.
TABLE = 10.0 ** np.arange(-9, 9.01, 0.05)

#: A variance close to zero, where it is checked whether it settles there.
SMALL = 1e-3


class Critical(NamedTuple):
    """A point of the critical line: σ_w, and q* there (inf where the variance grows without bound)."""

    weight_std: float
    q: float


def phase_of(gain: float) -> str:
    """Return ``ordered``, ``critical`` or ``chaotic`` for χ₁."""
    if abs(gain - 1) <= CRITICAL:
        return "critical"
    return "ordered" if gain < 1 else "chaotic"


def critical_point(kernel: Kernel, bias: float) -> Critical | None:
    """Return the σ_w with χ₁ = 1 at a given σ_b², without a norm; None if there is none.

    χ₁ = 1 at q gives σ_w² = 1/E[φ'²], and a fixed point there σ_b² = q − E[φ²]/E[φ'²] (Hayou et al. 2019): a line
    along q. A network goes there only if the variance returns to q, dq'/dq < 1.
    """
    if isinstance(kernel, Angular):
        return Critical(1 / math.sqrt(kernel.far_slope_square), 0.0 if bias == 0 else math.inf)
    if kernel.far_slope_square == kernel.moments(1.0).slope_square == 0:
        return None
    if bias == 0 == kernel.moments(0.0).mean and _settles(kernel, SMALL):
        return Critical(1 / math.sqrt(kernel.moments(0.0).slope_square), 0.0)

    def excess(q: float) -> float:
        moments = kernel.moments(q)
        return q - moments.square / moments.slope_square - bias

    for low, high in pairwise(VARIANCES.tolist()):
        if (excess(low) > 0) != (excess(high) > 0):
            q = bracketed_root(excess, low, high)
            if _settles(kernel, q):
                return Critical(1 / math.sqrt(kernel.moments(q).slope_square), q)
    return None


def _settles(kernel: Kernel, q: float) -> bool:
    """Whether the variance returns to q where χ₁ = 1 there."""
    moments = kernel.moments(q)
    return moments.square_rate <= moments.slope_square * (1 + TOLERANCE)


def critical_weight(layer: LayerMap) -> float | None:
    """Return the σ_w² with χ₁ = 1 after a layer or RMS norm: σ_w² (E[φ'²] − E[φ²]) = σ_b², as φ sees variance 1."""
    moments = layer.kernel.moments(1.0)
    excess = moments.slope_square - moments.square
    return layer.bias / excess if excess > 0 and layer.bias > 0 else None


def log_gains(layer: LayerMap, weights: Array, biases: Array, start: float = 1.0) -> Array:
    """Return log χ₁ at q* for each σ_w (columns) and σ_b (rows): the phase diagram, (rows, columns).

    One table of E[φ²] and E[φ'²] along q serves all points: q* is where σ_w² E[φ²] + σ_b² first crosses q from
    σ_w² · start + σ_b², interpolated between the table's entries.
    """
    table = [layer.kernel.moments(1.0 if layer.normalised else q) for q in TABLE.tolist()]
    square, slope = np.array([(one.square, one.slope_square) for one in table]).T
    if layer.normalised:
        slope = slope / TABLE
    weight, bias = np.square(weights), np.square(biases)[:, None]
    growth = (weight * square[:, None, None] + bias) / TABLE[:, None, None] - 1  # (q, rows, columns)
    first = np.searchsorted(TABLE, np.clip(weight * start + bias, TABLE[0], TABLE[-1]))
    at = _first_crossings(growth, np.minimum(first, len(TABLE) - 1))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weight * np.interp(at, np.arange(len(TABLE)), slope)))


def _first_crossings(growth: Array, first: npt.NDArray[np.intp]) -> Array:
    """Return the place, between entries, where growth (q, …) first changes its sign: upwards from `first` where it is
    positive there, else downwards; the table's end where it never does.
    """
    index = np.arange(len(growth)).reshape(-1, *[1] * first.ndim)
    rises = np.take_along_axis(growth, first[None], 0)[0] > 0
    above = np.where((growth <= 0) & (index > first), index, len(growth) - 1).min(0)
    below = np.where((growth > 0) & (index < first), index, 0).max(0)
    high = np.where(rises, above, np.minimum(below + 1, len(growth) - 1))
    low = np.maximum(high - 1, 0)
    at_low, at_high = (np.take_along_axis(growth, one[None], 0)[0] for one in (low, high))
    crosses = (at_low > 0) & (at_high <= 0)
    share = np.where(crosses, at_low / np.where(crosses, at_low - at_high, 1), np.where(rises, 1.0, 0.0))
    return np.asarray(low + share)
