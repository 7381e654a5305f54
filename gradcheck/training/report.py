"""The report of a demonstration: plain data with one dict form, strict JSON values throughout."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Frozen, Record, item, number
from gradcheck.diagnosis.status import NETWORK_STATUSES
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec.clip_rules import RULES
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.conclusions import CODES, VERDICTS, Reason, conclude, conclusion_of
from gradcheck.training.strategy import STATUSES, Strategy


class DemoStart(Record):
    """The network as every run finds it."""

    parameters: int = item(minimum=1)
    status: str = item("simulate's verdict before the first step", enum=list(NETWORK_STATUSES))
    gradient_span: float | None = item("decades between the strongest and the weakest layer's gradient")
    mean_local_gain: float | None = item("geometric mean of the local gains")


class DemoSeries(Record):
    """The course of a run."""

    loss: tuple[float | None, ...] = item("of the batch, before the step, a step each")
    gradient_norm: tuple[float | None, ...] = item("global norm before clipping, a step each")
    clipped_norm: tuple[float | None, ...] = item("global norm after clipping, a step each")
    threshold: tuple[float | None, ...] = item("the limit that the rule applied; null: none, a step each")


class DemoStrategy(Record):
    """How a run under one rule ended."""

    rule: str = item("name:threshold")
    name: str = item(enum=list(RULES))
    threshold: float | None = item("the rule's own; null: it has none")
    status: str = item(enum=list(STATUSES))
    final_loss: float | None = item("mean over all examples, after the last step")
    final_accuracy: float | None = item("share of all examples that are classified correctly; null without labels")
    diverged: bool
    diverged_at_step: int | None = item(
        "the loss is above its limit, or not finite, in most steps from it on", minimum=1
    )
    steps: int = item(minimum=0)
    largest_norm_before: float | None = item(
        "largest global norm of a gradient, before clipping; null if none was finite"
    )
    largest_norm_after: float | None = item("the same, after clipping")
    clipped_fraction: float | None = item("share of the steps with a finite gradient in which the rule acted")
    mean_cosine: float | None = item(
        "between clipped and raw gradient: mean over the tensors, and over the steps with a finite gradient"
    )
    mean_global_cosine: float | None = item("the same with all tensors as one vector")
    learning_rate_lost: float | None = item("1 - the mean part of the raw gradient that is left along it")
    nonfinite_steps: int = item("steps whose gradient was not finite", minimum=0)
    first_nonfinite_step: int | None = item(minimum=1)
    first_nonfinite_tensor: str | None = item("the first that the backward pass reaches")
    conclusion: str
    series: DemoSeries


class DemoCause(Cause):
    """What decided the verdict on all runs."""

    code: str = item(enum=list(CODES))


class DemoVerdict(Record):
    """What all strategies show together."""

    status: str = item(enum=list(VERDICTS))
    best: str = item("the strategy with the best final accuracy, or loss")
    reasons: tuple[str, ...]
    causes: tuple[DemoCause, ...]


class DemoReport(CommandReport):
    """What clipping did."""

    table = "strategies"
    text = "gradcheck.training.text:as_text"
    figure = "gradcheck.training.plot:plot"
    page = "gradcheck.training.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value")
    start: DemoStart
    strategies: tuple[DemoStrategy, ...] = item("in the order of config.clip")
    verdict: DemoVerdict | None = item("null if no strategy is finished")
    warnings: tuple[str, ...]
    suggestion: str | None = item("how the threshold of --clip suggest was found")
    complete: bool = item("false: interrupted before all strategies were finished")


def make_demo_report(
    config: Mapping[str, Any],
    experiment: Experiment,
    finished: Sequence[Strategy],
    training: TrainingSpec,
    warnings: Sequence[str],
    suggestion: str | None,
) -> DemoReport:
    """Lay out what the finished strategies have shown."""
    return DemoReport(
        command="clip-demo",
        config=Frozen(config),
        start=_start(experiment),
        strategies=tuple(_strategy(one, training) for one in finished),
        verdict=_verdict(finished) if finished else None,
        warnings=tuple(warnings),
        suggestion=suggestion,
        complete=len(finished) == len(config["clip"]),
    )


def _verdict(finished: Sequence[Strategy]) -> DemoVerdict:
    status, best, reasons = conclude(finished)
    return DemoVerdict(
        status=status, best=best, reasons=tuple(one.text for one in reasons), causes=tuple(map(_cause, reasons))
    )


def _cause(one: Reason) -> DemoCause:
    value, limit = (number(part) if isinstance(part, float) else part for part in (one.value, one.limit))
    return DemoCause(code=one.code, layers=None, value=value, limit=limit, text=one.text)


def _start(experiment: Experiment) -> DemoStart:
    """Return what one batch shows of the network before any step."""
    _, _, summary, judgement = experiment.judged()
    return DemoStart(
        parameters=experiment.parameters,
        status=judgement.status,
        gradient_span=number(summary.gradient_span),
        mean_local_gain=number(summary.mean_local_gain),
    )


def _strategy(one: Strategy, training: TrainingSpec) -> DemoStrategy:
    step, tensor = one.first_nonfinite or (None, None)
    return DemoStrategy(
        rule=str(one.rule),
        name=one.rule.name,
        threshold=one.rule.threshold,
        status=one.status,
        final_loss=number(one.final.loss),
        final_accuracy=number(one.final.accuracy),
        diverged=one.diverged_at is not None,
        diverged_at_step=one.diverged_at,
        steps=len(one.loss),
        largest_norm_before=number(one.largest_norm),
        largest_norm_after=number(one.largest_clipped_norm),
        clipped_fraction=number(one.clipped_share),
        mean_cosine=number(one.mean_cosine),
        mean_global_cosine=number(one.mean_global_cosine),
        learning_rate_lost=number(one.learning_rate_lost),
        nonfinite_steps=one.nonfinite_steps,
        first_nonfinite_step=step,
        first_nonfinite_tensor=tensor,
        conclusion=conclusion_of(one, training),
        series=DemoSeries(
            loss=_finite(one.loss),
            gradient_norm=_finite(one.norm),
            clipped_norm=_finite(one.clipped_norm),
            threshold=_finite(one.threshold),
        ),
    )


def _finite(values: Iterable[float]) -> tuple[float | None, ...]:
    return tuple(map(number, values))
