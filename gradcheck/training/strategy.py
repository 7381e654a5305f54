"""One strategy of a demonstration: a run under one clipping rule, and how it ended."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean

from gradcheck.spec.clip_rules import Rule
from gradcheck.training.sgd import Evaluation, TrainingStep

#: Training accuracy from which a run has learned.
LEARNED = 0.85

#: A run is stuck if its accuracy has gained less than this part of the gap between chance and 1.
STUCK = 0.1

#: A loss above this multiple of the first one has left for good, unless it comes back.
DIVERGED = 2.0

#: Neighbouring steps that are judged together.
WINDOW = 25

STATUSES = ("learned", "learning", "stuck", "diverged", "stopped")


@dataclass(frozen=True)
class Strategy:
    """How a run ended."""

    rule: Rule
    # one of ``STATUSES``: it has learned; is still learning; is near chance; its loss left and didn't come back; a
    # non-finite gradient stopped it
    status: str
    final: Evaluation  # loss and accuracy on all examples, after the last step
    # first step (from 1) from which the loss is above its limit, or not finite, in most steps to the end
    diverged_at: int | None
    # largest_norm, largest_clipped_norm: of the global norm, before and after clipping; nan if no step had a finite one
    largest_norm: float
    largest_clipped_norm: float
    clipped_share: float  # share of the steps with a finite gradient in which the rule acted
    # mean_cosine, mean_global_cosine: between clipped and raw gradient over the steps with a finite one: the mean over
    # the tensors, and with all of them as one vector
    mean_cosine: float
    mean_global_cosine: float
    learning_rate_lost: float  # 1 − the mean part of the raw gradient's length that is left along it
    nonfinite_steps: int  # steps whose gradient was not finite
    # the first of them (from 1) and the first tensor that the backward pass reaches
    first_nonfinite: tuple[int, str] | None
    # loss, norm, clipped_norm, threshold: of each step; nan where there is none
    loss: tuple[float, ...]
    norm: tuple[float, ...]
    clipped_norm: tuple[float, ...]
    threshold: tuple[float, ...]


def judge_run(
    rule: Rule, steps: Sequence[TrainingStep], final: Evaluation, *, stopped: bool, chance: float
) -> Strategy:
    """Return how a run of at least one step ended, or was stopped by a gradient that is not finite.

    The chance is the accuracy of naming the most frequent class; nan without labels.
    """
    reports = [step.report for step in steps if math.isfinite(step.report.kept)]
    loss = tuple(step.loss for step in steps)
    diverged_at = None if stopped else left_for_good(loss)
    nonfinite = [(number, step.nonfinite) for number, step in enumerate(steps, start=1) if step.nonfinite]
    return Strategy(
        rule=rule,
        status="stopped" if stopped else "diverged" if diverged_at else _progress(loss, final, chance),
        final=final,
        diverged_at=diverged_at,
        largest_norm=max((report.norm_before for report in reports), default=math.nan),
        largest_clipped_norm=max((report.norm_after for report in reports), default=math.nan),
        clipped_share=_mean(float(report.clipped) for report in reports),
        mean_cosine=_mean(report.cosine for report in reports),
        mean_global_cosine=_mean(report.global_cosine for report in reports),
        learning_rate_lost=1 - _mean(report.kept for report in reports),
        nonfinite_steps=len(nonfinite),
        first_nonfinite=nonfinite[0] if nonfinite else None,
        loss=loss,
        norm=tuple(step.report.norm_before for step in steps),
        clipped_norm=tuple(step.report.norm_after for step in steps),
        threshold=tuple(math.nan if one is None else one for one in (step.report.threshold for step in steps)),
    )


def _mean(values: Iterable[float]) -> float:
    """Return the mean; nan of nothing."""
    numbers = list(values)
    return fmean(numbers) if numbers else math.nan


def loss_limit(loss: Sequence[float]) -> float:
    """Return the loss above which a run has left: a multiple of its first one; infinite if that isn't finite."""
    return DIVERGED * loss[0] if math.isfinite(loss[0]) else math.inf


def left_for_good(loss: Sequence[float]) -> int | None:
    """Return the first step (from 1) from which a run has left to the end; None if it hasn't, or came back.

    It has left where most of any WINDOW neighbouring losses are above the limit or not finite: one good batch among
    bad ones is no return, one bad batch is no departure. A run of a few steps has a shorter window.
    """
    limit = loss_limit(loss)
    gone = [not (math.isfinite(one) and one <= limit) for one in loss]
    window = max(1, min(WINDOW, len(gone) // 8))
    away = [2 * sum(gone[first : first + window]) > window for first in range(len(gone) - window + 1)]
    staying = sum(takewhile(bool, reversed(away)))
    return gone.index(True, len(away) - staying) + 1 if staying else None


def _progress(loss: Sequence[float], final: Evaluation, chance: float) -> str:
    """Return how far a run that neither diverged nor was stopped has come."""
    if not math.isfinite(final.loss):
        return "stuck"
    if math.isnan(final.accuracy):  # without labels: how much of the loss is gone
        gain = 1 - final.loss / loss[0] if loss[0] > 0 else 1.0
    elif final.accuracy >= LEARNED:
        return "learned"
    else:
        gain = (final.accuracy - chance) / (1 - chance) if chance < 1 else 1.0
        return "stuck" if gain < STUCK else "learning"
    return "learned" if gain >= LEARNED else "stuck" if gain < STUCK else "learning"
