"""What a deep stack of equal layers comes to: its fixed points, depth scales and phase, and why one of them is none."""

import math
from typing import NamedTuple

from gradcheck.mean_field.convergence import depth_scale, fixed_correlation, fixed_variance
from gradcheck.mean_field.kernels import Angular, Step
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.phase import critical_point, critical_weight, phase_of

#: Networks deeper than so many ξ_c don't train: Schoenholz et al. 2017, section 5.
TRAINABLE_DEPTHS = 6

ENDLESS = "infinite: at a factor of 1 a layer nothing fades"
UNBOUNDED = "the variance grows without bound"
DIES_OUT = "the signal dies out"


class Rest(NamedTuple):
    """What the layers come to; None is explained in `reasons`, infinity by ``ENDLESS``.

    Attributes
    ----------
    phase : str
        ``ordered``: neighbouring inputs come together and gradients vanish; ``chaotic``: they part, and gradients
        explode; ``critical``: neither.
    chi : float
        χ₁, a layer's factor of the squared gradient.
    variance, correlation : float or None
        q*, c*.
    correlation_rate : float or None
        dc'/dc at c*.
    variance_depth, correlation_depth, gradient_depth : float or None
        ξ_q, ξ_c, ξ_∇ in layers.
    critical_sigma_w : float or None
        The σ_w with χ₁ = 1 at this σ_b.
    reasons : dict
        Name ↦ why it is None.
    notes : tuple of str
        What a number takes for granted.
    """

    phase: str
    chi: float
    variance: float | None
    correlation: float | None
    correlation_rate: float | None
    variance_depth: float | None
    correlation_depth: float | None
    gradient_depth: float
    critical_sigma_w: float | None
    reasons: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def deepest_trainable(self) -> float | None:
        """6 ξ_c, None where there is no ξ_c; 0 where nothing passes backwards."""
        if self.chi == 0:
            return 0.0
        return None if self.correlation_depth is None else TRAINABLE_DEPTHS * self.correlation_depth


def rest(layer: LayerMap, start: float) -> Rest:
    """Return what layers come to whose first has pre-activations of mean square `start`."""
    q = fixed_variance(layer, start)
    critical, reason = _critical(layer)
    because = {} if critical else {"critical_sigma_w": reason}
    if 0 < q < math.inf:
        return _settled(layer, q, critical, because)
    chi = layer.gain(q) if q == 0 else layer.far_gain()
    scale = depth_scale(chi)
    if q == 0:
        because |= dict.fromkeys(("correlation", "correlation_rate"), f"{DIES_OUT}: nothing is left to correlate")
        note = "xi_c is that of small biases: without any the signal dies before correlations change"
        rate = depth_scale(layer.variance_rate(0.0))
        return Rest(phase_of(chi), chi, 0.0, None, None, rate, scale, scale, critical, because, (note,))
    absent = ("variance", "correlation", "correlation_rate", "variance_depth", "correlation_depth")
    because |= dict.fromkeys(absent, UNBOUNDED) | {"deepest_trainable": f"it is told by xi_c, but {UNBOUNDED}"}
    note = "chi is what it comes to as the variance grows"
    return Rest(phase_of(chi), chi, None, None, None, None, None, scale, critical, because, (note,))


def _settled(layer: LayerMap, q: float, critical: float | None, because: dict[str, str]) -> Rest:
    """Return what layers come to whose variance rests at q."""
    chi, c = layer.gain(q), fixed_correlation(layer, q)
    rate, at_one = layer.correlation(q, c).rate, layer.correlation(q, 1.0).rate
    scales = depth_scale(layer.variance_rate(q)), depth_scale(rate), depth_scale(chi)
    return Rest(phase_of(at_one), chi, q, c, rate, *scales, critical, because)


def _critical(layer: LayerMap) -> tuple[float | None, str]:
    """Return the critical σ_w, or None and why there is none."""
    if isinstance(layer.kernel, Step):
        return None, "the derivative of step is 0 at any weight scale"
    if layer.normalised:
        weight = critical_weight(layer)
        reason = "behind a norm without biases chi is the same at any weight scale" if layer.bias == 0 else (
            "behind a norm chi stays below 1 at any weight scale"
        )  # fmt: skip
        return weight and math.sqrt(weight), reason
    point = critical_point(layer.kernel, layer.bias)
    if point is not None:
        return point.weight_std, ""
    return None, "below some weight scale the variance rests where chi is below 1, above it grows without bound"


def batch_norm_rest(layer: LayerMap, batch: int | None) -> Rest:
    """Return what layers with batch norm come to, linear or ReLU ones (Yang et al. 2019).

    χ is E[φ'²]/Var φ for a large batch, π/(π − 1) of ReLU; (B − 2)/(B − 3) of a linear layer.
    """
    assert isinstance(layer.kernel, Angular)
    moments = layer.kernel.moments(1.0)
    chi = moments.slope_square / (moments.square - moments.mean**2)
    if layer.kernel.left == 1 and batch is not None:
        chi *= (batch - 2) / (batch - 3)
    because = dict.fromkeys(
        ("correlation", "correlation_rate", "variance_depth", "correlation_depth"),
        "of batch norm only the gradient's rate is published",
    ) | {
        "deepest_trainable": "it is told by xi_c, and of batch norm only the gradient's rate is published",
        "critical_sigma_w": "batch norm undoes the weight scale: chi is the same at any",
    }
    q = layer.weight * moments.square + layer.bias
    return Rest(phase_of(chi), chi, q, None, None, None, None, depth_scale(chi), None, because)
