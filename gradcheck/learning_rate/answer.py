"""What the runs say of the learning rate: the best one with its band, the ceiling, how long a warm-up."""

import math
from collections.abc import Sequence
from statistics import geometric_mean
from typing import NamedTuple

from gradcheck.learning_rate.rules import Rule
from gradcheck.learning_rate.runs import Draw, Run, best_of

#: A loss is above where it began by more than this share of it: batches differ.
RISEN = 0.1


class Answer(NamedTuple):
    """What all draws say together."""

    # best, low, high: the best rate, and the band in which it is: of all draws, each as uncertain as its rule
    best: float
    low: float
    high: float
    ceiling: float  # above it training fails: between the runs that lower the loss and those that don't, or by the rule
    shown: bool  # whether a run has shown that ceiling
    critical: float  # the rate from which on the first update raises the loss of its batch
    # updates of warm-up, as long as the loss of a run near the best rate is above where it began; 0: none is needed
    warm_up: int
    peak: float  # how many times the first loss that run's largest is


def answer_of(draws: Sequence[Draw], rule: Rule) -> Answer | None:
    """Return what the draws say; None where in one of them no run lowers the loss."""
    if not draws or not all(draw.runs and draw.furthest.falls for draw in draws):
        return None
    rates = [rule.best * best_of(draw.runs) for draw in draws]
    best = geometric_mean(rates)
    failed = [ceiling for draw in draws if (ceiling := _ceiling(draw)) is not None]
    ceiling = max(best, min(failed) if failed else rule.ceiling * best)
    nearest = [_nearest(draw, best) for draw in draws]
    return Answer(
        best=best,
        low=min(rates) / rule.band,
        high=max(best, min(max(rates) * rule.band, ceiling)),
        ceiling=ceiling,
        shown=bool(failed),
        critical=min(draw.start.rate for draw in draws),
        warm_up=max(map(_warm_up, nearest)),
        peak=max(map(_peak, nearest)),
    )


def _ceiling(draw: Draw) -> float | None:
    """Return the rate halfway, on a log scale, between the runs that lower the loss and those above that don't."""
    lowering = max(one.rate for one in draw.runs if one.falls)
    failing = [one.rate for one in draw.runs if one.rate > lowering]
    return math.sqrt(lowering * min(failing)) if failing else None


def _nearest(draw: Draw, best: float) -> Run:
    """Return the run that lowers the loss and is nearest to the best rate."""
    return min((one for one in draw.runs if one.falls), key=lambda one: abs(math.log(one.rate / best)))


def _warm_up(run: Run) -> int:
    """Return after how many updates the loss is no longer above where it began; 0 where it never is."""
    pairs = enumerate(zip(run.losses, run.began, strict=True))
    return max((number for number, (loss, began) in pairs if loss > began + RISEN * abs(began)), default=0)


def _peak(run: Run) -> float:
    """Return how many times where it began the loss is at most; 1 where that is zero."""
    return max(loss / began if began else 1.0 for loss, began in zip(run.losses, run.began, strict=True))
