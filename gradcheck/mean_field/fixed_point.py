"""What a deep stack of equal layers tends to: fixed points, depth scales and phase, and why one of them is missing."""

import math
from typing import NamedTuple

from gradcheck.mean_field.convergence import depth_scale, fixed_correlation, fixed_variance
from gradcheck.mean_field.kernels import Angular, StepKernel
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.phase import critical_point, critical_weight, phase_of
from gradcheck.mean_field.unknown import Unknown

#: After so many ξ_c no relation between inputs is left to learn from: Schoenholz et al. 2017, section 5.
TRAINABLE_DEPTHS = 6


class FixedPoint(NamedTuple):
    """What the layers tend to; None is explained in `reasons`, infinity by ``unknown.ENDLESS``."""

    # ``ordered``: nearby inputs converge and gradients vanish; ``chaotic``: they diverge and gradients explode;
    # ``critical``: neither
    phase: str
    chi: float  # χ₁, a layer's factor of the squared gradient
    # variance, correlation: q*, c*
    variance: float | None
    correlation: float | None
    correlation_rate: float | None  # dc'/dc at c*
    # variance_depth, correlation_depth, gradient_depth: ξ_q, ξ_c, ξ_∇ in layers
    variance_depth: float | None
    correlation_depth: float | None
    gradient_depth: float
    critical_sigma_w: float | None  # the σ_w with χ₁ = 1 at this σ_b
    reasons: dict[str, Unknown]  # name ↦ why it is None
    notes: tuple[str, ...] = ()  # what a number assumes

    @property
    def deepest_trainable(self) -> float | None:
        """6 ξ_c, None where there is no ξ_c; 0 where nothing passes backwards."""
        if self.chi == 0:
            return 0.0
        return None if self.correlation_depth is None else TRAINABLE_DEPTHS * self.correlation_depth


def find_fixed_point(layer: LayerMap, start: float) -> FixedPoint:
    """Return what layers tend to if the pre-activations of the first have mean square `start`."""
    q = fixed_variance(layer, start)
    found = _critical(layer)
    critical, because = (None, {"critical_sigma_w": found}) if isinstance(found, Unknown) else (found, {})
    if 0 < q < math.inf:
        return _settled(layer, q, critical, because)
    chi = layer.gain(q) if q == 0 else layer.far_gain()
    scale = depth_scale(chi)
    if q == 0:
        because |= dict.fromkeys(("correlation", "correlation_rate"), Unknown("dies_out"))
        note = "ξ_c is that of small biases: without biases the signal dies before correlations change"
        rate = depth_scale(layer.variance_rate(0.0))
        return FixedPoint(phase_of(chi), chi, 0.0, None, None, rate, scale, scale, critical, because, (note,))
    absent = ("variance", "correlation", "correlation_rate", "variance_depth", "correlation_depth")
    because |= dict.fromkeys(absent, Unknown("unbounded")) | {"deepest_trainable": Unknown("unbounded_depth")}
    note = "χ₁ is its limit as the variance grows"
    return FixedPoint(phase_of(chi), chi, None, None, None, None, None, scale, critical, because, (note,))


def _settled(layer: LayerMap, q: float, critical: float | None, because: dict[str, Unknown]) -> FixedPoint:
    """Return what layers tend to if their variance settles at q."""
    chi, c = layer.gain(q), fixed_correlation(layer, q)
    rate, at_one = layer.correlation(q, c).rate, layer.correlation(q, 1.0).rate
    scales = depth_scale(layer.variance_rate(q)), depth_scale(rate), depth_scale(chi)
    return FixedPoint(phase_of(at_one), chi, q, c, rate, *scales, critical, because)


def _critical(layer: LayerMap) -> float | Unknown:
    """Return the critical σ_w, or why there is none."""
    if isinstance(layer.kernel, StepKernel):
        return Unknown("flat_at_any_scale")
    if layer.normalised:
        weight = critical_weight(layer)
        return math.sqrt(weight) if weight else Unknown("norm_without_biases" if layer.bias == 0 else "norm")
    point = critical_point(layer.kernel, layer.bias)
    return Unknown("no_crossing") if point is None else point.weight_std


def batch_norm_fixed_point(layer: LayerMap, batch: int | None) -> FixedPoint:
    """Return what layers with batch norm tend to, linear or ReLU ones (Yang et al. 2019).

    χ is E[φ'²]/Var φ for a large batch, π/(π − 1) of ReLU; (B − 2)/(B − 3) of a linear layer.
    """
    assert isinstance(layer.kernel, Angular)
    moments = layer.kernel.moments(1.0)
    chi = moments.slope_square / (moments.square - moments.mean**2)
    if layer.kernel.left == 1 and batch is not None:
        chi *= (batch - 2) / (batch - 3)
    absent = ("correlation", "correlation_rate", "variance_depth", "correlation_depth")
    because = dict.fromkeys(absent, Unknown("batch_norm")) | {
        "deepest_trainable": Unknown("batch_norm_depth"),
        "critical_sigma_w": Unknown("batch_norm_scale"),
    }
    q = layer.weight * moments.square + layer.bias
    return FixedPoint(phase_of(chi), chi, q, None, None, None, None, depth_scale(chi), None, because)
