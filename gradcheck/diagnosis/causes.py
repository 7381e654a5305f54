"""What decided a verdict: codes and numbers, the weightiest first."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.base.record import power_in_range
from gradcheck.diagnosis.score import OUTPUT_DECADES, excess_output
from gradcheck.diagnosis.summary import (
    Region,
    Summary,
    dead_layers,
    gradient_shrinks,
    narrowest,
    possible_rank,
    widest_group,
)
from gradcheck.flow.gradient_flow import GradientFlow
from gradcheck.spec.thresholds import Thresholds

#: Two examples differ along one line, and so do all after a layer of one unit: a rank of 1 says nothing there.
LEAST_POSSIBLE = 2

#: A network is sensitive where the outputs change by more than tells the examples apart, as all weights move by 1 %.
SENSITIVE = 1.0

#: More regions of a kind than this are reported as one cause.
NAMED_REGIONS = 3

#: What is said only where it went well.
PASSED = frozenset({
    "trial-learns", "still-trains", "outputs-apart", "healthy-since", "nothing-to-learn", "no-underflow", "format-fits",
})  # fmt: skip


class Cause(NamedTuple):
    """One thing that decided."""

    code: str  # a key of ``gradcheck.diagnosis.sentences.codes.CODES``, which has its meaning and its sentence
    layers: tuple[int, int] | None = None  # (int, int): The first and the last layer concerned, from 1
    # the number that decided, and what it was compared with
    value: float | None = None
    limit: float | None = None
    details: Mapping[str, Any] = MappingProxyType({})  # what else the sentence depends on

    @property
    def passed(self) -> bool:
        """Whether it is a check that went well: nothing that speaks against the network, and no remark."""
        if self.value is None or self.limit is None:
            return self.code in PASSED
        return {"span": self.value <= self.limit, "rank": self.value >= self.limit}.get(self.code, self.code in PASSED)


def causes(flow: GradientFlow, summary: Summary, limits: Thresholds, regions: Iterable[Region]) -> Iterator[Cause]:
    """Yield what decided, each with its number and its limit, the weightiest first."""
    yield from _forward(flow)
    yield from _dead(flow)
    yield from _regions(regions, limits)
    span, rank = _span(flow, summary, limits), _rank(flow, summary, limits)
    rest = chain(_weights(summary, limits), _output(flow))
    if not summary.gradient_span <= limits.max_span:
        yield from chain(span, rank, rest)
    elif collapsed(flow, summary, limits):
        yield from chain(rank, span, rest)
    else:
        yield from chain(rest, span, rank)
        if summary.sensitivity > SENSITIVE:
            yield Cause("sensitivity", None, summary.sensitivity, SENSITIVE)


def collapsed(flow: GradientFlow, summary: Summary, limits: Thresholds) -> bool:
    """Whether the examples' differences are gone, where the batch and the widths allow any."""
    return summary.effective_rank_least < limits.min_rank and possible_rank(flow) >= LEAST_POSSIBLE


def _forward(flow: GradientFlow) -> Iterator[Cause]:
    """The forward signal overflows, or underflows to nothing."""
    if flow.obstacle:
        first = flow.reached + 1
        yield Cause(f"forward-{flow.obstacle}", (first, first) if first <= len(flow.layers) else None)
        if flow.reached:
            yield Cause("stand-in-loss", (flow.reached, flow.reached))
    silenced = flow.column("log10_activation_rms") == -np.inf
    if not flow.points and not flow.shared:
        silenced &= flow.carriers  # a branch of zeros is passed by
    silent = np.flatnonzero(silenced)
    if silent.size:
        yield Cause("forward-zero", _ends(silent))


def _dead(flow: GradientFlow) -> Iterator[Cause]:
    """Whole layers have derivative zero."""
    if dead := dead_layers(flow):
        yield Cause("dead", (dead[0], dead[-1]), len(dead))


def _regions(regions: Iterable[Region], limits: Thresholds) -> Iterator[Cause]:
    """Layers get too little, or too much, of the last layer's gradient."""
    bounds = {"vanishing": limits.vanish_below, "exploding": limits.explode_above}
    regions = [region for region in regions if region.flag in bounds]
    for flag in dict.fromkeys(region.flag for region in regions):
        alike = [region for region in regions if region.flag == flag]
        if len(alike) > NAMED_REGIONS:
            count = sum(region.last_layer - region.first_layer + 1 for region in alike)
            yield Cause(f"{flag}-scattered", (alike[0].first_layer, alike[-1].last_layer), count, bounds[flag])
            continue
        for region in alike:
            worst = power_in_range(region.log10_worst_ratio)
            yield Cause(flag, (region.first_layer, region.last_layer), worst, bounds[flag])


def _span(flow: GradientFlow, summary: Summary, limits: Thresholds) -> Iterator[Cause]:
    """The decades between the strongest and the weakest layer."""
    span = summary.gradient_span
    beyond = np.flatnonzero(flow.nonfinite[: flow.reached])
    if beyond.size:
        yield Cause("gradient-overflow", _ends(beyond[-1:]))
    elif math.isinf(span):
        yield Cause("gradient-zero", _ends(np.flatnonzero(flow.column("log10_gradient_rms") == -np.inf)), 0.0)
    elif not math.isnan(span) and not (flow.obstacle and span <= limits.max_span):  # there is no loss to be near
        gradient, group = flow.column("log10_gradient_rms"), widest_group(flow)
        furthest = np.sort(group[[gradient[group].argmin(), gradient[group].argmax()]])
        details = {"shrinks": gradient_shrinks(flow), "gain": summary.mean_local_gain}
        yield Cause("span", _ends(furthest), span, limits.max_span, details)


def _rank(flow: GradientFlow, summary: Summary, limits: Thresholds) -> Iterator[Cause]:
    """Whether the examples, of a transformer their tokens, can still be told apart."""
    rank, last = summary.effective_rank_least, summary.effective_rank_last
    if math.isnan(rank) or possible_rank(flow) < LEAST_POSSIBLE:
        return
    layer = narrowest(flow)[0]
    if last < limits.min_rank:
        rank, layer = (last, len(flow.layers)) if rank < limits.min_rank else (rank, layer)
    details = {"at_the_end": last < limits.min_rank, "rounded": _rounded_from(flow, limits.min_rank)}
    yield Cause("rank", (layer, layer), rank, limits.min_rank, details)


def _rounded_from(flow: GradientFlow, least: float) -> int | None:
    """Return the layer where a rank that was healthy falls to 1 for good: only rounding is left of the differences."""
    ranks = flow.column("effective_rank")
    alike = 1 + int(np.flatnonzero(ranks != 1).max(initial=-1))
    return alike + 1 if 0 < alike < len(ranks) and ranks[alike - 1] >= least else None


def _weights(summary: Summary, limits: Thresholds) -> Iterator[Cause]:
    """The weights' gradients lie further apart than the limit, and than those they come from."""
    span = summary.weight_gradient_span
    if max(limits.max_span, summary.gradient_span) < span < math.inf:
        within = summary.gradient_span <= limits.max_span
        yield Cause("weight-span", None, span, limits.max_span, {"within": within})


def _output(flow: GradientFlow) -> Iterator[Cause]:
    """The read-out's outputs are of a size at which training hardly starts."""
    if excess_output(flow):
        size = flow.output.log10_logit_rms
        yield Cause("output-size", None, size, math.copysign(OUTPUT_DECADES, size))


def _ends(layers: npt.NDArray[np.intp]) -> tuple[int, int]:
    """Return the first and the last of some layers, counted from 0, counted from 1."""
    return int(layers[0]) + 1, int(layers[-1]) + 1
