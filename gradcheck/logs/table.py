"""Rows of a log of any length in bounded memory.

Where there are too many rows, neighbours are merged: of each group one row is kept as a sample, and the one with the
largest gradient as its peak, so that a log of gigabytes keeps both its typical course and its spikes. What must be
exact (the first number that isn't finite, how often there is one) is counted as the rows pass.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.logs.columns import Column, Layout
from gradcheck.logs.lines import Problems
from gradcheck.logs.numbers import MISSING, LogRow

Rows = npt.NDArray[np.float64]

#: Columns of a log; later ones are left out.
MOST_COLUMNS = 20_000

#: Cells that are kept of samples, and as many of peaks: 8 MiB each, twice that before neighbours are merged.
MOST_CELLS = 2**20

#: Fewest and most rows that are kept.
FEWEST_ROWS, MOST_ROWS = 64, 2**16

#: Rows that are examined together.
BLOCK_ROWS, BLOCK_CELLS = 1024, 2**19

#: Layouts that are remembered.
MOST_LAYOUTS = 2000

#: With more steps back than this part of the rows, a log is not of a resumed run but out of order.
RESUMES = 0.02

#: The first column of all: the step, or the row's number where there is none.
POSITION = Column("position")

#: Quantities that must be finite.
FINITE = ("loss", "grad_norm", "grad_norm_after", "weight_norm", "activation_rms", "update_norm", "update_ratio")


class Nonfinite(NamedTuple):
    """The rows that have numbers that aren't finite, and those of the first one: inf, or −inf for not a number."""

    first_step: float
    last_step: float
    rows: int
    values: dict[Column, float]


class Table:
    """Takes in rows; columns that are too many are problems."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.columns: dict[Column, int] = {POSITION: 0}
        self.rows = 0
        self.stride = 1
        self.steps_back = 0
        self.nonfinite: Nonfinite | None = None
        self._places: dict[Layout, tuple[Any, Any]] = {}
        self._block = np.full((BLOCK_ROWS, 16), np.nan)
        self._filled = 0
        self._kept: list[tuple[Rows, Rows]] = []
        self.last_step = -math.inf
        self._before: dict[str, float] = {}
        self._ends, self._offset = (-math.inf, math.inf), 0.0

    def add(self, row: LogRow) -> None:
        """Take in a row, or neighbouring ones of one layout."""
        layout, values = row
        places, wanted = self._places.get(layout) or self._placed(layout)
        rows = np.frombuffer(values).reshape(-1, len(layout.columns))
        if wanted is not None:
            rows = rows[:, wanted]
        while len(rows):
            end = self._filled + min(len(rows), len(self._block) - self._filled)
            self._block[self._filled : end, places] = rows[: end - self._filled]
            rows, self._filled = rows[end - self._filled :], end
            if end == len(self._block):
                self._absorb()

    def kept(self) -> tuple[Rows, Rows]:
        """Return samples and peaks, (rows, columns), in the order of the steps."""
        if self._filled:
            self._absorb()
        samples, peaks = self._joined()
        self._kept = [(samples, peaks)]
        order = self._order(samples[:, 0])
        return samples[order], peaks[order]

    @property
    def rows_read(self) -> int:
        """Rows that were taken in, including those not yet examined."""
        return self.rows + self._filled

    def _placed(self, layout: Layout) -> tuple[Any, Any]:
        """Return the places of a layout's columns, new ones included; and which of its values have one, if not all."""
        for column in layout.columns:
            if column not in self.columns:
                if len(self.columns) >= MOST_COLUMNS:
                    self.problems.add(f"has more columns than {MOST_COLUMNS:,}: left out", self.rows_read + 1)
                    break
                self.columns[column] = len(self.columns)
        if len(self.columns) > self._block.shape[1]:
            self._widen(2 * len(self.columns))
        wanted = [index for index, column in enumerate(layout.columns) if column in self.columns]
        places = np.array([self.columns[layout.columns[index]] for index in wanted], dtype=np.intp)
        if len(self._places) >= MOST_LAYOUTS:
            self._places.clear()
        found = places, None if len(wanted) == len(layout.columns) else np.array(wanted, dtype=np.intp)
        self._places[layout] = found
        return found

    def _widen(self, width: int) -> None:
        """Make room for more columns, in blocks of fewer rows."""
        if self._filled:
            self._absorb()
        rows = max(16, min(BLOCK_ROWS, BLOCK_CELLS // width))
        self._block = np.full((max(1 << (rows.bit_length() - 1), self.stride), width), np.nan)

    def _absorb(self) -> None:
        """Examine the rows of the block, and keep as many as there is room for."""
        block = self._block[: self._filled, : len(self.columns)].copy()
        self._block[: self._filled] = np.nan
        self._filled = 0
        with np.errstate(all="ignore"):  # steps at the ends of the floats' range
            self._number(block)
            self._watch(block)
        self.rows += len(block)
        self._kept.append((_samples(block, self.stride), self._peaks(block, self.stride)))
        capacity = max(FEWEST_ROWS, min(MOST_ROWS, MOST_CELLS // len(self.columns)))
        while sum(len(samples) for samples, _ in self._kept) > 2 * capacity:
            samples, peaks = self._joined()
            self._kept = [(_samples(samples, 2), self._peaks(peaks, 2))]
            self.stride *= 2
        if self.stride > len(self._block):
            self._block = np.full((self.stride, self._block.shape[1]), np.nan)

    def _number(self, block: Rows) -> None:
        """Write each row's step into the first column; a row without one has that of the row before."""
        steps, epochs = (self._filled_up(block, name) for name in ("step", "epoch"))
        if steps is None:
            steps = np.arange(self.rows + 1.0, self.rows + 1 + len(block)) if epochs is None else epochs
        elif epochs is not None:
            steps = self._through_epochs(steps, epochs)
        block[:, 0] = steps

    def _filled_up(self, block: Rows, name: str) -> Rows | None:
        """Return a column, its gaps filled with the number before; None if there is no such column, or number."""
        place = self.columns.get(Column(name), block.shape[1])
        if place >= block.shape[1]:
            return None
        values = np.where(np.isfinite(block[:, place]), block[:, place], np.nan)
        if name not in self._before and np.isnan(values).all():
            return None
        known = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        filled = np.where(known >= 0, values[known], self._before.get(name, 0.0))
        self._before[name] = float(filled[-1])
        return filled

    def _through_epochs(self, steps: Rows, epochs: Rows) -> Rows:
        """Return steps that go on rising where those of the log begin again with each epoch."""
        last_step, last_epoch = self._ends
        before = np.concatenate([[last_step], steps[:-1]])
        again = (steps < before) & (np.diff(epochs, prepend=last_epoch) > 0)
        offsets = self._offset + np.cumsum(np.where(again, before - steps + 1, 0.0))
        self._ends, self._offset = (float(steps[-1]), float(epochs[-1])), float(offsets[-1])
        return np.asarray(steps + offsets)

    def _watch(self, block: Rows) -> None:
        """Count steps back and numbers that aren't finite; what a resumed run repeats is forgotten."""
        steps = np.concatenate([[self.last_step], block[:, 0]])
        back = np.flatnonzero(np.diff(steps) < 0)
        self.steps_back += len(back)
        self.last_step = float(steps[-1])
        columns = list(self.columns)[: block.shape[1]]
        watched = np.array([column.quantity in FINITE for column in columns])
        wrong = np.isinf(block) & watched
        rows = np.flatnonzero(wrong.any(1))
        if len(back) and not self.out_of_order:
            again = block[back[-1], 0]
            if self.nonfinite and again <= self.nonfinite.first_step:
                self.nonfinite = None
            rows = rows[(rows >= back[-1]) | (block[rows, 0] < again)]
        if len(rows):
            first = {c: float(block[rows[0], at]) for at, c in enumerate(columns) if wrong[rows[0], at]}
            old = self.nonfinite or Nonfinite(float(block[rows[0], 0]), 0.0, 0, first)
            self.nonfinite = old._replace(last_step=float(block[rows[-1], 0]), rows=old.rows + len(rows))

    @property
    def out_of_order(self) -> bool:
        """Whether the steps go back too often for a run that is resumed."""
        return self.steps_back > max(8, RESUMES * self.rows)

    def _joined(self) -> tuple[Rows, Rows]:
        """Return the samples that are kept, and the peaks, as wide as there are columns."""
        width = len(self.columns)
        none = np.empty((0, width))
        samples, peaks = (
            np.concatenate([none, *(_padded(pair[which], (0, width - pair[which].shape[1])) for pair in self._kept)])
            for which in (0, 1)
        )
        return samples, peaks

    def _order(self, steps: Rows) -> npt.NDArray[np.intp]:
        """Return which rows count, in the order of their steps."""
        if self.out_of_order:
            return np.argsort(steps, kind="stable")
        later = np.append(np.minimum.accumulate(steps[::-1])[::-1][1:], np.inf)
        return np.flatnonzero(steps <= later)

    def _peaks(self, rows: Rows, together: int) -> Rows:
        """Return the row of each group with the largest gradient; what it lacks is taken from the sample."""
        if together == 1:
            return rows
        norms = [at for column, at in self.columns.items() if column.quantity == "grad_norm" and at < rows.shape[1]]
        sizes = np.fmax.reduce(rows[:, norms], axis=1, initial=np.nan) if norms else np.zeros(len(rows))
        groups = _grouped(np.where(np.isfinite(sizes), sizes, -1.0)[:, None], together, -2.0)[:, :, 0]
        largest = groups.argmax(1) + together * np.arange(len(groups))
        return np.where(np.isnan(rows[largest]), _samples(rows, together), rows[largest])


def _samples(rows: Rows, together: int) -> Rows:
    """Return the first number in each column of each group of rows."""
    if together == 1:
        return rows
    groups = _grouped(rows, together, np.nan)
    first = (~np.isnan(groups)).argmax(1)
    return np.take_along_axis(groups, first[:, None, :], 1)[:, 0]


def _grouped(rows: Rows, together: int, fill: float) -> Rows:
    """Return (groups, together, columns); the last group is filled up."""
    return _padded(rows, (-len(rows) % together, 0), fill).reshape(-1, together, rows.shape[1])


def _padded(rows: Rows, more: tuple[int, int], fill: float = MISSING) -> Rows:
    """Return rows with so many further rows and columns."""
    return np.pad(rows, [(0, size) for size in more], constant_values=fill) if any(more) else rows
