"""The critical rate: how far a network can go along an update before its loss is above where it began.

Along the gradient of a quadratic it is 2 g·g/gᵀHg, twice the rate at which the loss is least; 2 over it is the critical
sharpness of Kalra et al. 2026, arXiv 2601.16979, who find it in 5 to 6 forward passes by doubling and bisection.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

#: How a search ends: with a rate; the loss changes at no rate; it rises at every rate; it falls at every rate; it isn't
#: finite before any step.
Status = Literal["found", "flat", "rises", "falls", "nonfinite"]

#: What each rate is multiplied by, or divided, until one is found on the other side: near the answer it
#: takes one or two, and nine go from one end of the rates to the other.
FACTORS = (2.0**0.5, 2.0, 2.0, 2.0, 4.0, 16.0, 2.0**8, 2.0**16, 2.0**32)

#: Rates that are looked at.
LOWEST, HIGHEST = 1e-15, 1e15

#: The bracket is halved on a log scale until its ends are within this factor; the answer is interpolated between them.
TOLERANCE = 2**0.5

#: A loss below the first one at a rate in this part of the lower end says that the way there doesn't rise.
WITHIN = (0.25, 0.75)

#: A loss within this share of the first one is the same: single precision has seven digits.
ROUNDING = 1e-6


class CriticalRate(NamedTuple):
    """What a search has found."""

    status: Status  # ``found``, ``flat``, ``rises``, ``falls``, ``nonfinite``
    rate: float  # the rate below which the loss hasn't risen; nan unless one is found
    loss: float  # at rate 0
    seen: tuple[tuple[float, float], ...] = ()  # each rate that was looked at, and its loss, in the order of the rates

    def with_points(self, losses: Mapping[float, float]) -> "CriticalRate":
        """Return the same with more rates that were looked at, and their losses."""
        return self._replace(seen=tuple(sorted({**dict(self.seen), **losses}.items())))

    @property
    def passes(self) -> int:
        """How many forward passes it took."""
        return len(self.seen)

    @property
    def least(self) -> tuple[float, float]:
        """The rate whose loss is least, and that loss; rate 0 where none is below the first."""
        return min([(0.0, self.loss), *self.seen], key=lambda point: math.inf if math.isnan(point[1]) else point[1])


class _Line:
    """The losses along one update, as far as they have been looked at."""

    def __init__(self, along: Callable[[float], float], loss: float) -> None:
        self.along, self.loss, self.slack = along, loss, ROUNDING * abs(loss)
        self.seen: dict[float, float] = {}

    def at(self, rate: float) -> float:
        """Return the loss at a rate, each of which is computed once."""
        if rate not in self.seen:
            self.seen[rate] = self.along(rate)
        return self.seen[rate]

    def risen(self, rate: float) -> bool:
        """Whether the loss is above the first one, or not finite."""
        return not -math.inf < self.at(rate) <= self.loss + self.slack

    def fell(self) -> bool:
        """Whether any loss is below the first one."""
        return any(-math.inf < loss < self.loss - self.slack for loss in self.seen.values())

    def fell_below(self, rate: float) -> bool:
        """Whether the loss is known to be below the first one about halfway to a rate."""
        low, high = WITHIN
        near = (loss for at, loss in self.seen.items() if low * rate <= at <= high * rate)
        return any(-math.inf < loss < self.loss - self.slack for loss in near)

    def ended(self, status: Status, rate: float = math.nan) -> CriticalRate:
        """Return what has been found."""
        return CriticalRate(status, rate, self.loss, tuple(sorted(self.seen.items())))


def critical_rate(
    along: Callable[[float], float], loss: float, start: float, tolerance: float = TOLERANCE
) -> CriticalRate:
    """Return the rate below which the loss along an update hasn't risen, with what was seen on the way.

    From `start` rates grow, or shrink, until the answer is between two of them, and these are brought together. Half of
    it is looked at, too: where the loss has risen there, it rises more than once, and the search goes on below.

    Parameters
    ----------
    along : callable
        Rate ↦ the loss at θ + rate·Δ.
    loss : float
        That at θ.
    start : float
        Where to begin.
    tolerance : float
        The factor within which the bracket is brought together.
    """
    line = _Line(along, loss)
    if not math.isfinite(loss):
        return line.ended("nonfinite")
    start = min(max(start, LOWEST), HIGHEST)
    while True:
        low, high = _bracket(line, start)
        if math.isinf(high):
            return line.ended("falls" if line.fell() else "flat")
        while low and high / low > tolerance * (1 + 1e-9):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if line.risen(middle) else (middle, high)
        if low > 2 * LOWEST and not line.fell_below(low) and line.risen(low / 2):
            start = low / 2
            continue
        return line.ended("found", _crossing(line, low, high)) if low and line.fell() else line.ended("rises")


def _bracket(line: _Line, start: float) -> tuple[float, float]:
    """Return a rate at which the loss hasn't risen, and one above it at which it has; 0 or infinity for none."""
    up = not line.risen(start)
    for factor in FACTORS:
        other = start * factor if up else start / factor
        if not LOWEST <= other <= HIGHEST:
            break
        if line.risen(other) == up:
            return (start, other) if up else (other, start)
        start = other
    return (start, math.inf) if up else (0.0, start)


def _crossing(line: _Line, low: float, high: float) -> float:
    """Return where the straight line between the two ends crosses the first loss."""
    below, above = max(0.0, line.loss - line.at(low)), line.at(high) - line.loss
    if not math.isfinite(below + above):
        return math.sqrt(low * high)
    return low + below / (below + above) * (high - low)
