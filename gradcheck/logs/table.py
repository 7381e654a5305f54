"""Rows of a log of any length in bounded memory.

Where there are too many rows, neighbours are merged: of each group one row is kept as a sample, and the one with the
largest gradient as its peak, so that a log of gigabytes keeps both its typical course and its spikes. What must be
exact (the first number that isn't finite, how often there is one) is counted as the rows pass.
"""

from typing import Any

import numpy as np

from gradcheck.logs.columns import PART, Column, Layout
from gradcheck.logs.lines import Problems
from gradcheck.logs.numbers import NOT_A_NUMBER, LogRow
from gradcheck.logs.restarts import Steps
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

#: The largest float, as which some programs write an infinite number.
LARGEST = 1.797e308

#: Quantities that are kept beside those that make a row one of the training.
BESIDE = ("lr", "loss_scale", "max_norm", "overflow", "grad_left", "clipped_percent")


class Table:
    """Takes in rows; columns that are too many are problems.

    Attributes
    ----------
    columns : dict
        Column ↦ its place.
    names : dict
        Column ↦ what the log calls it.
    runs : list of Run
        In the order of the log.
    rows_found : int
        Rows that were taken in, those without a number to judge included.
    numbered_by : str
        What the rows' numbers are: step, epoch, or empty where they were counted.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.columns: dict[Column, int] = {POSITION: 0}
        self.names: dict[Column, str] = {}
        self.runs = [Run(self.columns)]
        self.rows_found = 0
        self.numbered_by = ""
        self._counted = 0
        self._places: dict[Layout, tuple[Any, Any]] = {}
        self._block = np.full((BLOCK_ROWS, 16), np.nan)
        self._filled = 0
        self._before: dict[str, float] = {}
        self._steps = Steps()
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
            block = self._judged(block)
            restarts = self._number(block) if len(block) else []
        for start, end in zip([0, *restarts], [*restarts, len(block)], strict=True):
            if start and len(self.runs) < MOST_RUNS:
                self.runs.append(Run(self.columns))
                for run in self.runs[:-1]:
                    run.thin(len(self.runs))
            if end > start:
                self.run.take(block[start:end], len(self.runs))
        if self.stride > len(self._block):
            self._block = np.full((self.stride, self._block.shape[1]), np.nan)

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
            beside &= ~(steps < np.fmax(highest, self._before.get("step", -np.inf)))
        return block[judged | beside]

    def _number(self, block: Rows) -> list[int]:
        """Write each row's step into the first column; return where another run begins."""
        steps, epochs, lengths = (self._filled_up(block, name) for name in ("step", "epoch", "epoch_length"))
        self.numbered_by = "step"
        if steps is None:
            own = epochs is not None and not (np.diff(epochs) == 0).any()  # rounded ones don't tell rows apart
            self.numbered_by = "epoch" if own else ""
            counted = np.arange(self._counted + 1.0, self._counted + 1.0 + len(block))
            steps = epochs if epochs is not None and own else counted
            epochs = lengths = None
        self._counted += len(block)
        place = self.columns.get(Column("loss"), block.shape[1])
        losses = block[:, place] if place < block.shape[1] else np.full(len(block), np.nan)
        block[:, 0], restarts = self._steps.numbered(steps, epochs, lengths, losses)
        return restarts

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
