"""Spikes of the loss below a decade, held against the run's own spread: a note, for a batch may just be hard.

A loss may take rows to come back from a spike, so that the tail of the run is that of its excursions' peaks.

| constant | value | reason |
|---|---|---|
| ``LEAST`` | 0.25 decades | less than 1.8-fold is within what harder batches cost |
| ``SPREADS`` | 10 | robust standard deviations; the tail of the run must be far below as well (``spikes``) |
| ``UP`` | 2 | robust standard deviations: rows above them in a row are one excursion |
| ``CALM``, ``GAP`` | 4 deviations, twofold | noise stays below, and what is so far above is none of it |
| ``APART`` | 1.5 times the decades of all but as many others | else it is the hardest of many hard batches |
| ``OF_RANGE`` | 10 % of what the loss has fallen | where it is nearly zero, a multiple of it takes back nothing |
| ``RATE`` | 1.5-fold | a learning rate that jumps so is a restart, and the loss rises with it by design |
| ``REGULAR`` | 3 spikes | as far apart as epochs are: a mean that begins anew, or the same hard batch |
"""

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.losses import find_loss_jump, is_of_a_policy, positive
from gradcheck.logs.findings.spikes import (
    COMMON,
    FEW,
    NEAR,
    SPIKE,
    before_growth,
    below_the_gap,
    excess_of,
    find_spikes,
    tail_of,
)
from gradcheck.logs.robust import FEWEST, MAD_TO_DEVIATION, Numbers, median
from gradcheck.logs.series import Series, Track

LEAST, SPREADS, UP, CALM, GAP, APART = 0.25, 10.0, 2.0, 4.0, 2.0, 1.5
OF_RANGE, RATE, REGULAR = 0.1, 1.5, 3

Rows = npt.NDArray[np.intp]

#: Decades above its usual size from which a norm is no longer quiet.
LOUD = 0.3

#: Rows with which an epoch begins.
FIRST = 2

#: Rows before and after a spike whose learning rates are compared.
BESIDE = 12


def find_loss_spikes(series: Series) -> list[Finding]:
    """Find single losses far above those before and after, beside a loss whose noise is small: a note."""
    if not len(positive(series)[1]) or is_of_a_policy(series):
        return []
    track = before_growth(series.loss, series)
    excess = excess_of(track) if len(track) >= 2 * FEWEST else np.empty(0)
    known = excess[~np.isnan(excess)]
    if len(known) < FEWEST:
        return []
    spread = MAD_TO_DEVIATION * median(np.abs(known - median(known)))
    limit = max(LEAST, SPREADS * spread, tail_of(_others(_peaks(known, UP * spread), spread)))
    rows = np.flatnonzero(np.nan_to_num(excess, nan=-np.inf) > limit)
    others = _others_than(rows, excess)
    steps = track.steps[rows]
    rows = rows[_matters(track, rows, excess) & ~_restarted(series, steps) & ~_begins_epoch(series, steps)]
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    common = len(groups) > max(1, COMMON * len(track)) or len(rows) > max(1, FEW * len(track))
    if not len(rows) or common or _is_regular([int(one[0]) for one in groups]):
        return []
    highest = int(rows[np.argmax(excess[rows])])
    step, height = float(track.steps[highest]), float(excess[highest])
    beside_norm = height > SPIKE and len(series.norm) > 0  # judged with it, in ``spikes``
    if beside_norm or np.sum(others > height / APART) > len(groups):
        return []
    if find_spikes(series) or find_loss_jump(series):  # last: to search for them takes longer than all this
        return []
    numbers = {"spikes": float(len(groups)), "highest_step": step, "log10_highest": height, "log10_spread": spread}
    ends = float(track.steps[rows[0]]), float(track.steps[rows[-1]])
    signs = ("norm-quiet",) if _is_quiet(series.norm, step) else ()
    return [Finding("spikes", *ends, (), numbers, limit, {"what": series.loss_name}, NOTE, signs)]


def _peaks(excess: Numbers, up: float) -> Numbers:
    """Return each row, but of neighbours that are all above a level the highest only."""
    high = excess > up
    starts = np.flatnonzero(~(high & np.roll(high, 1)) | (np.arange(len(excess)) == 0))
    return np.maximum.reduceat(excess, starts)


def _others(peaks: Numbers, spread: float) -> Numbers:
    """Return the peaks without those that a gap sets apart from noise, or from the tail."""
    ordered = np.sort(peaks)
    calm = int(np.searchsorted(ordered, CALM * spread))
    few = 0 < len(ordered) - calm <= COMMON * len(ordered)
    return ordered[:calm] if few and ordered[calm] > GAP * ordered[calm - 1] else below_the_gap(peaks, LEAST)


def _others_than(rows: Rows, excess: Numbers) -> Numbers:
    """Return the peaks that are neither one of these rows nor near one."""
    near = (rows[:, None] + np.arange(-NEAR, NEAR + 1)).clip(0, len(excess) - 1)
    left = np.delete(excess, near.ravel())
    return _peaks(left[~np.isnan(left)], LEAST / 2)


def _matters(track: Track, rows: Rows, excess: Numbers) -> npt.NDArray[np.bool_]:
    """Whether the loss jumps back by a good part of what it has fallen since the first rows, for each row."""
    base, peak = (np.power(10.0, track.peak[rows] - less) for less in (excess[rows], 0.0))
    fallen = 10 ** median(track.level[:FEWEST]) - base
    return np.asarray(peak - base > OF_RANGE * fallen)


def _restarted(series: Series, steps: Numbers) -> npt.NDArray[np.bool_]:
    """Whether the learning rate jumps up at each of some steps."""
    rates = series.values("lr")
    known = ~np.isnan(rates)
    rates, at = rates[known], np.searchsorted(series.steps[known], steps)
    beside = ((rates[max(0, row - BESIDE) : row], rates[row : row + BESIDE]) for row in at.tolist())
    return np.array([len(one) > 0 and len(two) > 0 and two.max() > RATE * one.min() for one, two in beside], dtype=bool)


def _begins_epoch(series: Series, steps: Numbers) -> npt.NDArray[np.bool_]:
    """Whether each of some steps is among the first of an epoch: a mean that begins anew is that of a batch or two."""
    epochs = np.floor(series.values("epoch"))
    begins = np.flatnonzero(np.diff(epochs) > 0) + 1
    if len(begins) * NEAR > len(epochs):  # an epoch has few rows
        return np.zeros(len(steps), dtype=bool)
    after = np.searchsorted(series.steps, steps)
    return np.isin(after, begins[:, None] + np.arange(FIRST))


def _is_regular(begins: list[int]) -> bool:
    """Whether spikes begin as many rows apart as each other, or a whole multiple of it: once an epoch."""
    if len(begins) < REGULAR:
        return False
    gaps = np.diff(begins) / np.diff(begins).min()
    return bool(np.abs(gaps - np.rint(gaps)).max() * np.diff(begins).min() <= 1)


def _is_quiet(norm: Track, step: float) -> bool:
    """Whether the norm has its usual size at a step."""
    here = norm.peak[norm.steps == step]
    return len(here) > 0 and bool(here.max() < median(norm.level) + LOUD)
