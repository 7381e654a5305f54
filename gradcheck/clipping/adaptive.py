"""The rules that learn their limit of the global norm from the norms they have seen: a norm ↦ its limit, or None."""

import math
from bisect import insort
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from gradcheck.spec.clip_rules import PERCENT, Rule

#: Added to the norm in the global rule's denominator, by PyTorch's ``clip_grad_norm_``.
NORM_EPSILON = 1e-6

#: Running mean and deviation of the z-score rule: decay, and steps that are only watched (Kumar et al. 2025).
DECAY, WATCHED = 0.97, 25
Z_EPSILON = 1e-6  # added to the deviation in the z-score, as in its authors' implementation

Numbers = npt.NDArray[np.float64]

#: A norm, to be remembered ↦ the limit that it is clipped to; None for none.
LimitOf = Callable[[float], float | None]


def percentile(percent: float) -> LimitOf:
    """The p-th percentile of the norms seen, this one among them."""
    seen: list[float] = []  # sorted

    def limit_of(norm: float) -> float | None:
        if math.isfinite(norm):
            insort(seen, norm)
        return _interpolated(seen, percent) if seen else None

    return limit_of


def _interpolated(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted numbers, linear between neighbours."""
    place = percent / PERCENT * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def zscore(highest: float) -> LimitOf:
    """Of a norm whose z-score is above z*: μ + (z*²/z)·σ, of a running μ and σ."""
    watched: list[float] = []
    running: list[float] = []  # μ, σ

    def limit_of(norm: float) -> float | None:
        if not running:
            if math.isfinite(norm):
                watched.append(norm)
            if len(watched) == WATCHED:
                running[:] = _mean_and_deviation(watched)
            return None
        mean, deviation = running
        score = (norm - mean) / (deviation + Z_EPSILON)
        allowed = mean + highest * (highest / score) * deviation if score > highest else norm
        mean = DECAY * mean + (1 - DECAY) * allowed
        running[:] = mean, math.hypot(math.sqrt(DECAY) * deviation, math.sqrt(1 - DECAY) * (allowed - mean))
        return allowed if score > highest else None

    return limit_of


def _mean_and_deviation(norms: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation, right for norms whose squares or sum overflow."""
    mean = math.fsum(norm / len(norms) for norm in norms)
    root = math.sqrt(len(norms))
    return mean, math.hypot(*((norm - mean) / root for norm in norms))


#: By name: a threshold ↦ a rule that has seen nothing yet.
ADAPTIVE_RULES: dict[str, Callable[[float], LimitOf]] = {"percentile": percentile, "zscore": zscore}


def replayed(rule: Rule, norms: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_], Numbers]:
    """Return what an adaptive rule does with gradients of these finite norms, one after the other.

    The limits, nan where there is none; which norms are above theirs; the part that is left of each gradient.
    """
    assert rule.threshold is not None
    limit_of = ADAPTIVE_RULES[rule.name](rule.threshold)
    limits = np.array([math.nan if (limit := limit_of(norm)) is None else limit for norm in norms.tolist()])
    return limits, norms > limits, np.fmin(1.0, limits / (norms + NORM_EPSILON))
