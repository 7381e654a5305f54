"""The first steps of a training, each at a share of its own critical rate, and what follows from them."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gradcheck.learning_rate.descent import Descent
from gradcheck.learning_rate.search import ROUNDING, CriticalRate, critical_rate

#: The steps that are taken, and the share of the critical rate that each is: along a quadratic half of it is the best.
STEPS, SHARE = 25, 0.5

#: Where the first step's search begins.
START = 0.01


class Step(NamedTuple):
    """One step of the warm-up.

    Attributes
    ----------
    critical : CriticalRate
        What the search along the step's update found.
    rate : float
        The rate at which the step was taken; 0 for no move.
    """

    critical: CriticalRate
    rate: float


def warm_up(
    descent: Descent, steps: int = STEPS, share: float = SHARE, start: float = START, rounding: float = ROUNDING
) -> Iterator[Step]:
    """Search along each update, and go a share of what is found; end where the loss is not finite.

    Where a step has no critical rate (it rises at once, as it may with momentum), the last one's is taken.

    Parameters
    ----------
    descent : Descent
    steps : int
        At most.
    share : float
        Of its critical rate, at which each step is taken.
    start : float
        Where the first step's search begins.
    rounding : float
        The share of a loss by which it has to change to count as changed.
    """
    last = 0.0
    for _ in range(steps):
        loss = descent.look()
        critical = critical_rate(descent.along, loss, last or start, rounding=rounding)
        last = critical.rate if critical.status == "found" else last
        rate = share * last
        descent.step(rate)
        yield Step(critical, rate)
        if not math.isfinite(loss):
            return
