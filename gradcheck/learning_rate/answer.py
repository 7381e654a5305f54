"""What the first updates say of the learning rate: the best one with its band, the ceiling, how long a warm-up."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import geometric_mean, median
from typing import NamedTuple

from gradcheck.learning_rate.rules import Rule
from gradcheck.learning_rate.search import Status
from gradcheck.learning_rate.warm_up import Step

#: Updates that don't count: the sharpness of a network changes most in the first ones.
FIRST = 5

#: The first rate of a warm-up is what the first updates take: a critical rate below the best one by more than the band
#: asks for one. It ends where the median of so many updates no longer does.
TOGETHER = 3


class Draw(NamedTuple):
    """One network's updates.

    Attributes
    ----------
    seed : int or None
        What it was drawn from; None of a user's own model.
    steps : tuple of Step
    """

    seed: int | None
    steps: tuple[Step, ...]

    @property
    def counted(self) -> tuple[Step, ...]:
        """The updates that count: all but the first ones, if there are more."""
        return self.steps[FIRST:] or self.steps

    @property
    def status(self) -> Status:
        """How most searches ended; ``found`` where half of them found a rate; ``nonfinite`` where the run ended so."""
        ends = Counter(step.critical.status for step in self.counted)
        if ends["nonfinite"] or not ends["found"] >= len(self.counted) / 2:
            del ends["found"]
            return "nonfinite" if ends["nonfinite"] else ends.most_common(1)[0][0]
        return "found"

    @property
    def critical(self) -> float:
        """The median of the critical rates; nan where there is none."""
        rates = [step.critical.rate for step in self.counted if step.critical.status == "found"]
        return median(rates) if rates and self.status == "found" else math.nan


class Answer(NamedTuple):
    """What all draws say together.

    Attributes
    ----------
    best, low, high : float
        The best rate, and the band in which it is: of all draws, each as uncertain as its rule.
    critical : float
        The rate above which the loss rose along half of the updates.
    ceiling : float
        The largest rate that trains, by the rule.
    warm_up : int
        Updates of warm-up; 0: none is needed.
    first : float
        The rate that the first update takes.
    """

    best: float
    low: float
    high: float
    critical: float
    ceiling: float
    warm_up: int
    first: float


def answer_of(draws: Sequence[Draw], rule: Rule) -> Answer | None:
    """Return what the draws say; None where one of them has no critical rate."""
    rates = [draw.critical for draw in draws]
    if not rates or any(map(math.isnan, rates)):
        return None
    critical = geometric_mean(rates)
    best = rule.best * critical
    return Answer(
        best=best,
        low=rule.best * min(rates) / rule.band,
        high=rule.best * max(rates) * rule.band,
        critical=critical,
        ceiling=rule.ceiling * critical,
        warm_up=max(_warm_up(draw, rule) for draw in draws),
        first=rule.best * min(_first(draw) for draw in draws),
    )


def _first(draw: Draw) -> float:
    """Return the critical rate of the first update that has one."""
    return next(step.critical.rate for step in draw.steps if step.critical.status == "found")


def _warm_up(draw: Draw, rule: Rule) -> int:
    """Return the last update at which the critical rates are still below all of the band."""
    limit, last = draw.critical / rule.band, 0
    for number, together in _medians(draw.steps):
        last = number if together < limit else last
    return last


def _medians(steps: Sequence[Step]) -> Iterator[tuple[int, float]]:
    """Yield each update's number, from 1, and the median of the critical rates around it."""
    rates = [(number, step.critical.rate) for number, step in enumerate(steps, 1) if step.critical.status == "found"]
    for at, (number, _) in enumerate(rates):
        near = rates[max(0, at - TOGETHER // 2) : at + TOGETHER // 2 + 1]
        yield number, median(rate for _, rate in near)
