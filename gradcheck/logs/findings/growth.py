"""Growth that doesn't end, in logarithms and relative to the run itself.

| constant | value | reason |
|---|---|---|
| ``RISE`` | 2 decades | warm-ups and drifting norms of healthy runs stay below 1; a divergence has no upper end |
| ``RISE_LEARNING`` | 3 decades | while the loss improves, gradients may grow as weights do |
| ``RECORD`` | 1 decade | the run has never been within a factor of ten of it |
| ``DRAWDOWN`` | 0.5 decades, 5 deviations | a trend doesn't come down in between |
"""

from typing import NamedTuple

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.learning import has_improved, is_from_the_beginning
from gradcheck.logs.findings.movers import first_movers
from gradcheck.logs.robust import FEWEST, Numbers, block_medians, deviation, median
from gradcheck.logs.series import Series, Track

RISE, RISE_LEARNING, RECORD = 2.0, 3.0, 1.0
DRAWDOWN, DRAWDOWN_DEVIATIONS, RISE_DEVIATIONS = 0.5, 5.0, 8.0

#: Rows that share a median, finest first; and the fewest of these medians that show a trend.
SCALES = (3, 9, 27, 81, 243, 729)
FEWEST_BLOCKS = 4

#: Decades above its beginning at which growth has begun; at which a row without noise is up; that its first rows span.
BEGUN, UP, UPWARDS = 0.3, 0.03, 1.5

#: Rows before the one that a scale shows in which growth may have begun, and those whose median it starts from.
BACK, BEFORE = 4, 24

#: Steps within which growth is a jump.
AT_ONCE = 3

#: Steps by which a run has hardly a checkpoint.
SOON = 100

#: Part of the rise that must be in the second half of the growth, or it has ended.
GOING_ON = 0.25


def find_exploding(series: Series) -> list[Finding]:
    """Find growth that goes on to the end of the log, or to where it is no longer finite."""
    what, track = magnitude(series)
    nonfinite = series.run.nonfinite
    if nonfinite and nonfinite.rows > 1:
        track = track.until(nonfinite.first_step)
    found = find_growth(track, series)
    if found is None:
        return []
    begin, rise, base, limit = found
    begin = _jump(track, first_risen(track.level, begin, base, rise), base, rise)
    first, last = float(track.steps[begin]), float(track.steps[-1])
    layers = first_movers(series, first, last, 1.0)
    top = int(np.argmax(track.level[begin:] >= base + rise - BEGUN)) + begin
    rate = _slope(track.steps[begin : top + 1], track.level[begin : top + 1])
    details = {"what": what, "at_once": bool(track.steps[top] - first <= AT_ONCE * _interval(track))}
    numbers = {"log10_before": base, "log10_rise": rise, "log10_per_step": rate, "steps_a_row": _interval(track)}
    return [Finding("exploding", first, last, layers, numbers, limit, details, signs=soon(begin, first, series))]


def soon(row: int, step: float, series: Series) -> tuple[str, ...]:
    """Return the sign that growth begins in the first rows of the run, where it does."""
    return ("ordinary-first",) if row < FEWEST and step <= SOON and is_from_the_beginning(series) else ()


def _jump(track: Track, begin: int, base: float, rise: float) -> int:
    """Return the first row that is up for good, if from there to the top it is a jump; else the row given."""
    low = np.flatnonzero(track.level <= base + max(BEGUN, 3 * deviation(track.level[: begin + 1])))
    first = int(low[-1]) + 1 if len(low) else 0
    top = np.flatnonzero(track.level >= base + rise - BEGUN)
    top = top[top >= first]
    jumps = len(top) > 0 and track.steps[top[0]] - track.steps[max(0, first - 1)] <= AT_ONCE * _interval(track)
    return first if first > begin and jumps else begin


def first_risen(level: Numbers, begin: int, base: float, rise: float) -> int:
    """Return the row in which growth begins, near the one that a scale of blocks shows.

    Where it is steeper than the noise, it is the first row that is up; else the row at which the course of the growth,
    followed back, leaves the base.
    """
    before, own = max(0, begin - BACK), level[max(0, begin - BEFORE) : begin + 1]
    base = median(own) if len(own) >= FEWEST_BLOCKS else base
    course = level[before:]
    course = course[: int(np.argmax(course >= base + min(rise, UPWARDS))) + 1]
    noise = deviation(level[: begin + 1])
    low = np.flatnonzero(course <= base + max(UP, 2 * noise))
    first_up = min(int(low[-1]) + 1 if len(low) else 0, len(course) - 1)
    rows = np.flatnonzero(course > base + max(BEGUN, 3 * noise))
    if len(rows) < FEWEST_BLOCKS:
        return before + first_up
    slope, at_zero = np.polyfit(rows, course[rows] - base, 1)
    if slope <= 0 or slope > 2 * noise:
        return before + first_up
    return before + int(np.clip(round(-at_zero / slope) + 1, 0, first_up))


def _interval(track: Track) -> float:
    """Return the usual number of steps from one row to the next, one at least."""
    return max(1.0, median(np.diff(track.steps))) if len(track) > 1 else 1.0


class Growth(NamedTuple):
    """Growth to the end: its first row, its decades, the level where it starts, and the fewest decades that count."""

    begin: int
    rise: float
    base: float
    limit: float


def _slope(steps: Numbers, levels: Numbers) -> float:
    """Return decades a step, from the medians of both halves; of a jump, all of it in one step."""
    half = len(steps) // 2
    if half < 1:
        return 0.0
    parts = slice(None, half), slice(len(steps) - half, None)
    (first, last), (low, high) = ([median(one[part]) for part in parts] for one in (steps, levels))
    return (high - low) / (last - first) if last > first else high - low


def find_growth(track: Track, series: Series) -> Growth | None:
    """Return growth to the end of a track: the highest of all scales, the finest of nearly equal ones."""
    highest: Growth | None = None
    for size in SCALES:
        found = _growth_at(track, size, series) if len(track) >= FEWEST_BLOCKS * size else None
        if found and (highest is None or found.rise > highest.rise + DRAWDOWN):
            highest = found
    return highest


def _growth_at(track: Track, size: int, series: Series) -> Growth | None:
    """Return growth as medians of so many rows show it."""
    medians = block_medians(track.level, size)
    start = _rising_from(medians)
    base, rise = float(medians[start]), float(medians[-1] - medians[start])
    limit = max(RISE, RISE_DEVIATIONS * deviation(medians[: start + 1] if start >= FEWEST_BLOCKS else medians))
    is_record = start == 0 or medians[-1] >= medians[: start + 1].max() + RECORD
    if not rise >= limit or not is_record or len(medians) - start < 2:
        return None
    first = len(track) % size + start * size
    learning = has_improved(series, track.steps[first])
    second_half = medians[-1] - medians[start + (len(medians) - start) // 2]
    if learning is not False and second_half < GOING_ON * rise:
        return None
    if learning and rise < RISE_LEARNING:
        return None
    limit = max(limit, RISE_LEARNING) if learning else limit
    return Growth(first + _begin(track.level[first:], base), rise, base, limit)


def _rising_from(medians: Numbers) -> int:
    """Return the lowest block of the last stretch that has no drawdown."""
    lowest = np.minimum.accumulate(medians[::-1])[::-1]
    tolerance = max(DRAWDOWN, DRAWDOWN_DEVIATIONS * deviation(medians))
    falls = np.flatnonzero(medians - lowest > tolerance)
    start = int(falls[-1]) + 1 if len(falls) else 0
    return start + int(np.argmin(medians[start:]))


def _begin(levels: Numbers, base: float) -> int:
    """Return the last row of the beginning: after it, medians of three stay above the base."""
    medians = block_medians(levels, 3)
    low = np.flatnonzero(medians <= base + max(BEGUN, 2 * deviation(medians)))
    return len(levels) % 3 + 3 * int(low[-1]) if len(low) else 0


def magnitude(series: Series) -> tuple[str, Track]:
    """Return the gradient's norm; the loss of a log without any."""
    return ("gradient norm", series.norm) if len(series.norm) else (series.loss_name, series.loss)
