"""Where a run begins anew within one log, and how steps go on that begin again with each epoch.

| constant | value | reason |
|---|---|---|
| ``RISING`` | 3 rows | so many rise before a step back, and after it, where a run ends and the next begins |
| ``CONTINUES`` | 1/4 | of the way that the loss went: no further back, an epoch begins, and not a run |
| ``MOVED`` | 10 % | a loss that changed less tells nothing |
"""

import math

import numpy as np
import numpy.typing as npt

from gradcheck.logs.robust import median
from gradcheck.logs.runs import RESUMES, Rows

RISING, CONTINUES, MOVED = 3, 0.25, 0.1

#: Rows from one step back to the next, on average, where only what is certain counts.
FEWEST_BETWEEN = 8


class Steps:
    """Numbers the rows of a log, block by block, and finds where another run begins."""

    def __init__(self, certain: bool = False) -> None:
        self._certain = certain  # a run begins only where the loss is back where it was at the start, too
        self.last, self._raw, self._epoch = -math.inf, -math.inf, math.inf  # of the last row
        self._first, self._rows, self._offset, self._interval = math.nan, 0, 0.0, 1.0
        self._losses = (math.nan, math.nan)

    def numbered(self, steps: Rows, epochs: Rows | None, lengths: Rows | None, losses: Rows) -> tuple[Rows, list[int]]:
        """Return steps that go on through the epochs, and the places at which another run begins.

        Parameters
        ----------
        steps, epochs, lengths, losses : array (rows,)
            As they are logged; an epoch's length in steps, where it is known.
        """
        before = np.concatenate([[self._raw], steps[:-1]])
        again = steps == before
        if epochs is not None and again.any():  # a row an epoch, each at the same place
            again &= epochs != np.concatenate([[self._epoch], epochs[:-1]])
            drops = np.flatnonzero((steps < before) | again)
        else:
            drops = np.flatnonzero(steps < before)
        offsets = np.zeros(len(steps))
        offsets[:] = self._offset
        restarts: list[int] = []
        start = 0
        ordered = self._is_orderly(steps, drops, epochs)
        for at in (*drops.tolist(), len(steps)):
            self._learn(steps[start:at], losses[start:at])
            if at == len(steps):
                break
            risen = self._risen(epochs, at)
            if risen:
                known = lengths is not None and lengths[at] >= before[at]
                offsets[at:] += (
                    lengths[at] * risen
                    if known and lengths is not None
                    else before[at] - steps[at] + (self._gap(steps[at]) if steps[at] < before[at] else steps[at])
                )
            elif ordered and steps[at] <= self._first + self._interval / 2 and self._rows >= min(RISING, len(steps)):
                if not self._begins(losses[at : at + RISING]):
                    offsets[at:] += before[at] - steps[at] + self._interval
                else:
                    offsets[at:] = 0.0
                    restarts.append(at)
                    self._rows, self._first, self._losses = 0, math.nan, (math.nan, math.nan)
            start = at
        self._offset, self._raw = float(offsets[-1]), float(steps[-1])
        self._epoch = self._epoch if epochs is None else float(epochs[-1])
        self.last = float((steps + offsets)[-1])
        return np.asarray(steps + offsets), restarts

    def _gap(self, step: float) -> float:
        """Return how far the first step of an epoch is from the last one of the epoch before."""
        return self._interval if step <= self._interval else 1.0

    def _risen(self, epochs: Rows | None, at: int) -> float:
        """Return by how many epochs a row is after the row before; 0 where the epoch isn't known, or not later."""
        if epochs is None:
            return 0.0
        rise = float(epochs[at] - (epochs[at - 1] if at else self._epoch))
        return rise if rise > 0 else 0.0

    def _is_orderly(self, steps: Rows, drops: npt.NDArray[np.intp], epochs: Rows | None) -> bool:
        """Whether the steps of a block rise but for a few places: one out of order begins no runs."""
        if self._certain and len(drops) * FEWEST_BETWEEN > len(steps):
            return False
        first = self._first if self._rows else float(steps[0])
        elsewhere = [
            at for at in drops.tolist() if steps[at] > first + self._interval / 2 and not self._risen(epochs, at)
        ]
        return len(elsewhere) <= max(8 if len(steps) > 64 else 1, RESUMES * len(steps))

    def _learn(self, steps: Rows, losses: Rows) -> None:
        """Remember where a run begins, its interval and its losses."""
        if not len(steps):
            return
        if not self._rows:
            self._first = float(steps[0])
            rises = np.diff(steps)
            rises = rises[rises > 0]
            self._interval = float(rises[0]) if len(rises) else 1.0
        known = losses[np.isfinite(losses)]
        if len(known):
            first = median(known[:RISING]) if math.isnan(self._losses[0]) else self._losses[0]
            self._losses = first, median(known[-RISING:])
        self._rows += len(steps)

    def _begins(self, losses: Rows) -> bool:
        """Whether these losses are those of another run; else the loss goes on, and steps are counted in each epoch."""
        known, (first, last) = losses[np.isfinite(losses)], self._losses
        if not len(known) or not abs(last - first) > MOVED * abs(first):
            return not self._certain
        way, now = last - first, median(known)
        if self._certain:
            return abs(now - first) < CONTINUES * abs(way)
        return not -CONTINUES < (now - last) / way < 1 / CONTINUES  # further on: a mean that begins anew with the epoch
