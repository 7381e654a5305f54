"""The verdict's reasons, in words and numbers."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from gradcheck.diagnosis.score import OUTPUT_DECADES, excess_output
from gradcheck.diagnosis.summary import Region, Summary, dead_layers, gradient_shrinks, narrowest, possible_rank
from gradcheck.flow.gradient_flow import GradientFlow
from gradcheck.spec.thresholds import Thresholds

#: Two examples differ along one line, and so do all behind a layer of one unit: a rank of 1 says nothing there.
LEAST_POSSIBLE = 2

#: More regions of a kind than this are told in one sentence.
NAMED_REGIONS = 3


def reasons(flow: GradientFlow, summary: Summary, limits: Thresholds, regions: Iterable[Region]) -> Iterator[str]:
    """Yield what decided, each with its number and its limit, the weightiest first."""
    yield from _forward(flow)
    yield from _dead(flow)
    yield from _regions(flow, regions, limits)
    span, rank = _span(flow, summary, limits), _rank(flow, summary, limits)
    rest = chain(_weights(summary, limits), _output(flow))
    if not summary.gradient_span <= limits.max_span:
        yield from chain(span, rank, rest)
    elif collapsed(flow, summary, limits):
        yield from chain(rank, span, rest)
    else:
        yield from chain(rest, span, rank)


def collapsed(flow: GradientFlow, summary: Summary, limits: Thresholds) -> bool:
    """Whether the examples' differences are gone, where the batch and the widths allow any."""
    return summary.effective_rank_least < limits.min_rank and possible_rank(flow) >= LEAST_POSSIBLE


def _forward(flow: GradientFlow) -> Iterator[str]:
    """The forward signal overflows, or underflows to nothing."""
    if flow.obstacle:
        where = flow.name(flow.reached + 1) if flow.reached < len(flow.layers) else "the read-out"
        what = {"overflow": "overflows the range of floats", "nan": "is not a number"}[flow.obstacle]
        yield f"{where} is the first whose forward signal {what}: there is no loss"
        if flow.reached:
            yield f"the gradients shown are those of {flow.name(flow.reached)}'s mean squared output"
    silenced = flow.column("log10_activation_rms") == -np.inf
    if not flow.points and not flow.shared:
        silenced &= flow.carriers  # a branch of zeros is passed by
    silent = np.flatnonzero(silenced)
    if silent.size:
        yield f"the forward signal is exactly zero from {flow.name(silent[0] + 1)} on: no input is seen behind it"


def _dead(flow: GradientFlow) -> Iterator[str]:
    """Whole layers have derivative zero."""
    dead = dead_layers(flow)
    if not dead:
        return
    several = f"{len(dead)} {'points' if flow.points else flow.unit + 's'}, the last of them {flow.name(dead[-1])},"
    where = several if len(dead) > 1 else flow.name(dead[0])
    yield f"every unit of {where} has derivative 0 for the whole batch: no gradient reaches its weights"


def _regions(flow: GradientFlow, regions: Iterable[Region], limits: Thresholds) -> Iterator[str]:
    """Layers get too little, or too much, of the last layer's gradient."""
    less = f"less than {as_multiple(limits.vanish_below)}" if limits.vanish_below else "nothing of"
    words = {
        "vanishing": f"{less} {_last_reached(flow)}'s gradient",
        "exploding": f"more than {as_multiple(limits.explode_above)} {_last_reached(flow)}'s gradient",
    }
    regions = list(regions)
    for flag in dict.fromkeys(region.flag for region in regions if region.flag in words):
        alike = [region for region in regions if region.flag == flag]
        if len(alike) > NAMED_REGIONS:
            yield f"{_scattered(flow, alike)} get {words[flag]}"
            continue
        for region in alike:
            verb = "get" if region.last_layer > region.first_layer else "gets"
            yield f"{flow.names(region.first_layer, region.last_layer)} {verb} {words[flag]}"


def _scattered(flow: GradientFlow, regions: Sequence[Region]) -> str:
    """Return how many layers several regions hold, and between which."""
    count = sum(region.last_layer - region.first_layer + 1 for region in regions)
    ends = f"{flow.name(regions[0].first_layer)} and {flow.name(regions[-1].last_layer)}"
    return f"{count} {'points' if flow.points else flow.unit + 's'} between {ends}"


def _last_reached(flow: GradientFlow) -> str:
    """Return what gradients are held against: the last layer that the signal reaches."""
    if flow.reached and flow.reached < len(flow.layers):
        return flow.name(flow.reached)
    if len(flow.groups) > 1:
        return f"the last such {flow.unit}"
    return f"the last {flow.unit} {flow.points[-1]}" if flow.points else f"the last {flow.unit}"


def as_multiple(ratio: float) -> str:
    """Return a ratio as one says it: ``1/1000 of``, ``1000 times``."""
    return f"1/{1 / ratio:.4g} of" if 0 < ratio < 1 else f"{ratio:.4g} times"


def _span(flow: GradientFlow, summary: Summary, limits: Thresholds) -> Iterator[str]:
    """The decades between the strongest and the weakest layer."""
    span, gain = summary.gradient_span, summary.mean_local_gain
    beyond = np.flatnonzero(flow.nonfinite[: flow.reached])
    if beyond.size:
        yield f"the gradient overflows the range of floats at {flow.name(beyond[-1] + 1)} on its way back"
        return
    if math.isnan(span):
        return
    if math.isinf(span):
        yield f"some {'points' if flow.points else flow.unit + 's'} get no gradient at all: it is exactly zero"
        return
    each = "" if math.isnan(gain) else f": a factor of {gain:.3g} a {flow.unit}"
    decades = f"{span:.1f} decades" if span >= 10 else f"{span:.2f} decades"
    if span > limits.max_span:
        verb = "lost" if gradient_shrinks(flow) else "gained"
        yield f"{decades} {verb} (limit {limits.max_span:g}){each}"
    else:
        yield f"{decades} apart (limit {limits.max_span:g}){each}"


def _rank(flow: GradientFlow, summary: Summary, limits: Thresholds) -> Iterator[str]:
    """Whether the examples, of a transformer their tokens, can still be told apart."""
    what, rank = "tokens" if flow.points else "examples", summary.effective_rank_least
    if math.isnan(rank) or possible_rank(flow) < LEAST_POSSIBLE:
        return
    if rank < limits.min_rank:
        at_the_end = summary.effective_rank_last < limits.min_rank
        where = "at the end" if at_the_end else f"at {flow.name(narrowest(flow)[0])}"
        rank = summary.effective_rank_last if at_the_end else rank
        yield f"the {what} look alike {where}: effective rank {rank:.1f} (limit {limits.min_rank:g})"
    else:
        yield f"the {what} stay apart: effective rank {rank:.1f} (limit {limits.min_rank:g})"


def _weights(summary: Summary, limits: Thresholds) -> Iterator[str]:
    """The weights' gradients lie further apart than the limit, and than those they come from."""
    span = summary.weight_gradient_span
    if max(limits.max_span, summary.gradient_span) < span < math.inf:
        yield f"the weights' own gradients lie {span:.1f} decades apart (limit {limits.max_span:g})"


def _output(flow: GradientFlow) -> Iterator[str]:
    """The read-out's outputs are of a size at which training hardly starts."""
    if excess_output(flow):
        size = f"10^{flow.output.log10_logit_rms:.1f}"
        yield f"the outputs' root mean square is {size} (limits 1e-{OUTPUT_DECADES:g}, 1e{OUTPUT_DECADES:g})"
