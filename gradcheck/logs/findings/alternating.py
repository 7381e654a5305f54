"""Norms that come again every few rows: those of micro batches, where gradients are accumulated.

| constant | value | reason |
|---|---|---|
| ``APART`` | 0.5 decades | a sum of three gradients may be three times as large |
| ``FALL`` | 0.25 decades | from a cycle's highest row to its lowest: half of ``APART``, and of the deepest |
| ``CLEAR`` | 6 | robust deviations of what is left once the cycle is taken out |
| ``CYCLES`` | 6 | fewer are chance |
| ``LONGEST`` | 64 rows | more batches are seldom accumulated |
| ``ALIKE`` | 90 % of the cycles | have their lowest row at the same place |
| ``SCALED`` | 2.5 decades | a sum of 64 gradients is at most 64 times as large: more is a loss scale |
| ``OF_A_SUM`` | 0.15 decades | above the number of rows in a cycle: the noise of single gradients |
"""

from typing import NamedTuple

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.robust import MAD_TO_DEVIATION, Flags, Numbers, median, medians_of
from gradcheck.logs.series import Series

APART, FALL, CLEAR, CYCLES, LONGEST, ALIKE, SCALED, OF_A_SUM = 0.5, 0.25, 6.0, 6, 64, 0.9, 2.5, 0.15


class Cycle(NamedTuple):
    """Norms that come again after so many rows."""

    levels: Numbers  # log10 of each row of the cycle, (rows,), the lowest one first
    first: int  # the place of the lowest one

    @property
    def range(self) -> float:
        """Decades from the lowest to the highest."""
        return float(np.ptp(self.levels))


def cycle_of(series: Series) -> Cycle | None:
    """Return the cycle of the norm, which falls to its lowest row in one; None without any."""
    levels = np.log10(np.where(series.norms > 0, series.norms, np.nan))
    if len(levels) < 2 * CYCLES or np.isnan(levels).any():
        return None
    fall = -np.diff(levels)
    deepest = float(np.sort(fall)[-1 - len(fall) // LONGEST])  # in each cycle there is one
    falls = np.flatnonzero(fall > max(FALL, deepest / 2))
    if len(falls) < CYCLES:
        return None
    rows = round(median(np.diff(falls)))
    if not 2 <= rows <= min(LONGEST, len(levels) // CYCLES):
        return None
    folded = levels[: len(levels) // rows * rows].reshape(-1, rows)
    means = medians_of(folded, 0)
    rest = folded - means
    noise = MAD_TO_DEVIATION * median(np.abs(rest - medians_of(rest)[:, None]))
    lowest = int(means.argmin())
    if np.ptp(means) <= max(APART, CLEAR * noise) or np.mean(folded.argmin(1) == lowest) < ALIKE:
        return None
    return Cycle(np.roll(means, -lowest), lowest)


def unscaled_rows(series: Series) -> tuple[Flags, Finding] | None:
    """Return the rows whose norms are without the loss scale that others have, and a note; None if all are alike."""
    cycle = cycle_of(series)
    if cycle is None:
        return None
    ordered = np.sort(cycle.levels)
    gap = int(np.argmax(np.diff(ordered)))
    if ordered[gap + 1] - ordered[gap] < SCALED:
        return None
    low = cycle.levels <= ordered[gap]
    period = len(low)
    rows = np.roll(low, cycle.first)[np.arange(len(series.steps)) % period]
    numbers = {"scales": 2.0, "log10_apart": median(cycle.levels[~low]) - median(cycle.levels[low])}
    details = {"rows": period, "low": int(low.sum())}
    return rows, Finding("scaled-norms", *series.ends, (), numbers, None, details, signs=("accumulates",))


def find_accumulating(series: Series) -> list[Finding]:
    """Find norms that grow from row to row of a cycle as a sum does, and begin again: a note."""
    cycle = cycle_of(series)
    if cycle is None or cycle.range > np.log10(len(cycle.levels)) + OF_A_SUM or (np.diff(cycle.levels) <= 0).any():
        return []
    numbers = {"rows": float(len(cycle.levels)), "log10_apart": cycle.range}
    return [Finding("not-zeroed", *series.ends, (), numbers, severity=NOTE, signs=("accumulates",))]
