"""Logs of few rows: too few to call anything healthy, but a growth or a spike in them is one all the same.

| constant | value | reason |
|---|---|---|
| ``ENOUGH`` | 20 rows | with fewer a run has no course: a block would be less than a row |
| ``RISE`` | 1.5 decades | a warm-up, or ten rows of noise, stays below |
| ``FALLS`` | 0.1 decades | growth that chance makes comes down in between |
| ``EVEN`` | a fifth of the rise by half of the rows | else it is one jump |
| ``FIRST`` | 70 % of the rise after the first row | else it is one jump, as from one batch to a sum of many |
| ``RISEN``, ``RISING`` | 3-fold, 6 rows | of a loss: chance puts six rows in order once in 720 times |
| ``TURN`` | 2 % | a loss that rises for good turns back by no more |
| ``LOWEST`` | 0.01 | a penalty, as of a policy's distance, begins at 0 and rises by design |
| ``SUM`` | 15 % | so nearly in proportion to the row, it is a sum over the rows so far |
| ``JUMP``, ``JUMPED`` | 4 decades, 3 rows | no sum is so much larger than a row of it; a spike may last two |
| ``SPIKE`` | 1.75 decades | ten rows of a heavy tail reach one |
| ``APART`` | 2.5 times the next highest | in logarithms, where a power law's tail is exponential |
"""

import numpy as np

from gradcheck.logs.columns import Column
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.growth import magnitude, soon
from gradcheck.logs.findings.guesses import guessed_classes
from gradcheck.logs.findings.learning import DEVIATIONS, losses_of
from gradcheck.logs.findings.losses import FLAT, KNOWN, OF_A_MEDIAN, SURE, restarts
from gradcheck.logs.findings.movers import outstanding
from gradcheck.logs.robust import FEWEST, Numbers, deviation, median
from gradcheck.logs.series import Series

ENOUGH, RISE, FALLS, EVEN, FIRST, SPIKE, APART = 20, 1.5, 0.1, 0.2, 0.7, 1.75, 2.5

RISEN, RISING, TURN, LOWEST, SUM = 3.0, 6, 0.02, 0.01, 0.15

JUMP, JUMPED = 4.0, 3

#: Fewest rows of a growth, and of a spike's surroundings; rows at the beginning that may be large.
FEWEST_ROWS, BEGINNING = 5, 2


def find_too_short(series: Series) -> list[Finding]:
    """Find that a log has too few rows for a verdict."""
    lost = series.run.nonfinite_of  # rows all the same
    losses, norms = (lost[column].rows if column in lost else 0 for column in (Column("loss"), Column("grad_norm")))
    rows = max(len(series.norm) + norms, int((~np.isnan(series.values("loss"))).sum()) + losses)
    if rows >= ENOUGH or not len(series.steps):
        return []
    return [Finding("too-short", *series.ends, (), {"rows": float(rows)}, float(ENOUGH))]


def find_short_growth(series: Series) -> list[Finding]:
    """Find growth in nearly every row to the end, of a log that is too short for medians."""
    what, track = magnitude(series)
    if not FEWEST_ROWS <= len(track) < 2 * FEWEST:
        return []
    falls = np.flatnonzero(np.diff(track.level) < -FALLS)
    begin = int(falls[-1]) + 1 if len(falls) else 0
    rise = float(track.level[-1] - track.level[begin])
    half = float(track.level[(begin + len(track)) // 2] - track.level[begin])
    first_rise = float(track.level[min(begin + 1, len(track) - 1)] - track.level[begin])
    if len(track) - begin < FEWEST_ROWS or rise < RISE or half < EVEN * rise or first_rise > FIRST * rise:
        return []
    first, last = float(track.steps[begin]), float(track.steps[-1])
    rate = rise / (last - first) if last > first else rise
    numbers = {"log10_before": float(track.level[begin]), "log10_rise": rise, "log10_per_step": rate}
    numbers["steps_a_row"] = max(1.0, median(np.diff(track.steps)))
    details = {"what": what, "at_once": False}
    return [Finding("exploding", first, last, (), numbers, RISE, details, signs=soon(begin, first, series))]


def find_short_jump(series: Series) -> list[Finding]:
    """Find that all rows are decades above all those before them, be it only one, of such a log."""
    what, track = magnitude(series)
    track = track.above_zero()
    if not FEWEST_ROWS <= len(track) < 2 * FEWEST or find_short_growth(series):
        return []
    jumps = np.minimum.accumulate(track.level[::-1])[::-1][1:] - np.maximum.accumulate(track.level)[:-1]
    row = int(np.argmax(jumps)) + 1
    if jumps[row - 1] < JUMP or len(track) - row < JUMPED:
        return []
    first, last = float(track.steps[row]), float(track.steps[-1])
    before = median(track.level[:row])
    rise = float(track.level[row:].max()) - before
    numbers = {"log10_before": before, "log10_rise": rise, "log10_per_step": rise}
    details = {"what": what, "at_once": True}
    return [Finding("exploding", first, last, (), numbers, JUMP, details, signs=soon(row, first, series))]


def find_short_rise(series: Series) -> list[Finding]:
    """Find a loss that rises in nearly every row to the end, of a log that is too short for a course."""
    steps, losses = losses_of(series)
    if not RISING <= len(losses) < ENOUGH or losses.min() <= 0:
        return []
    falls = np.flatnonzero(np.diff(losses) < -TURN * losses[:-1])
    begin = int(falls[-1]) + 1 if len(falls) else 0
    rising = np.log(losses[begin:] / losses[begin])
    rows = len(rising)
    if rows < max(RISING, len(losses) / 2) or rising[-1] < np.log(RISEN) or losses[begin] < LOWEST:
        return []
    jumps = rising[rows // 2] < EVEN * rising[-1] or rising[1] > FIRST * rising[-1]
    if jumps or _is_a_sum(losses[begin:]) or restarts(series, steps[begin]):
        return []
    best, end = float(losses[begin]), float(losses[-1])
    return [
        Finding("loss-rises", float(steps[begin]), float(steps[-1]), (), {"best": best, "end": end, "rise": end / best})
    ]


def _is_a_sum(losses: Numbers) -> bool:
    """Whether losses are in proportion to their number: those of all rows so far, added up."""
    means = losses / np.arange(1, len(losses) + 1)
    return bool(np.std(means) < SUM * np.mean(means))


def find_short_guess(series: Series) -> list[Finding]:
    """Note a loss that stays at the logarithm of a number of classes in the few rows that there are."""
    _, losses = losses_of(series)
    if not FEWEST_ROWS <= len(losses) < ENOUGH or losses.min() <= 0:
        return []
    level, half = median(losses), len(losses) // 2
    error = OF_A_MEDIAN * deviation(losses) / half**0.5
    moved, classes = float(np.ptp(losses)), guessed_classes(level, KNOWN)
    trend = abs(median(losses[:half]) - median(losses[-half:]))
    if not classes or moved > 2 * FLAT * level or error > KNOWN or trend > max(SURE * level, DEVIATIONS * error):
        return []
    numbers = {"level": level, "moved": moved, "classes": float(classes)}
    return [Finding("not-learning", *series.ends, (), numbers, FLAT * level, severity=NOTE, signs=("at-chance",))]


def find_short_spike(series: Series) -> list[Finding]:
    """Find one row far above all others, after the first ones."""
    what, track = magnitude(series)
    if not FEWEST_ROWS <= len(track) < 2 * FEWEST:
        return []
    row = int(np.argmax(track.peak))
    others = np.delete(track.level, row)
    height, next_highest = float(track.peak[row] - median(others)), _height(others)
    if row < BEGINNING or height < max(SPIKE, APART * next_highest):
        return []
    step = float(track.steps[row])
    numbers = {"spikes": 1.0, "highest_step": step, "log10_highest": height}
    return [Finding("spikes", step, step, outstanding(series, step), numbers, SPIKE, {"what": what})]


def _height(levels: Numbers) -> float:
    """Return how far the highest is above the middle."""
    return float(levels.max() - median(levels))
