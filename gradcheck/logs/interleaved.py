"""Several runs in one log whose rows are mixed: a column says whose each row is.

A column with such a name need not tell runs apart: a seed may change with each epoch, a job be resumed under another
number. It does where its values come back, or begin, and the steps go back there.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from gradcheck.logs.columns import Column
from gradcheck.logs.numbering import filled_up
from gradcheck.logs.robust import nanmedians
from gradcheck.logs.runs import Rows

#: Values of a column that tells runs apart at most, and the fewest rows of each, on average.
MOST, FEWEST_ROWS = 64, 3

#: Part of the changes of its value at which the steps don't rise.
GO_BACK = 0.25

#: By what it is known that a run begins anew.
STEPS = (Column("step"), Column("epoch"))

#: The columns that tell runs apart, each with its value; none where there are none.
Key = tuple[tuple[Column, float], ...]


class Interleaved:
    """Parts blocks of rows by the runs that they are of; the columns grow as new ones come."""

    def __init__(self, columns: dict[Column, int]) -> None:
        self.columns = columns
        self._told: list[Column] = []
        self._counts: dict[Column, Counter[float]] = {}
        self._before: dict[Column, float] = {}

    def parted(self, block: Rows) -> Iterator[tuple[Key, Rows]]:
        """Yield the rows of each run with its key, the run of the last row last."""
        named = [column for column in self.columns if column.quantity == "run"]
        filled = {column: self._filled_up(column, block) for column in named}
        self._told = self._told or [column for column in named if self._tells(column, filled[column], block)]
        if not self._told:
            yield (), block
            return
        values = np.stack([filled[column] for column in self._told], axis=1)
        keys, which = np.unique(values, axis=0, return_inverse=True)
        which = which.reshape(-1)
        last = [int(np.flatnonzero(which == one)[-1]) for one in range(len(keys))]
        for one in sorted(range(len(keys)), key=last.__getitem__):
            yield tuple(zip(self._told, keys[one].tolist(), strict=True)), block[which == one]

    def first(self, key: Key) -> bool:
        """Whether a key is that of the rows before the first ones that were told apart."""
        return all(next(iter(self._counts[column]), None) == value for column, value in key)

    def _filled_up(self, column: Column, block: Rows) -> Rows:
        """Return a column, its gaps filled with the number before."""
        place = self.columns[column]
        values = block[:, place] if place < block.shape[1] else np.full(len(block), np.nan)
        filled = filled_up(values, self._before.get(column, np.nan))
        self._before[column] = float(filled[-1])
        return filled

    def _tells(self, column: Column, values: Rows, block: Rows) -> bool:
        """Whether a column has told runs apart up to the end of a block."""
        counts = self._counts.setdefault(column, Counter())
        if len(counts) <= MOST:
            counts.update(values[~np.isnan(values)].tolist())
        if not 2 <= len(counts) <= MOST or counts.total() < FEWEST_ROWS * len(counts):
            return False
        changes = np.flatnonzero(values[1:] != values[:-1]) + 1
        steps = next((block[:, at] for one in STEPS if (at := self.columns.get(one, -1)) > 0), None)
        if steps is None or np.isnan(steps).all() or not len(changes):
            return len(changes) > 0
        steps = filled_up(steps, np.nan)
        if len(changes) >= len(counts):  # a value comes back
            return float((steps[changes] <= steps[changes - 1]).mean()) >= GO_BACK
        return bool((steps[changes] <= np.nanmin(steps) + nanmedians(np.abs(np.diff(steps)))).all())
