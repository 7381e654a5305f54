"""The steps of a run's rows: as they are logged, carried through epochs, or counted; and where another run begins."""

import math

import numpy as np

from gradcheck.logs.columns import Column
from gradcheck.logs.restarts import Steps
from gradcheck.logs.robust import median
from gradcheck.logs.runs import Rows

#: So many steps that all fall by the same are those of a log whose newest row is the first.
FEWEST_FALLING = 4

#: Part of the steps that fall so: a row may be missing.
MOSTLY = 0.9


class Numbering:
    """Numbers rows that come block by block."""

    def __init__(self, columns: dict[Column, int]) -> None:
        self.columns = columns  # column ↦ its place; it grows as new ones come
        self.by = ""  # what the rows' numbers are: step, epoch, or empty where they were counted
        self.newest_first = False  # the steps fall from row to row
        self._are_lengths_steps = False  # ``Batch 4/203700`` is a step of epoch 4
        self._counted = 0
        self._before: dict[str, float] = {}
        self._steps, self._clock = Steps(), Steps(certain=True)

    @property
    def last(self) -> float:
        """The last step that was logged; −inf before the first."""
        return self._before.get("step", -math.inf)

    def number(self, block: Rows) -> list[int]:
        """Write each row's step into the first column; return where another run begins."""
        steps, epochs, lengths = (self._filled_up(block, name) for name in ("step", "epoch", "epoch_length"))
        clock = self._filled_up(block, "time") if epochs is None else epochs
        place = self.columns.get(Column("loss"), block.shape[1])
        losses = block[:, place] if place < block.shape[1] else np.full(len(block), np.nan)
        if steps is not None and lengths is not None and epochs is None:
            self._are_lengths_steps = self._are_lengths_steps or _lengths_rise(steps, lengths)
            if self._are_lengths_steps:
                steps, epochs, lengths = lengths, steps, None
        self.by = "step"
        if steps is None:
            own = epochs is not None and not (np.diff(epochs) == 0).any()  # rounded ones don't tell rows apart
            self.by = "epoch" if own else ""
            steps = epochs if epochs is not None and own else self._count(block)
            epochs = lengths = None
        self.newest_first = self.newest_first or _falls(steps)
        if self.newest_first:
            block[:, 0] = steps
            return []
        if not self.by and clock is not None:
            return self._counted_anew(block, self._clock.numbered(clock, None, None, losses)[1])
        block[:, 0], restarts = self._steps.numbered(steps, epochs, lengths, losses)
        return restarts

    def _count(self, block: Rows) -> Rows:
        """Return the numbers of rows that have none."""
        counted = np.arange(self._counted + 1.0, self._counted + 1.0 + len(block))
        self._counted += len(block)
        return counted

    def _counted_anew(self, block: Rows, restarts: list[int]) -> list[int]:
        """Count the rows of each run by themselves; return where one begins."""
        counted = np.arange(self._counted + 1.0 - len(block), self._counted + 1.0)
        for at in restarts:
            counted[at:] -= counted[at] - 1
        block[:, 0], self._counted = counted, int(counted[-1])
        return restarts

    def _filled_up(self, block: Rows, name: str) -> Rows | None:
        """Return a column, its gaps filled with the number before; None if there is no such column, or number."""
        place = self.columns.get(Column(name), block.shape[1])
        if place >= block.shape[1]:
            return None
        values = np.where(np.isfinite(block[:, place]), block[:, place], np.nan)
        if name not in self._before and np.isnan(values).all():
            return None
        if name == "step" and name not in self._before:
            values = _begun(values)
        filled = filled_up(values, self._before.get(name, 0.0))
        self._before[name] = float(filled[-1])
        return filled


def filled_up(values: Rows, before: float) -> Rows:
    """Return numbers whose gaps have the number before."""
    known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(known >= 0, values[known], before)


def _begun(steps: Rows) -> Rows:
    """Return steps of which the first, before the first that is known, are as far apart as those after it."""
    known = np.flatnonzero(~np.isnan(steps))
    rises = np.diff(steps[known])
    rises = rises[rises > 0]
    first = int(known[0])
    if first and len(rises):
        steps[:first] = np.maximum(steps[first] - median(rises) * np.arange(first, 0, -1), 0.0)
    return steps


def _lengths_rise(steps: Rows, lengths: Rows) -> bool:
    """Whether what seems the number of steps rises from row to row, and the step doesn't."""
    rises, by = np.diff(steps) > 0, np.diff(lengths)
    return bool((by > 0).any() and not (rises & (by == 0)).any() and (rises & (by > 0)).sum() < (by > 0).sum() / 2)


def _falls(steps: Rows) -> bool:
    """Whether steps fall from row to row, by the same."""
    falls = np.diff(steps)
    usual = median(falls) if len(falls) >= FEWEST_FALLING - 1 else 0.0
    return usual < 0 and float((falls == usual).mean()) >= MOSTLY
