"""One run of a log: what is kept of its rows, in bounded memory, and what is counted as they pass."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.logs.columns import PART, Column
from gradcheck.logs.numbers import MISSING
from gradcheck.logs.records import LAYER_QUANTITIES

Rows = npt.NDArray[np.float64]

#: Cells that are kept of samples, and as many of peaks: 8 MiB each, twice that before neighbours are merged.
MOST_CELLS = 2**20

#: Fewest and most rows that are kept.
FEWEST_ROWS, MOST_ROWS = 64, 2**16

#: With more steps back than this part of the rows, a log is not of a resumed run but out of order.
RESUMES = 0.02

#: Quantities that must be finite.
FINITE = (
    "loss", PART, "grad_norm", "grad_norm_after", "weight_norm", "activation_rms", "update_norm", "update_ratio",
)  # fmt: skip


#: Quantities that make a row one of the training.
JUDGED = ("loss", PART, *LAYER_QUANTITIES)


class Nonfinite(NamedTuple):
    """The rows that have numbers that aren't finite, and those of the first one: inf, or −inf for not a number."""

    first_step: float
    last_step: float
    rows: int
    values: dict[Column, float]


class Run:
    """Takes in numbered rows."""

    def __init__(self, columns: dict[Column, int], key: tuple[tuple[Column, float], ...] = ()) -> None:
        self.columns = columns  # column ↦ its place; it grows as new ones come
        self.key = key  # the columns that tell it from other runs, each with its value
        self.newest_first = False  # each block of rows is of before the one that was taken in before it
        self.rows = 0  # how many were taken in that have a number to judge
        self.stride = 1  # of how many rows one is kept
        self.steps_back = 0  # how often the step is smaller than the one before
        self.nonfinite: Nonfinite | None = None
        self.nonfinite_of: dict[Column, Nonfinite] = {}  # column ↦ the rows in which it isn't finite, each by itself
        self.first_step, self.last_step = math.nan, -math.inf
        self._kept: list[tuple[Rows, Rows]] = []
        self._rows_kept = 0

    def take(self, block: Rows, share: int = 1) -> None:
        """Examine rows, and keep as many as there is room for, which is shared by so many runs."""
        with np.errstate(all="ignore"):  # steps at the ends of the floats' range
            self._watch(block)
        if math.isnan(self.first_step):
            self.first_step = float(block[0, 0])
        judged = [column.quantity in JUDGED for column in list(self.columns)[: block.shape[1]]]
        self.rows += int((~np.isnan(block[:, judged])).any(1).sum())
        self._keep(_samples(block, self.stride), self._peaks(block, self.stride))
        self.thin(share)

    def thin(self, share: int) -> None:
        """Merge neighbours until there are no more than there is room for."""
        capacity = max(FEWEST_ROWS, min(MOST_ROWS, MOST_CELLS // len(self.columns)) // share)
        while self._rows_kept > 2 * capacity:
            samples, peaks = self._joined()
            self._kept, self._rows_kept = [], 0
            self._keep(_samples(samples, 2), self._peaks(peaks, 2))
            self.stride *= 2

    def _keep(self, samples: Rows, peaks: Rows) -> None:
        self._kept.append((samples, peaks))
        self._rows_kept += len(samples)

    def kept(self) -> tuple[Rows, Rows]:
        """Return samples and peaks, (rows, columns), in the order of the steps."""
        samples, peaks = self._joined()
        self._kept = [(samples, peaks)]
        order = self._order(samples[:, 0])
        return samples[order], peaks[order]

    @property
    def out_of_order(self) -> bool:
        """Whether the steps go back too often for a run that is resumed."""
        return self.newest_first or self.steps_back > max(8, RESUMES * self.rows)

    def _watch(self, block: Rows) -> None:
        """Count steps back and numbers that aren't finite; what a resumed run repeats is forgotten."""
        steps = np.concatenate([[-math.inf if self.newest_first else self.last_step], block[:, 0]])
        back = np.flatnonzero(np.diff(steps) < 0)
        self.steps_back += len(back)
        self.last_step = max(self.last_step, float(steps[-1])) if self.newest_first else float(steps[-1])
        columns = list(self.columns)[: block.shape[1]]
        watched = np.array([column.quantity in FINITE for column in columns])
        wrong = np.isinf(block) & watched
        again = math.nan
        if len(back) and not self.out_of_order:
            again = block[back[-1], 0]
            self._forget(again)
            wrong[: back[-1]] &= (block[: back[-1], 0] < again)[:, None]
        rows = np.flatnonzero(wrong.any(1))
        if len(rows):
            first = {c: float(block[rows[0], at]) for at, c in enumerate(columns) if wrong[rows[0], at]}
            self.nonfinite = self._with(self.nonfinite, block, rows, first)
            for at in np.flatnonzero(wrong.any(0)):
                own = np.flatnonzero(wrong[:, at])
                column = columns[at]
                first = {column: float(block[own[0], at])}
                self.nonfinite_of[column] = self._with(self.nonfinite_of.get(column), block, own, first)

    def _with(
        self, old: Nonfinite | None, block: Rows, rows: npt.NDArray[np.intp], first: dict[Column, float]
    ) -> Nonfinite:
        """Return what was counted before, and these rows of a block."""
        begin, end = float(block[rows[0], 0]), float(block[rows[-1], 0])
        if old is None:
            return Nonfinite(begin, end, len(rows), first)
        count = old.rows + len(rows)
        return (
            Nonfinite(begin, old.last_step, count, first)
            if self.newest_first
            else old._replace(last_step=end, rows=count)
        )

    def _forget(self, again: float) -> None:
        """Forget what isn't finite from a step on that a resumed run does anew."""
        if self.nonfinite and again <= self.nonfinite.first_step:
            self.nonfinite = None
        self.nonfinite_of = {column: one for column, one in self.nonfinite_of.items() if again > one.first_step}

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
    if not np.isnan(rows[::together]).any():
        return rows[::together].copy()
    groups = _grouped(rows, together, np.nan)
    first = (~np.isnan(groups)).argmax(1)
    return np.take_along_axis(groups, first[:, None, :], 1)[:, 0]


def _grouped(rows: Rows, together: int, fill: float) -> Rows:
    """Return (groups, together, columns); the last group is filled up."""
    return _padded(rows, (-len(rows) % together, 0), fill).reshape(-1, together, rows.shape[1])


def _padded(rows: Rows, more: tuple[int, int], fill: float = MISSING) -> Rows:
    """Return rows with so many further rows and columns."""
    return np.pad(rows, [(0, size) for size in more], constant_values=fill) if any(more) else rows
