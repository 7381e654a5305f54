"""What stands out in a flow: the whole network in a few numbers and facts."""

import math
from typing import NamedTuple

import numpy as np

from gradcheck.flow import GradientFlow


class Summary(NamedTuple):
    """The whole network in three numbers.

    Attributes
    ----------
    gradient_span : float
        Decades between the strongest and the weakest layer's gradient; inf if one is exactly zero.
    mean_local_gain : float
        Geometric mean of the factors from layer to layer; of a transformer, from block to block.
    effective_rank_last : float
        Effective rank of the last hidden layer's outputs.
    """

    gradient_span: float
    mean_local_gain: float
    effective_rank_last: float


class Region(NamedTuple):
    """Neighbouring layers with the same flag, counted from 1."""

    flag: str
    first_layer: int
    last_layer: int
    worst_layer: int
    log10_worst_ratio: float


def summarize(flow: GradientFlow) -> Summary:
    """Return the whole network in three numbers; nan where the flow has none."""
    reached = flow.column("log10_gradient_rms")[: flow.reached]
    if not reached.size or np.isnan(reached).any():
        return Summary(math.nan, math.nan, math.nan)
    if reached.max() == -math.inf:  # nothing passes back at all
        return Summary(math.inf, math.nan, flow.layers[-1].effective_rank)
    steps = max(1, len(reached) - 1) / max(1, len(flow.points))
    gain = (
        _power_of_ten((reached[0] - reached[-1]) / steps) if len(reached) > 1 and reached[-1] > -math.inf else math.nan
    )
    return Summary(float(reached.max() - reached.min()), float(gain), flow.layers[-1].effective_rank)


def _power_of_ten(logarithm: float) -> float:
    return 10.0 ** float(logarithm) if logarithm < 308.25 else math.inf


def gradient_shrinks(flow: GradientFlow) -> bool:
    """The gradient's weakest layer lies nearer to the input than its strongest."""
    gradient = flow.column("log10_gradient_rms")[: flow.reached]
    return bool(gradient.argmin() <= gradient.argmax())


def dead_layers(flow: GradientFlow) -> list[int]:
    """Layers (from 1) in which every unit is dead, so that nothing passes back through them."""
    return (np.flatnonzero(flow.column("dead_fraction") == 1) + 1).tolist()
