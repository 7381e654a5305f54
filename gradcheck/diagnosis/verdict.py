"""From a flow and thresholds to flags, regions and a verdict.

Every criterion is a ratio between layers, a rank or a share: multiplying the loss by a constant changes none.
"""

import math
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.diagnosis.causes import Cause, causes, collapsed
from gradcheck.diagnosis.score import score
from gradcheck.diagnosis.status import Flag, Status
from gradcheck.diagnosis.summary import Region, Summary, dead_layers, gradient_shrinks
from gradcheck.flow.gradient_flow import GradientFlow
from gradcheck.spec.thresholds import Thresholds

#: The score from which a network rather trains than not.
LIKELY = 0.5


class Verdict(NamedTuple):
    """The verdict, and what decided it."""

    status: Status  # one of ``STATUSES``
    score: float  # probability that plain SGD trains the network
    causes: tuple[Cause, ...]  # the weightiest first

    @property
    def trainable(self) -> bool:
        """Whether it rather trains than not."""
        return self.score >= LIKELY


class Judgement(NamedTuple):
    """Flags (one a layer) and the verdict in a word and a number, without what decided it."""

    flags: tuple[Flag, ...]
    status: Status
    score: float

    @property
    def trainable(self) -> bool:
        """Whether it rather trains than not."""
        return self.score >= LIKELY


class Diagnosis(NamedTuple):
    """Flags (one a layer), regions and the verdict."""

    flags: tuple[Flag, ...]
    regions: tuple[Region, ...]
    verdict: Verdict


def judge(flow: GradientFlow, summary: Summary, thresholds: Thresholds) -> Judgement:
    """Return the flags, status and score of a flow, of which no more than that need be measured, and its summary."""
    return Judgement(_flags(flow, thresholds), _status(flow, summary, thresholds), score(flow, summary))


def diagnose(flow: GradientFlow, summary: Summary, thresholds: Thresholds) -> Diagnosis:
    """Return the flags, regions and verdict of a flow and its summary."""
    found = judge(flow, summary, thresholds)
    regions = regions_of(flow, found.flags)
    verdict = Verdict(found.status, found.score, tuple(causes(flow, summary, thresholds, regions)))
    return Diagnosis(found.flags, regions, verdict)


def _flags(flow: GradientFlow, limits: Thresholds) -> tuple[Flag, ...]:
    """Flag each layer by the worst that is true of it."""
    ratio = flow.log10_gradient_ratio
    silent = flow.column("log10_gradient_rms") == -np.inf
    conditions = {
        "nonfinite": flow.nonfinite,
        "dead": (flow.column("dead_fraction") > limits.dead_above) | _shut_last(flow, silent),
        "vanishing": silent | (ratio < _log10(limits.vanish_below)),
        "exploding": ratio > _log10(limits.explode_above),
        "saturated": flow.column("saturated_fraction") > limits.saturated_above,
    }
    return tuple(np.select(list(conditions.values()), list(conditions), "ok").tolist())


def _shut_last(flow: GradientFlow, silent: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The last layer that the signal reaches, if it gets no gradient at all: nothing after it can have faded."""
    last: npt.NDArray[np.bool_] = np.arange(len(silent)) == flow.reached - 1
    return last & silent


def _log10(ratio: float) -> float:
    return math.log10(ratio) if ratio > 0 else -math.inf


def regions_of(flow: GradientFlow, flags: tuple[Flag, ...]) -> tuple[Region, ...]:
    """Join neighbouring layers with one flag; the worst is the one whose ratio is furthest from 1."""
    ratios, regions = flow.log10_gradient_ratio, []
    for flag, group in groupby(enumerate(flags, start=1), key=lambda pair: pair[1]):
        if flag == "ok":
            continue
        layers = [layer for layer, _ in group]
        worst = max(layers, key=lambda layer: np.nan_to_num(abs(ratios[layer - 1]), nan=-1.0, posinf=np.inf))
        regions.append(Region(flag, layers[0], layers[-1], worst, float(ratios[worst - 1])))
    return tuple(regions)


def _status(flow: GradientFlow, summary: Summary, limits: Thresholds) -> Status:
    """Return the verdict in one word. A lost gradient outweighs lost differences between the examples."""
    if flow.obstacle or flow.nonfinite.any():
        return "nonfinite"
    if dead_layers(flow):
        return "dead"
    if not summary.gradient_span <= limits.max_span:
        return "vanishing" if gradient_shrinks(flow) else "exploding"
    return "collapsed" if collapsed(flow, summary, limits) else "healthy"
