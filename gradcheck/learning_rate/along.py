"""The loss along the updates, at rates that all of them share: what a picture shows."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from gradcheck.learning_rate.answer import Draw
from gradcheck.learning_rate.search import CriticalRate

#: The rates, as powers of two of the critical one.
POWERS = range(-5, 3)


class Along(NamedTuple):
    """What a rate does to the loss.

    Attributes
    ----------
    rate : float
    change : float or None
        By which share of itself the loss changes, the median of the updates along which that is known.
    risen : float
        The share of the updates along which the loss rises.
    """

    rate: float
    change: float | None
    risen: float


def losses_along(draws: Sequence[Draw], critical: float) -> Iterator[Along]:
    """Yield what rates around the critical one do, from the lowest; what lies between two points is interpolated."""
    found = [step.critical for draw in draws for step in draw.counted if step.critical.status == "found"]
    for power in POWERS:
        rate = critical * 2.0**power
        changes = [change for one in found if (change := _change(one, rate)) is not None]
        risen = sum(one.rate < rate for one in found) / len(found)
        yield Along(rate, median(changes) if 2 * len(changes) >= len(found) else None, risen)


def _change(found: CriticalRate, rate: float) -> float | None:
    """Return the share by which the loss changes at a rate; None beyond the last one that was looked at."""
    points = [(0.0, found.loss), *found.seen]
    after = bisect_left([at for at, _ in points], rate)
    if after == len(points) or not found.loss:
        return None
    (low, before), (high, then) = points[after - 1], points[after]
    loss = before + (rate - low) / (high - low) * (then - before)
    return (loss - found.loss) / abs(found.loss)
