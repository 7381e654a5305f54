"""Rows of a log of any length in bounded memory.

Where there are too many rows, neighbours are merged: of each group one row is kept as a sample, and the one with the
largest gradient as its peak, so that a log of gigabytes keeps both its typical course and its spikes. What must be
exact (the first number that isn't finite, how often there is one) is counted as the rows pass.
"""

from typing import Any

import numpy as np

from gradcheck.logs.columns import PART, Column, Layout
from gradcheck.logs.interleaved import Interleaved, Key
from gradcheck.logs.lines import Problems
from gradcheck.logs.numbering import Numbering
from gradcheck.logs.numbers import NOT_A_NUMBER, LogRow
from gradcheck.logs.runs import JUDGED, Nonfinite, Rows, Run

#: Columns of a log; later ones are left out.
MOST_COLUMNS = 20_000

#: Rows that are examined together.
BLOCK_ROWS, BLOCK_CELLS = 4096, 2**19

#: Layouts that are remembered.
MOST_LAYOUTS = 2000

#: Runs that are told apart; what begins after them is read as part of the last one.
MOST_RUNS = 64

#: The first column of all: the step, or the row's number where there is none.
POSITION = Column("position")

#: The largest float, as which some programs write an infinite number (MLflow's SQL store, JSON without infinity).
LARGEST = 1.797e308

#: Quantities that are kept beside those that make a row one of the training.
BESIDE = ("lr", "loss_scale", "max_norm", "overflow", "grad_left", "clipped_percent")


class Table:
    """Takes in rows; columns that are too many are problems."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.columns: dict[Column, int] = {POSITION: 0}  # column ↦ its place
        self.names: dict[Column, str] = {}  # column ↦ what the log calls it
        self.runs = [Run(self.columns)]  # in the order of their last rows
        self.rows_found = 0  # rows that were taken in, those without a number to judge included
        self._places: dict[Layout, tuple[Any, Any]] = {}
        self._block = np.full((BLOCK_ROWS, 16), np.nan)
        self._filled = 0
        self._interleaved = Interleaved(self.columns)
        self._of: dict[Key, tuple[Numbering, Run]] = {(): (Numbering(self.columns), self.runs[0])}
        self._last: Key = ()
        self._sums = False

    @property
    def run(self) -> Run:
        """The last run: the one that is judged first."""
        return self.runs[-1]

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
        """Return samples and peaks of the last run, (rows, columns), in the order of the steps."""
        self.flush()
        return self.run.kept()

    def flush(self) -> None:
        """Examine the rows that wait for more."""
        if self._filled:
            self._absorb()

    @property
    def numbered_by(self) -> str:
        """What the last rows' numbers are: step, epoch, or empty where they were counted."""
        return self._of[self._last][0].by

    @property
    def rows(self) -> int:
        """Rows of the last run."""
        return self.run.rows

    @property
    def stride(self) -> int:
        """Of how many rows of the last run one is kept."""
        return self.run.stride

    @property
    def steps_back(self) -> int:
        """How often a step of the last run is smaller than the one before."""
        return self.run.steps_back

    @property
    def nonfinite(self) -> Nonfinite | None:
        """What isn't finite in the last run."""
        return self.run.nonfinite

    @property
    def out_of_order(self) -> bool:
        """Whether the steps of the last run go back too often for a run that is resumed."""
        return self.run.out_of_order

    @property
    def last_step(self) -> float:
        """The step of the last row."""
        return self.run.last_step

    @property
    def rows_read(self) -> int:
        """Rows that were taken in, those not yet examined included."""
        return self.rows_found + self._filled

    def _placed(self, layout: Layout) -> tuple[Any, Any]:
        """Return the places of a layout's columns, new ones included; and which of its values have one, if not all."""
        self._take_columns(layout)
        if len(self.columns) > self._block.shape[1]:
            self._widen(2 * len(self.columns))
        wanted = [index for index, column in enumerate(layout.columns) if column in self.columns]
        places = np.array([self.columns[layout.columns[index]] for index in wanted], dtype=np.intp)
        if len(self._places) >= MOST_LAYOUTS:
            self._places.clear()
        found = places, None if len(wanted) == len(layout.columns) else np.array(wanted, dtype=np.intp)
        self._places[layout] = found
        return found

    def _take_columns(self, layout: Layout) -> None:
        """Give a place to the columns that have none, and to the sum of the parts of a loss."""
        sums = any(column.quantity == PART for column in layout.columns) and Column("loss") not in self.columns
        self._sums = (self._sums or sums) and Column("loss") not in layout.columns
        for column in (*layout.columns, *([Column("loss")] if sums else [])):
            if column not in self.columns:
                if len(self.columns) >= MOST_COLUMNS:
                    self.problems.add(f"has more columns than {MOST_COLUMNS:,}: left out", self.rows_read + 1)
                    break
                self.columns[column] = len(self.columns)
        for column, name in zip(layout.columns, layout.names, strict=False):
            self.names.setdefault(column, name)

    def _widen(self, width: int) -> None:
        """Make room for more columns, in blocks of fewer rows."""
        self.flush()
        rows = max(16, min(BLOCK_ROWS, BLOCK_CELLS // width))
        self._block = np.full((max(1 << (rows.bit_length() - 1), self.stride), width), np.nan)

    def _absorb(self) -> None:
        """Examine the rows of the block: leave out what holds nothing to judge, number the others, keep them."""
        block = self._block[: self._filled, : len(self.columns)].copy()
        self._block[: self._filled] = np.nan
        self.rows_found += self._filled
        self._filled = 0
        with np.errstate(all="ignore"):  # steps at the ends of the floats' range
            if self._sums and self.columns[Column("loss")] < block.shape[1]:
                self._add_up(block)
            block[block >= LARGEST] = np.inf
            block[block <= -LARGEST] = NOT_A_NUMBER
            block = self._judged(block)
            for key, rows in self._interleaved.parted(block) if len(block) else ():
                self._take(key, rows)
        if self.stride > len(self._block):
            self._block = np.full((self.stride, self._block.shape[1]), np.nan)

    def _take(self, key: Key, rows: Rows) -> None:
        """Number rows of one of several runs that may be interleaved, and keep them."""
        if key not in self._of:
            self._begin(key)
        self._last = key = key if key in self._of else self._last
        numbering, run = self._of[key]
        restarts = numbering.number(rows)
        rows, run.newest_first = (rows[::-1], True) if numbering.newest_first else (rows, False)
        for start, end in zip([0, *restarts], [*restarts, len(rows)], strict=True):
            if start and len(self.runs) < MOST_RUNS:
                run = self._begun(key)
            if end > start:
                run.take(rows[start:end], len(self.runs))
        self._of[key] = numbering, run
        self.runs.append(self.runs.pop(self.runs.index(run)))

    def _begin(self, key: Key) -> None:
        """Take a run in that has other values in the columns that tell runs apart, as long as there is room for it."""
        if () in self._of and self._interleaved.first(key):
            self._of[key] = self._of.pop(())
            self._of[key][1].key = key
        elif len(self.runs) < MOST_RUNS:
            self._of[key] = Numbering(self.columns), self._begun(key)

    def _begun(self, key: Key) -> Run:
        """Return another run, for which the others make room."""
        self.runs.append(Run(self.columns, key))
        for run in self.runs[:-1]:
            run.thin(len(self.runs))
        return self.runs[-1]

    def _add_up(self, block: Rows) -> None:
        """Write the sum of the parts of a loss into the loss."""
        places = [at for column, at in self.columns.items() if column.quantity == PART and at < block.shape[1]]
        parts = block[:, places]
        total = np.where(np.isnan(parts).all(1), np.nan, np.nansum(parts, axis=1))
        block[:, self.columns[Column("loss")]] = np.where((parts == NOT_A_NUMBER).any(1), NOT_A_NUMBER, total)

    def _judged(self, block: Rows) -> Rows:
        """Return the rows with a number to judge, and those with one beside it if their step isn't a smaller one."""
        columns = list(self.columns)[: block.shape[1]]
        known = ~np.isnan(block)
        judged = known[:, [column.quantity in JUDGED for column in columns]].any(1)
        if judged.all():
            return block
        beside = known[:, [column.quantity in BESIDE for column in columns]].any(1) & ~judged
        step = self.columns.get(Column("step"))
        if step is not None and beside.any():
            steps = block[:, step]
            highest = np.fmax.accumulate(np.where(judged, steps, np.nan))
            beside &= ~(steps < np.fmax(highest, self._of[self._last][0].last))
        return block[judged | beside]
