"""The verdict on a user's own model: the common diagnosis, and what only a real model can have wrong."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.report import Status
from gradcheck.diagnosis.score import score
from gradcheck.diagnosis.summary import Summary, dead_layers, gradient_shrinks, summarize, widest_group
from gradcheck.diagnosis.verdict import Diagnosis, diagnose
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.spec.thresholds import Thresholds
from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.passing import Passed

#: A gradient may grow by so many times the decades where norms stand behind the weights.
BEHIND_NORMS = 2.0

#: Share of a group's layers that norms have to follow.
MOSTLY = 0.8

#: A layer whose gradient is exactly zero had less than this beside the end's, where its neighbours are so small.
UNDERFLOW_DECADES = 25.0

#: A first layer is saturated by its inputs where their root mean square is more than this.
LARGE_INPUTS = 3.0


class Judged(NamedTuple):
    """A pass in a few numbers, and what they come to."""

    summary: Summary
    diagnosis: Diagnosis


def judged(passed: Passed, thresholds: Thresholds) -> Judged:
    """Return the summary and the diagnosis of a pass.

    Notes
    -----
    A weight behind which a norm stands can be scaled without effect: a gradient step that is too large for it only
    makes it longer, and so its next steps smaller (Arora, Li & Lyu 2019). Gradients that grow towards the input, as
    they do with batch norm (Yang et al. 2019), count half there: residual networks with batch norm train at three
    decades and more.
    """
    flow, summary = passed.flow, summarize(passed.flow)
    limits, counted = thresholds, summary
    halved = grows_behind_norms(flow, summary)
    tells = halved and max(summary.gradient_span, summary.weight_gradient_span) > thresholds.max_span
    if tells:
        limits = replace(
            thresholds,
            max_span=thresholds.max_span * BEHIND_NORMS,
            explode_above=thresholds.explode_above**BEHIND_NORMS,
        )
    if halved:
        counted = summary._replace(
            gradient_span=summary.gradient_span / BEHIND_NORMS,
            weight_gradient_span=summary.weight_gradient_span / BEHIND_NORMS,
        )
    found = diagnose(flow, summary, limits)
    status = _status(passed, found.verdict.status)
    chance = 0.0 if passed.closed else score(flow, counted)
    causes = (*_before(passed, status), *found.verdict.causes, *_after(passed, status, counts_half=tells))
    verdict = found.verdict._replace(status=status, score=chance, causes=causes)
    return Judged(summary, found._replace(verdict=verdict))


def grows_behind_norms(flow: ModelFlow, summary: Summary) -> bool:
    """Whether the gradient grows towards the input, in layers that norms follow."""
    if not math.isfinite(summary.gradient_span) or gradient_shrinks(flow):
        return False
    return bool(np.mean(np.array(flow.normalized)[widest_group(flow)]) >= MOSTLY)


def first_sick(flow: ModelFlow, found: Diagnosis) -> str:
    """Return the name of the layer that shows the verdict most."""
    dead = dead_layers(flow)
    if found.verdict.status == "dead" and dead:
        return flow.name(dead[-1])
    if flow.obstacle:
        return flow.name(flow.reached + 1) if flow.reached < len(flow.layers) else "the read-out"
    alike = [region for region in found.regions if region.flag == found.verdict.status]
    if alike:
        return flow.name(alike[0].worst_layer)
    if found.verdict.status == "collapsed":
        ranks = np.where(flow.carriers, flow.column("effective_rank"), np.inf)
        return flow.name(int(np.nanargmin(ranks)) + 1)
    group = widest_group(flow)
    gradient = flow.column("log10_gradient_rms")[group]
    extreme = gradient.argmax() if found.verdict.status == "exploding" else gradient.argmin()
    return flow.name(int(group[extreme]) + 1)


def silent_layers(flow: ModelFlow) -> list[int]:
    """Return the layers, from 1, to which a gradient of exactly zero comes."""
    return (np.flatnonzero(flow.column("log10_gradient_rms") == -np.inf) + 1).tolist()


def _status(passed: Passed, status: Status) -> Status:
    """Return the verdict; a gradient that is exactly zero without having faded is dead."""
    if passed.closed and not passed.flow.obstacle:
        return "dead"
    if status == "vanishing" and silent_layers(passed.flow) and not _faded(passed.flow):
        return "dead"
    return status


def _faded(flow: ModelFlow) -> bool:
    """Whether zeros may be underflow: what is not zero reaches down to where floats end."""
    gradient = flow.column("log10_gradient_rms")[: flow.reached]
    known = gradient[np.isfinite(gradient)]
    return bool(known.size) and float(known.max() - known.min()) > UNDERFLOW_DECADES


def _before(passed: Passed, status: Status) -> Iterator[Cause]:
    """Yield what outweighs all else."""
    if passed.closed and not passed.flow.obstacle:
        yield passed.closed
    elif status == "dead" and not dead_layers(passed.flow):
        layers = silent_layers(passed.flow)
        yield _of_names("layers-zero", [passed.flow.name(layer) for layer in layers], (layers[0], layers[-1]))


def _after(passed: Passed, status: Status, *, counts_half: bool) -> Iterator[Cause]:
    """Yield what else is worth knowing."""
    if counts_half:
        yield Cause("norms-follow", None, BEHIND_NORMS)
    if passed.flow.obstacle == "nan":
        yield _no_number(passed)
    saturated, limit = passed.flow.layers[0].saturated_fraction, Thresholds().saturated_above
    if saturated > limit and passed.first_rms > LARGE_INPUTS:
        yield Cause("large-inputs", (1, 1), passed.first_rms, LARGE_INPUTS)
    if passed.unused and not passed.flow.obstacle:
        yield _of_names("unused", passed.unused)
    if passed.opened:
        yield _of_names("opened", passed.opened)
    if passed.silent and not passed.closed and status not in ("dead", "nonfinite"):
        yield _of_names("parameters-zero", passed.silent)


def _no_number(passed: Passed) -> Cause:
    """Return where numbers become none."""
    finite = [all(map(is_finite, layer.module.parameters())) for layer in passed.layers]
    ill = [number for number, sound in enumerate(finite, start=1) if not sound]
    if ill:
        return _of_names("weights-nonfinite", [passed.flow.name(number) for number in ill], (ill[0], ill[-1]))
    return Cause("becomes-nan", (passed.flow.reached,) * 2 if passed.flow.reached else None)


def _of_names(code: str, names: Sequence[str], layers: tuple[int, int] | None = None) -> Cause:
    """Return a cause that names layers or parameters."""
    return Cause(code, layers, len(names), details={"names": tuple(names)})
