"""From a judgement of a user's own model to the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradcheck.base.record import number, power_in_range
from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.model_record import LossRecord, ModelRecord, TermRecord, TrialRecord
from gradcheck.diagnosis.remarks import ASKED_FOR, DOUBTS
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.reporting import make_report
from gradcheck.diagnosis.verdict import Diagnosis
from gradcheck.probing.evidence import Evidence
from gradcheck.probing.findings import Findings
from gradcheck.probing.first_loss import FirstLoss, said
from gradcheck.probing.growing import why_large
from gradcheck.probing.judgement import Judgement
from gradcheck.probing.terms import Term
from gradcheck.probing.trial import Trial
from gradcheck.spec.thresholds import Thresholds

#: Causes that explain a loss which starts large.
EXPLAIN_SIZE = {
    "inputs-explode", "large-inputs", "softmax-over-batch", "nll-not-log", "labels-outside", "starts-far",
    "branches-grow", "layers-grow", "readout-large", "features-apart",
}  # fmt: skip

#: The share of a model's numbers that are frozen in front of others from which on these decide what it can learn.
MOSTLY = 0.5

#: Options of the steps that only PyTorch's probe takes.
NO_STEPS = {"amp": None, "number_format": None, "steps": 0, "optimizer": "sgd", "lr": 0.1, "warmup": None, "clip": None}

#: What is found in PyTorch's graph alone, whatever the other framework.
ONLY_PYTORCH = (
    "terms of the loss", "recurrences step by step", "heads of attention", "parameters outside of the model",
)  # fmt: skip


def captured_report(
    framework: str,
    model: str,
    options: Mapping[str, Any],
    limits: Thresholds,
    judgement: Judgement[Findings],
    *,
    parameters: int,
    weights: int,
) -> Report:
    """Return the report on a captured pass, which has so many tensors of weights.

    It says what only PyTorch's probe looks at.
    """
    found, trial = judgement.found, judgement.trial
    config = {
        "model": model, **NO_STEPS, **options, "framework": framework.lower(), "loss": found.loss, "suggest": False,
        **limits.to_dict(),
    }  # fmt: skip
    first = found.sized(found.at_loss.first)
    ends = (*found.layers, *(() if found.readout is None else (found.readout,)))
    sizes = [(one.value.size, one.trained) for layer in ends for one in layer.weights]
    beside = [*of_frozen(len(found.trained.frozen), weights, sizes), *said(first)]
    unseen = (*ONLY_PYTORCH, *found.not_looked_at)
    beside.append(Cause("not-looked-at", None, len(unseen), details={"framework": framework, "what": unseen}))
    report = laid_out(config, judgement, judgement.diagnosis, first, beside, parameters=parameters)
    readout = None if found.readout is None else found.readout.name
    own = {"attention": (), "recurrences": (), "training": None, "precision": None}
    record = model_record(found, first, trial, loss_by_default=options["loss"] is None, readout=readout, **own)
    return replace(report, model=record)


def model_record(found: Evidence, first: FirstLoss, trial: Trial | None, **own: Any) -> ModelRecord:  # noqa: ANN401
    """Return what a report says of a model, with the fields that each framework's probe finds in its own way."""
    return ModelRecord(
        loss=_loss_record(first, found.at_loss.terms),
        frozen=found.trained.frozen,
        lost=found.lost,
        unused=found.unused,
        zero_gradient=found.silent,
        opened=found.opened,
        shut=found.shut,
        elasticity=number(found.flow.log10_typical_elasticity),
        trial=None if trial is None else _trial_record(trial),
        **own,
    )


def laid_out(
    config: Mapping[str, Any],
    judgement: Judgement[Any],
    diagnosis: Diagnosis,
    first: FirstLoss,
    beside: Sequence[Cause],
    *,
    parameters: int,
    large: bool = True,
) -> Report:
    """Return the report without its model: what decided, a loss that starts large, and the causes beside these."""
    verdict, flow, summary = diagnosis.verdict, judgement.found.flow, judgement.summary
    explained = not EXPLAIN_SIZE.isdisjoint(cause.code for cause in verdict.causes)
    sizes = why_large(first, flow) if large and not explained else ()
    if any(one.code == "starts-far" for one in verdict.causes):  # which has the loss and the guess in its sentence
        beside = [one for one in beside if one.code != "first-loss"]
    remarked = any(cause.code in ASKED_FOR for cause in verdict.causes)  # what is named there is nearer to the fault
    outweighs = sizes if verdict.status == "healthy" and not remarked else ()
    causes = (*outweighs, *verdict.causes, *(sizes if not outweighs else ()), *beside)
    if verdict.status == "healthy":  # what is wrong with the model comes before what is right with its gradient
        causes = tuple(sorted(causes, key=lambda cause: cause.code not in DOUBTS))
    diagnosis = diagnosis._replace(verdict=verdict._replace(causes=causes))
    return make_report("probe", config, [flow], flow, [summary], summary, diagnosis, parameters=parameters)


def of_frozen(frozen: int, count: int, sizes: Sequence[tuple[int, bool]]) -> Iterator[Cause]:
    """Yield how many of the parameters are frozen, if any are, given size of each in its order, and whether it trains.

    Where most numbers are frozen in front of what is trained, all depends on these.
    """
    if not 0 < frozen < count:
        return
    last = max((place for place, (_, trained) in enumerate(sizes) if trained), default=0)
    body = sum(size for size, trained in sizes[:last] if not trained)
    mostly = body > MOSTLY * sum(size for size, _ in sizes)
    yield Cause("frozen-body" if mostly else "frozen", None, frozen, count)


def _loss_record(first: FirstLoss, terms: Sequence[Term]) -> LossRecord:
    """Return what the report says of the loss where training starts."""
    norms = [power_in_range(term.log10_norm) for term in terms]
    total = sum(norm for norm in norms if norm is not None)
    return LossRecord(
        first=number(first.value),
        constant_answer=number(first.constant_answer),
        classes=first.classes or None,
        terms=tuple(
            TermRecord(name=term.name, gradient_norm=norm, share=norm / total if norm is not None and total else None)
            for term, norm in zip(terms, norms, strict=True)
        ),
    )


def _trial_record(trial: Trial) -> TrialRecord:
    """Return what the report says of a trial."""
    values = trial._asdict()
    return TrialRecord(**values | {name: number(values[name]) for name in ("constant", "last")})
