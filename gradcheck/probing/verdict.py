"""The verdict on a user's own model: the common diagnosis, and what only a real model can have wrong."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.remarks import TRAINS_ALL_THE_SAME
from gradcheck.diagnosis.score import OUTPUT_DECADES, score
from gradcheck.diagnosis.sentences.codes import listed
from gradcheck.diagnosis.status import Flag, Status
from gradcheck.diagnosis.summary import Summary, dead_layers, gradient_shrinks, summarize, widest_group
from gradcheck.diagnosis.verdict import Diagnosis, diagnose, regions_of
from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.doubts import (
    falls_without_bound,
    has_large_inputs,
    remarks_of,
    starts_far,
)
from gradcheck.probing.elasticity import ELASTICITY, is_hopeless, is_to_blame, why_inelastic
from gradcheck.probing.evidence import SHARP, Evidence
from gradcheck.probing.first_loss import FAR_TOO_LARGE, LARGE_INPUTS
from gradcheck.probing.growing import causes_of_growth
from gradcheck.probing.judgement import SUSPECTED, Found, Judgement
from gradcheck.probing.terms import causes_of as of_terms
from gradcheck.spec.thresholds import USUAL, Thresholds

#: A gradient may grow by so many times the decades where norms follow the weights.
BEFORE_NORMS = 2.0

#: The share of a group's layers that norms have to follow for that.
MOSTLY = 0.8

#: Outputs tell examples apart where what they differ by is so much of their size.
APART = 0.1

#: Zeros may be underflow where the other layers' gradients span more decades than this.
UNDERFLOW_DECADES = 25.0

#: What a loss without a graph leaves to say of layers.
NO_GRAPH = ("unused", "vanishing", "dead", "gradient-zero", "span", "parameters-zero")

#: Causes that say what happened ↦ those that say it less well; of a forward signal only where it is the read-out's.
REPLACED = {
    "labels-ignored": ("forward-overflow", "forward-nan", "becomes-nan"),
    "loss-nonfinite": ("forward-overflow", "forward-nan", "becomes-nan"),
    "operation-nonfinite": ("becomes-nan",),
    "gradient-nonfinite": ("gradient-overflow",),
    "checkpoint-inputs": ("unused",),
    "loss-cut": NO_GRAPH,
    "output-cut": NO_GRAPH,
    "nothing-trained": ("unused", "frozen", "frozen-body"),
    "outside-loss": ("unused",),
    "no-derivative": ("detached", "unused"),
    "term-detached": ("detached", "unused"),
    "flat-operation": ("layers-zero", "gradient-zero", "vanishing"),
    "dropout-all": ("layers-zero", "gradient-zero", "forward-zero", "vanishing", "dead", "rank"),
    "makes-zeros": ("layers-zero", "gradient-zero", "vanishing"),
    "norm-of-one": ("layers-zero", "gradient-zero", "forward-zero", "vanishing", "exploding", "dead", "rank"),
    "softmax-of-one": ("layers-zero", "gradient-zero", "vanishing"),
    "weights-nonfinite": ("operation-nonfinite", "becomes-nan"),
    "inputs-alike": ("rank",),
    "features-apart": ("rank",),
    "attention-hard": ("attention-saturated",),
    "all-zero": ("parameters-zero", "layers-zero", "gradient-zero", "vanishing", "dead"),
}


def judge(found: Found, thresholds: Thresholds) -> Judgement[Found]:
    """Return the judgement of a pass."""
    flow, summary = _with_unexpected_size(found), summarize(found.flow)
    limits, counted = _before_norms(flow, summary, thresholds)
    diagnosis, far = diagnose(flow, summary, limits), tuple(starts_far(found))
    breaks = flow.output.log10_logit_rms > OUTPUT_DECADES or bool(far)  # the first steps what is there
    shown, apart = diagnosis.verdict.status, _tells_apart(found)
    if shown == "collapsed" and (apart or found.drowning_column):  # it is the batch, whatever the model
        shown = "healthy"
    status = _status(found, shown, breaks=breaks)
    beyond = not summary.gradient_span <= limits.max_span
    inelastic = why_inelastic(found) if status == "vanishing" else ()
    measured = (*diagnosis.verdict.causes, *inelastic) if beyond else (*inelastic, *diagnosis.verdict.causes)
    growing = tuple(causes_of_growth(flow)) if far or status == "exploding" else ()  # nearer to the fault than far
    causes = (
        *_first_causes(found, status, growing or far),
        *(one for one in measured if not (apart and one.code == "rank")),
        *_further_causes(found, status, limits is not thresholds),
    )
    causes = tuple(_without_replaced(causes, all_cut=bool(found.cut)))
    if found.cut or (found.untrained and silent_layers(flow)):
        diagnosis = _without_gradient(diagnosis, () if found.untrained else silent_layers(flow), flow)
    lost = found.closed or found.parts.status or status == "no-gradient" or _stops_at_norm(found)
    chance = 0.0 if lost else score(flow, counted)
    summed = bool(far) and found.at_loss.first.pair_width > 0  # a distance is as large as it has numbers
    by_itself = status == "exploding" and ((breaks and not summed) or falls_without_bound(found))  # such a loss falls
    by_itself = by_itself or any(one.code == "inputs-alike" for one in found.origins)
    if by_itself:
        chance = min(chance, TRAINS_ALL_THE_SAME)
    hopeless = beyond and bool(inelastic) and is_hopeless(found) and not found.gated
    certain = by_itself or hopeless or found.closed is not None or bool(found.parts.status)
    verdict = diagnosis.verdict._replace(status=status, score=chance, causes=causes)
    return Judgement(found, summary, diagnosis._replace(verdict=verdict), certain)


def _with_unexpected_size(found: Evidence) -> ModelFlow:
    """Return the flow; without the outputs' size where that is the targets', as of a read-out that begins there."""
    if not found.at_loss.first.has_outputs_like_targets:
        return found.flow
    return replace(found.flow, output=found.flow.output._replace(log10_logit_rms=math.nan))


def _tells_apart(found: Evidence) -> bool:
    """Whether the outputs are as far apart as a loss of zero asks for: two clusters have no more than rank 1."""
    solved = any(one.code == "solved" for one in found.of_loss)
    return solved and found.outputs_apart > APART * found.at_loss.first.output_rms


def _before_norms(flow: ModelFlow, summary: Summary, limits: Thresholds) -> tuple[Thresholds, Summary]:
    """Return the limits that hold, wider where norms follow and the span asks for it, and the decades that count.

    A weight that a norm follows can be scaled without effect: a gradient step that is too large for it only makes it
    longer, and so its next steps smaller (Arora, Li & Lyu 2019). Gradients that grow towards the input, as they do
    with batch norm (Yang et al. 2019), count half there: residual networks with batch norm train at three decades and
    more.
    """
    if not _grows_before_norms(flow, summary):
        return limits, summary
    spans = summary.gradient_span, summary.weight_gradient_span
    counted = summary._replace(gradient_span=spans[0] / BEFORE_NORMS, weight_gradient_span=spans[1] / BEFORE_NORMS)
    if not max(spans) > limits.max_span:
        return limits, counted
    span, growth = limits.max_span * BEFORE_NORMS, limits.explode_above**BEFORE_NORMS
    return replace(limits, max_span=span, explode_above=growth), counted


def _without_replaced(causes: Sequence[Cause], *, all_cut: bool = False) -> Iterator[Cause]:
    """Yield the causes but those for which another says better what happened; of layers that are all cut off none."""
    replaced = {code for cause in causes for code in REPLACED.get(cause.code, ())}
    replaced |= {*NO_GRAPH[1:]} if all_cut else set()
    for cause in causes:
        if cause.code not in replaced or (cause.code.startswith("forward-") and cause.layers):
            yield cause


def _grows_before_norms(flow: ModelFlow, summary: Summary) -> bool:
    """Whether the gradient grows towards the input, in layers that norms follow."""
    if not math.isfinite(summary.gradient_span) or gradient_shrinks(flow):
        return False
    return bool(np.mean(np.array(flow.normalized)[widest_group(flow)]) >= MOSTLY)


def _without_gradient(diagnosis: Diagnosis, silent: Sequence[int], flow: ModelFlow) -> Diagnosis:
    """Return flags and regions where no gradient was measured: these layers have none, of others nothing is known."""
    flags: tuple[Flag, ...] = tuple("dead" if layer in silent else "ok" for layer in range(1, len(diagnosis.flags) + 1))
    return diagnosis._replace(flags=flags, regions=regions_of(flow, flags))


def silent_layers(flow: ModelFlow) -> list[int]:
    """Return the layers, from 1, whose gradient is exactly zero."""
    return (np.flatnonzero(flow.column("log10_gradient_rms") == -np.inf) + 1).tolist()


def _status(found: Evidence, status: Status, *, breaks: bool) -> Status:
    """Return the verdict; a gradient that is exactly zero without having faded is dead, one that moves nothing lost.

    `breaks` says that outputs or loss are so large that the first steps break what is there.
    """
    flow = found.flow
    if flow.obstacle:
        return status
    if found.untrained:
        return "no-gradient"
    if found.closed:
        return "vanishing" if found.closed.code == "output-flat" else "dead"
    if status != "nonfinite" and (found.lost or found.rounding or found.trained.silent):
        return "no-gradient"
    if found.shut or _stops_at_norm(found):
        return "dead"
    if status in ("healthy", "collapsed") and found.parts.status:  # what is wrong with a part says why
        return found.parts.status
    if status in ("vanishing", "exploding") and silent_layers(flow) and not has_faded(flow):
        return "dead"
    if status == "healthy" and any(one.code == "softmax-twice" and (one.value or 1) < SHARP for one in found.of_loss):
        return "vanishing"
    if status in ("healthy", "collapsed", *SUSPECTED) and falls_without_bound(found):
        return "exploding"
    if status == "healthy" and breaks:
        return "exploding"
    lost = flow.log10_typical_elasticity < ELASTICITY
    if lost and (status == "exploding" or (status == "healthy" and is_to_blame(found))):
        return "vanishing"
    return status


def _stops_at_norm(found: Evidence) -> bool:
    """Whether all of the signal goes through a norm over a single number."""
    return any(one.code == "norm-of-one" and one.details.get("whole", False) for one in found.origins)


def has_faded(flow: ModelFlow) -> bool:
    """Whether zeros may be underflow: the other gradients reach down to where floats end."""
    gradient = flow.column("log10_gradient_rms")[: flow.reached]
    known = gradient[np.isfinite(gradient)]
    return bool(known.size) and float(known.max() - known.min()) > UNDERFLOW_DECADES


def _first_causes(found: Evidence, status: Status, far: Sequence[Cause]) -> Iterator[Cause]:
    """Yield what outweighs everything else."""
    yield from found.origins
    if found.untrained and not found.lost and not found.flow.obstacle:
        yield found.untrained
    elif found.closed and not found.flow.obstacle:
        yield found.closed
    elif status == "no-gradient" and found.lost:
        yield _of_names("detached", found.lost)
    elif status == "no-gradient" and found.rounding:
        yield _of_names("rounding", found.rounding)
    elif status == "no-gradient" and not found.parts.causes:
        yield Cause("all-zero", None, found.trained.silent, details={"zeros": listed(found.trained.zeros)})
    elif status == "dead" and not dead_layers(found.flow) and silent_layers(found.flow):
        layers = silent_layers(found.flow)
        yield _of_names("layers-zero", [found.flow.name(layer) for layer in layers], (layers[0], layers[-1]))
    if found.shut:
        yield _of_names("gates-shut", found.shut)
    if found.drowning_column is not None:
        yield found.drowning_column
    yield from far
    yield from found.of_loss
    yield from of_terms(found.at_loss.terms)
    yield from found.parts.causes


def _further_causes(found: Evidence, status: Status, wider: bool) -> Iterator[Cause]:
    """Yield what else is worth knowing."""
    if wider:
        yield Cause("norms-follow", None, BEFORE_NORMS)
    if found.flow.obstacle == "nan":
        yield _origin_of_nan(found)
    saturated, limit = found.flow.layers[0].saturated_fraction, USUAL.saturated_above
    if saturated > limit and found.first_rms > LARGE_INPUTS:
        yield Cause("large-inputs", (1, 1), found.first_rms, LARGE_INPUTS)
    elif status == "healthy" and has_large_inputs(found):
        yield Cause("large-inputs", None, found.given_rms, FAR_TOO_LARGE)
    elif found.flow.obstacle and found.first_rms > FAR_TOO_LARGE:
        yield Cause("large-inputs", (1, 1), found.first_rms, FAR_TOO_LARGE)
    yield from (*remarks_of(found), *found.parts.notes)
    unused = [name for name in found.unused if name.rpartition(".")[0] not in found.lost]
    if unused and not found.flow.obstacle:
        yield _of_names("unused", unused)
    if found.opened:
        yield _of_names("opened", found.opened)
    if found.silent and not found.closed and status not in ("dead", "nonfinite", "no-gradient"):
        yield _of_names("parameters-zero", found.silent)


def _origin_of_nan(found: Evidence) -> Cause:
    """Return where numbers become NaN."""
    if ill := found.ill_layers:
        return _of_names("weights-nonfinite", [found.flow.name(number) for number in ill], (ill[0], ill[-1]))
    return Cause("becomes-nan", (found.flow.reached,) * 2 if found.flow.reached else None)


def _of_names(code: str, names: Sequence[str], layers: tuple[int, int] | None = None) -> Cause:
    """Return a cause that names layers or parameters."""
    return Cause(code, layers, len(names), details={"names": tuple(names)})
