"""The report of a demonstration: plain data with one dict form, strict JSON values throughout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradcheck.base.document import Document
from gradcheck.base.loose import Loose
from gradcheck.base.record import number
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.conclusions import conclude, conclusion_of
from gradcheck.training.strategy import Strategy
from gradcheck.version import SCHEMA_VERSION, __version__


@dataclass(frozen=True)
class DemoReport(Document):
    """What clipping did.

    Attributes
    ----------
    config : Loose
        Every option with its resolved value.
    start : Loose
        The network as every run finds it: ``parameters``, ``status``, ``gradient_span``, ``mean_local_gain``.
    strategies : tuple of Loose
        One a strategy, in the order of ``config.clip``; keys as in ``gradcheck schema clip-demo``.
    verdict : Loose or None
        ``status``, ``best``, ``reasons``; None if no strategy is finished.
    warnings : tuple of str
    suggestion : str or None
        How a suggested threshold came about.
    complete : bool
        All strategies are finished.
    """

    text = "gradcheck.training.text:as_text"

    config: Loose
    start: Loose
    strategies: tuple[Loose, ...]
    verdict: Loose | None
    warnings: tuple[str, ...]
    suggestion: str | None
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; a number that isn't finite is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "gradcheck_version": __version__,
            "command": "clip-demo",
            "config": dict(self.config),
            "start": dict(self.start),
            "strategies": [dict(one) for one in self.strategies],
            "verdict": self.verdict and dict(self.verdict),
            "warnings": list(self.warnings),
            "suggestion": self.suggestion,
            "complete": self.complete,
        }


def make_demo_report(
    config: Mapping[str, Any],
    experiment: Experiment,
    finished: Sequence[Strategy],
    training: TrainingSpec,
    warnings: Sequence[str],
    suggestion: str | None,
) -> DemoReport:
    """Lay out what the finished strategies have shown."""
    verdict = None
    if finished:
        status, best, reasons = conclude(finished)
        verdict = Loose(status=status, best=best, reasons=[one.text for one in reasons])
    return DemoReport(
        config=Loose(config),
        start=_start(experiment),
        strategies=tuple(_record(one, training) for one in finished),
        verdict=verdict,
        warnings=tuple(warnings),
        suggestion=suggestion,
        complete=len(finished) == len(config["clip"]),
    )


def _start(experiment: Experiment) -> Loose:
    """Return what one batch shows of the network before any step."""
    outcome = experiment.outcome()
    return Loose(
        parameters=experiment.parameters,
        status=outcome.diagnosis.verdict.status,
        gradient_span=number(outcome.summary.gradient_span),
        mean_local_gain=number(outcome.summary.mean_local_gain),
    )


def _record(one: Strategy, training: TrainingSpec) -> Loose:
    """Return a strategy as JSON values."""
    step, tensor = one.first_nonfinite or (None, None)
    return Loose(
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
        series=Loose(
            loss=[number(value) for value in one.loss],
            gradient_norm=[number(value) for value in one.norm],
            clipped_norm=[number(value) for value in one.clipped_norm],
            threshold=[number(value) for value in one.threshold],
        ),
    )
