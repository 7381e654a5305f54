"""The whole network in a few numbers and facts."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.base.record import power_of_ten
from gradcheck.flow.gradient_flow import GradientFlow, PerLayer


class Summary(NamedTuple):
    """The whole network in a few numbers."""

    gradient_span: float  # decades between the strongest and the weakest layer's gradient; inf if one is exactly zero
    mean_local_gain: float  # geometric mean of the factors from layer to layer; of a transformer, from block to block
    effective_rank_last: float  # effective rank of the last hidden layer's outputs
    # decades between the strongest and the weakest layer's weight gradient, root mean squares of its entries; of a
    # transformer, among flow points of one kind. Steps of a recurrence share their weights and have none
    weight_gradient_span: float = math.nan
    # the smallest effective rank before the read-out: of all layers; of a transformer's stream after its blocks; of
    # a recurrence, whose first steps have seen little, that of the last step
    effective_rank_least: float = math.nan
    # by which part of what tells the examples apart the outputs change, as all weights and biases of the hidden layers
    # move at random by 1 % of the layer's weights; nan where it isn't known
    sensitivity: float = math.nan


class Region(NamedTuple):
    """Neighbouring layers with the same flag, counted from 1."""

    flag: str
    first_layer: int
    last_layer: int
    worst_layer: int
    log10_worst_ratio: float


def summarize(flow: GradientFlow) -> Summary:
    """Return the whole network in a few numbers; nan where the flow has none."""
    gradient = flow.column("log10_gradient_rms")
    reached = gradient[: flow.reached]
    if not reached.size or np.isnan(reached).any():
        return Summary(math.nan, math.nan, math.nan)
    if reached.max() == -math.inf:  # nothing passes back at all
        return Summary(math.inf, math.nan, flow.layers[-1].effective_rank, math.inf, narrowest(flow)[1])
    compared = gradient[widest_group(flow)]
    steps = max(1, len(compared) - 1) / max(1, len(flow.points))
    several = len(compared) > 1 and compared[-1] > -math.inf
    gain = power_of_ten(float(compared[0] - compared[-1]) / steps) if several else math.nan
    rank, turned = flow.layers[-1].effective_rank, flow.log10_sensitivity
    sensitivity = math.nan if math.isnan(turned) else power_of_ten(turned - 2)
    return Summary(_range(compared), gain, rank, _weight_gradient_span(flow), narrowest(flow)[1], sensitivity)


def widest_group(flow: GradientFlow) -> npt.NDArray[np.intp]:
    """Return the layers, from 0, among which the strongest and the weakest gradient lie furthest apart."""
    gradient = flow.column("log10_gradient_rms")
    return max(flow.groups, key=lambda group: _range(gradient[group]))


def _weight_gradient_span(flow: GradientFlow) -> float:
    """Return the decades between layers' weight gradients, per entry, of points of one kind; nan without any."""
    sizes = np.log10(flow.fan_in) + np.log10(flow.fan_out)
    entries = flow.column("log10_weight_gradient_norm") - 0.5 * sizes
    spans = [_range(entries[group]) for group in flow.weight_groups]
    known = [span for span in spans if not math.isnan(span)]
    return max(known, default=math.nan)


def _range(logarithms: PerLayer) -> float:
    """Return largest minus smallest, nan for none; an exact zero is infinitely far from anything."""
    known = logarithms[~np.isnan(logarithms)]
    if not known.size:
        return math.nan
    if known.min() == -math.inf:
        return math.inf
    return float(known.max() - known.min()) if math.isfinite(known.max()) else math.nan


def narrowest(flow: GradientFlow) -> tuple[int, float]:
    """Return the layer (from 1) that all of the signal goes through whose effective rank is least, and that rank.

    The rank is nan for a batch of one, and where the signal doesn't arrive.
    """
    ranks = flow.column("effective_rank")
    known = flow.carriers & ~np.isnan(ranks)
    if flow.obstacle or not known.any():
        return len(ranks), math.nan
    layer = int(np.where(known, ranks, np.inf).argmin())
    return layer + 1, float(ranks[layer])


def possible_rank(flow: GradientFlow) -> float:
    """Return the largest rank that batch, inputs and narrowest layer allow: centring takes one example away.

    After inputs of one number the examples lie on a curve, whose rank is not above 1 by much in a healthy network.
    """
    widths = np.array(flow.fan_out)[flow.carriers]
    return min(flow.rows - 1, flow.features, *(widths.tolist() or flow.fan_out))


def gradient_shrinks(flow: GradientFlow) -> bool:
    """The gradient's weakest layer lies nearer to the input than its strongest."""
    gradient = flow.column("log10_gradient_rms")[widest_group(flow)]
    return bool(gradient.argmin() <= gradient.argmax())


def dead_layers(flow: GradientFlow) -> list[int]:
    """Layers (from 1) in which every unit is dead, so that nothing passes back through them."""
    return (np.flatnonzero(flow.column("dead_fraction") == 1) + 1).tolist()
