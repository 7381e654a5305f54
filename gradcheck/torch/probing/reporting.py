"""From a probe's findings to the report."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from gradcheck.base.record import number
from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.model_record import (
    AttentionRecord,
    GateRecord,
    PrecisionRecord,
    RecurrenceRecord,
    TrainingRecord,
    UnderflowRecord,
)
from gradcheck.diagnosis.remarks import DOUBTS
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.verdict import Diagnosis
from gradcheck.probing.first_loss import FirstLoss, said
from gradcheck.probing.reporting import laid_out, model_record, of_frozen
from gradcheck.spec.thresholds import Thresholds
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.parts import Attention, Recurrence
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.training.history import History
from gradcheck.torch.probing.underflow import WORTH_NAMING, Underflow

#: A loss that is no lower than the best constant answer's is near it below so many times that: the read-out's bias
#: has learned it.
NEAR = 1.2

#: Causes whose sentence blames the inputs, or how the weights were drawn; after steps it may be these.
OF_WEIGHTS = (
    "gates-saturated",
    "forgets",
    "large-inputs",
    "attention-saturated",
    "attention-hard",
    "branches-grow",
    "layers-grow",
)

#: Layers whose underflow is named in the reasons.
NAMED = 3


def probe_report(
    model: nn.Module,
    options: Mapping[str, Any],
    limits: Thresholds,
    judgement: Judgement,
    history: History,
    lost: Sequence[Underflow],
    *,
    compiled: bool = False,
) -> Report:
    """Return the report: options with their resolved values, the last judgement, all steps, and what underflows."""
    found, summary, diagnosis, _, trial = judgement
    config = {"model": type(model).__name__, **options, "loss": found.loss, **limits.to_dict()}
    parameters = sum(one.numel() for one in model.parameters() if one.requires_grad)
    diagnosis = _after_training(diagnosis, history, summary.effective_rank_least)
    first = _first(found, history)
    sizes = [(one.numel(), one.requires_grad) for one in model.parameters()]
    frozen = of_frozen(len(found.trained.frozen), len(sizes), sizes)
    beside = [*frozen, *said(first), *_of_precision(lost, 2**found.shift, options["amp"])]
    beside += [Cause("run-eagerly")] if compiled else []
    report = laid_out(config, judgement, diagnosis, first, beside, parameters=parameters, large=not history.steps)
    half = None
    if options["amp"] is not None:
        underflow = tuple(UnderflowRecord(layer=one.layer, share=one.share) for one in lost)
        half = PrecisionRecord(amp=options["amp"], loss_scale=2**found.shift, underflow=underflow)
    record = model_record(
        found,
        first,
        trial,
        loss_by_default=options["loss"] is None,
        readout=None if found.readout is None else found.readout.name,
        attention=tuple(map(_attention, found.parts.attention)),
        recurrences=tuple(map(_recurrence, found.parts.recurrences)),
        training=_training(history) if history.steps else None,
        precision=half,
    )
    return replace(report, model=record)


def _first(found: ModelPass, history: History) -> FirstLoss:
    """Return the loss before any step, and what it is held against."""
    return found.sized(found.at_loss.first._replace(value=history.losses[0]))


def _after_training(diagnosis: Diagnosis, history: History, rank: float) -> Diagnosis:
    """Return the diagnosis after the steps: since when and where the model is ill, and what they alone show."""
    if not history.steps:
        return diagnosis
    verdict, last = diagnosis.verdict, history.points[-1]
    if last.acquitted:
        value = rank if last.acquitted == "outputs-apart" else last.loss
        score = history.first.diagnosis.verdict.score
        verdict = verdict._replace(status="healthy", score=score, causes=(Cause(last.acquitted, None, value),))
        diagnosis = diagnosis._replace(flags=tuple("ok" for _ in diagnosis.flags), regions=())
    elif last.status != verdict.status:  # what the loss alone shows
        verdict = verdict._replace(status=last.status, score=0.0)
    causes = list(_of_training(history))
    codes = {cause.code for cause in causes}
    at_start = {cause.code for cause in history.first.diagnosis.verdict.causes}
    left = (_since_training(cause, at_start) for cause in verdict.causes if cause.code not in codes)
    return diagnosis._replace(verdict=verdict._replace(causes=(*causes, *left)))


def _since_training(cause: Cause, at_start: Collection[str]) -> Cause:
    """Return a cause that says, where it wasn't one at the start, that the steps have made it so."""
    made = cause.code in OF_WEIGHTS and cause.code not in at_start
    return cause._replace(details={**cause.details, "trained": True}) if made else cause


def _known_before(history: History) -> Iterator[Cause]:
    """Yield what says more than that the loss stays: the first verdict, and what was named beside it."""
    verdict = history.first.diagnosis.verdict
    why = [cause for cause in verdict.causes if cause.code in DOUBTS]
    if why or verdict.status != "healthy":
        because = f", with {why[0].code}" if why else ""
        yield Cause("at-start", details={"status": verdict.status, "because": because})
    yield from why


def _of_training(history: History) -> Iterator[Cause]:
    """Yield since when the model is ill or healthy, and how the loss changed."""
    yield from history.found
    if history.statuses[-1] == "not-learning":
        yield from _known_before(history)
    elif history.sick_from is not None:
        first_ill = next(at for at, one in enumerate(history.statuses) if one != "healthy")
        details = {
            "status": history.statuses[history.sick_from], "verdict": history.statuses[-1],
            "layer": history.sick_layer, "first_ill": first_ill,
        }  # fmt: skip
        yield Cause("ill-since", None, history.sick_from, details=details)
        if history.last.is_guessed and history.last.value < NEAR * history.last.of_batch:
            yield Cause("still-guesses", None, history.last.value, history.last.of_batch)
    elif history.statuses[0] != "healthy":
        since = max(index for index, one in enumerate(history.statuses) if one != "healthy") + 1
        yield Cause("healthy-since", None, since, details={"status": history.statuses[0]})
    course = {"first": history.losses[0], "steps": history.steps, "one_batch": history.one_batch}
    last = history.losses[-1] if math.isnan(history.again) else history.again
    yield Cause("loss-course", None, last, details=course)


def _of_precision(lost: Sequence[Underflow], scale: float, amp: str | None) -> Iterator[Cause]:
    """Yield where half precision loses the gradient."""
    if amp is None:
        return
    half = {"amp": amp, "loss_scale": scale}
    if not lost:
        yield Cause("no-underflow", details=half)
    for one in lost[:NAMED]:
        yield Cause("underflow", None, one.share, WORTH_NAMING, half | {"layer": one.layer})
    if len(lost) > NAMED:
        yield Cause("more-underflow", None, len(lost) - NAMED)


def _attention(one: Attention) -> AttentionRecord:
    entropy, scores = (tuple(map(number, values)) for values in (one.entropy, one.largest_score))
    return AttentionRecord(layer=one.layer, entropy=entropy, largest_score=scores)


def _recurrence(one: Recurrence) -> RecurrenceRecord:
    return RecurrenceRecord(
        module=one.module,
        part=one.part,
        kind=one.kind,
        steps=one.steps,
        log10_gradient_ratio=number(one.decades),
        step_gain=number(one.gain),
        gates=tuple(GateRecord(**gate._asdict()) for gate in one.gates),
    )


def _training(history: History) -> TrainingRecord:
    return TrainingRecord(
        losses=tuple(number(loss) for loss in history.losses),
        first_batch_loss=number(history.again),
        statuses=tuple(history.statuses),
        sick_from_step=history.sick_from,
        first_layer=history.sick_layer,
    )
