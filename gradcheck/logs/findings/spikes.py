"""Spikes, which end: in logarithms, relative to the rows around them and to the tail of the run.

| constant | value | reason |
|---|---|---|
| ``SPIKE`` | 1 decade | clipping at ten times the usual norm is the loosest that is recommended (Pascanu et al. 2013) |
| ``CHANCE`` | 1e-3 | spikes expected by chance in a run without any, from its extrapolated tail |
| ``FAR`` | 5 decades, of loss and norm at once | no batch is so hard, however often smaller spikes come |
| ``CHANCE_HEAVY`` | 0.05 | the same if the tail is heavier than any power law of norms: a looser guess |
"""

import math

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.bursts import find_burst
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.growth import find_growth, magnitude
from gradcheck.logs.findings.movers import outstanding
from gradcheck.logs.robust import FEWEST, Numbers, median, quantiles, side_medians
from gradcheck.logs.series import Series, Track

SPIKE, CHANCE, CHANCE_HEAVY, FAR = 1.0, 1e-3, 0.05, 5.0

#: Fewest rows whose last hundredth is at least three.
MANY = 300

#: Rows on either side that a spike is compared with: near ones, and this part of all for broad spikes.
NEAR, BROAD = 12, 8

#: Most rows in which spikes are looked for: of more, the peaks of neighbours.
MOST_ROWS = 4096

#: Of a short run's highest row, in least spikes, and what all but its spikes stay below; else the highest are its tail.
LONELY, QUIET = 1.75, 0.3

#: Decades more that the last rows need, beyond twice what others reach: nothing after them shows that they come back.
MARGIN, APART = 0.5, 2.0

#: If more than this part of the rows are spikes, they are the spread of the run.
COMMON = 0.05

#: The same of rows that a gap sets apart from all others.
FEW = 0.1


def find_spikes(series: Series) -> list[Finding]:
    """Find single gradients far above those before and after, and above what the tail of the run explains."""
    return _spikes_of(series, *magnitude(series)) or _far_spikes(series) or _loss_spikes(series)


def _far_spikes(series: Series) -> list[Finding]:
    """Find rows whose loss is beyond any tail, and their norm as well: common smaller ones don't make them usual."""
    track = _pooled(series.loss.above_zero())
    if len(track) < 2 * FEWEST or find_growth(track, series):
        return []
    before, _ = side_medians(track.level, min(NEAR, len(track) // 4))
    excess, is_last = excess_of(track), np.arange(len(track)) >= len(track) - NEAR
    excess = np.where(np.isnan(excess) & is_last, track.peak - before, excess)
    rows = np.flatnonzero(np.nan_to_num(excess, nan=-np.inf) > FAR)
    norm = series.norm.above_zero()
    if len(norm):
        high = np.append(norm.steps[norm.peak > median(norm.level) + FAR], np.nan)  # ascending
        rows = rows[high[np.searchsorted(high[:-1], track.steps[rows])] == track.steps[rows]]
    if not len(rows):
        return []
    highest = int(rows[np.argmax(excess[rows])])
    numbers = {"spikes": float(np.sum(np.diff(rows) > 1) + 1), "highest_step": float(track.steps[highest])}
    numbers["log10_highest"] = float(excess[highest])
    first, last = float(track.steps[rows[0]]), float(track.steps[rows[-1]])
    return [Finding("spikes", first, last, (), numbers, FAR, {"what": series.loss_name})]


def _loss_spikes(series: Series) -> list[Finding]:
    """Find the same in the loss, above all that it began with, where the gradient's norm is quiet: a note."""
    if not len(series.norm) or not len(series.loss):
        return []
    began = median(series.loss.level[: 2 * FEWEST])
    found = _spikes_of(series, series.loss_name, series.loss)
    return [
        one._replace(layers=(), severity=NOTE, signs=("norm-quiet",))
        for one in found
        if series.loss.peak.max() > began + SPIKE
    ]


def _spikes_of(series: Series, what: str, track: Track) -> list[Finding]:
    """Return the spikes of a magnitude."""
    track = before_growth(track, series)
    if len(track) < 2 * FEWEST:
        return []
    excess = excess_of(track)
    single = excess[~np.isnan(excess) & ~_broad(excess > SPIKE)]
    if len(single) < FEWEST:
        return []
    below = below_the_gap(single)
    limit = max(SPIKE, tail_of(below))
    excess = _with_the_last(excess, track, limit)
    rows = np.flatnonzero(np.nan_to_num(excess, nan=-np.inf) > limit)
    most = (COMMON if len(below) == len(single) else FEW) * len(track)
    if not len(rows) or len(rows) > max(1, most):
        return _burst(series, what, track)
    rows = _widened(rows, track)
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    highest = int(rows[np.nanargmax(excess[rows])])
    step, height = float(track.steps[highest]), float(excess[highest])
    numbers = {"spikes": float(len(groups)), "highest_step": step, "log10_highest": height}
    first, last = float(track.steps[rows[0]]), float(track.steps[rows[-1]])
    return [Finding("spikes", first, last, outstanding(series, step), numbers, limit, {"what": what})]


def before_growth(track: Track, series: Series) -> Track:
    """Return what of a track may have spikes: the rows before a growth to the end, as many as can be looked at."""
    end = find_growth(track, series)
    return _pooled((track if end is None else track.until(track.steps[end.begin])).above_zero())


def _widened(rows: npt.NDArray[np.intp], track: Track) -> npt.NDArray[np.intp]:
    """Return rows with all of the burst that they are in: its edges have its own rows on one side."""
    found = find_burst(track)
    inside = found is not None and bool(((rows >= found[0]) & (rows < found[1])).any())
    return np.union1d(rows, np.arange(*found[:2])) if found is not None and inside else rows


def _burst(series: Series, what: str, track: Track) -> list[Finding]:
    """Return the spike that is a burst of many rows, if there is one."""
    found = find_burst(track)
    if found is None:
        return []
    start, end, height = found
    step = float(track.steps[start + int(np.argmax(track.level[start:end]))])
    numbers = {"spikes": 1.0, "highest_step": step, "log10_highest": height}
    first, last = float(track.steps[start]), float(track.steps[end - 1])
    return [Finding("spikes", first, last, outstanding(series, step), numbers, SPIKE, {"what": what})]


def _with_the_last(excess: Numbers, track: Track, limit: float) -> Numbers:
    """Return the excess of the last rows, too: they have none after them, and must be above what one side explains."""
    before, _ = side_medians(track.level, min(NEAR, len(track) // 4))
    one_sided = track.peak - before
    last = np.isnan(excess) & (np.arange(len(track)) >= len(track) - NEAR)
    usual = one_sided[~np.isnan(one_sided) & ~last]
    if not last.any() or len(usual) < FEWEST:
        return excess
    limit = max(limit, tail_of(below_the_gap(usual)), APART * float(usual.max())) + MARGIN
    return np.where(last & (one_sided > limit), one_sided, excess)


def excess_of(track: Track) -> Numbers:
    """Return how far each peak is above both its sides, near or far, in decades, (rows,)."""
    found = np.full(len(track), np.nan)
    for width in {min(NEAR, len(track) // 4), max(NEAR, len(track) // BROAD)}:
        before, after = side_medians(track.level, width)
        found = np.fmax(found, track.peak - np.maximum(before, after))
    return found


def _broad(high: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which rows are high together with both neighbours, or beside such a row: that is not chance."""
    middle = high & np.roll(high, 1) & np.roll(high, -1)
    return middle | np.roll(middle, 1) | np.roll(middle, -1)


def below_the_gap(excess: Numbers, least: float = SPIKE) -> Numbers:
    """Return the rows below a gap that sets the highest ones apart, or all; else spikes would count as the tail.

    In a power law's tail the gaps between neighbours, as logarithms and times their ranks, are alike and exponential
    (Rényi 1953): a gap far above their mean, by ``CHANCE``, parts two populations.
    """
    ordered = np.sort(excess)
    top = ordered[-int(COMMON * len(ordered)) - 1 :]
    if len(top) < FEWEST:
        return _below_the_highest(ordered, max(2, int(FEW * len(ordered))), least)
    top = top[top > 0]
    if len(top) < FEWEST:
        return excess
    spacings = np.diff(np.log(top)) * np.arange(len(top) - 1, 0, -1)
    widest = int(np.argmax(spacings))
    usual = float(np.delete(spacings, widest).mean())
    apart = spacings[widest] > usual * math.log(len(spacings) / CHANCE)
    return ordered[: len(ordered) - len(spacings) + widest] if apart else excess


def _below_the_highest(ordered: Numbers, most: int, least: float) -> Numbers:
    """Return the rows of a short run without the highest few, if all others are quiet; else these count as its tail."""
    for count in range(1, min(most + 1, len(ordered))):
        if ordered[-1] > LONELY * least and ordered[-count] > least and ordered[-count - 1] < QUIET * least:
            return ordered[:-count]
    return ordered


def tail_of(excess: Numbers) -> float:
    """Return the height that by chance only ``CHANCE`` runs exceed, from the decline of the tail.

    A power law of norms declines exponentially in logarithms; its rate is measured from the upper quarter to the last
    twentieth, where spikes are too few to matter; a standard error is added, as few rows tell little. A lighter
    tail declines faster still; a heavier one, with a power law in its logarithms, takes more rows to measure: its power
    is that from the last twentieth to the last hundredth, and ``CHANCE_HEAVY`` runs exceed the height.
    """
    upper, last, top = quantiles(excess, 0.75, 0.95, 0.99)
    last = min(last, np.partition(excess, -2)[-2])  # of few rows it is not the highest, which may be a spike
    decline = (last - upper) / math.log(0.25 / 0.05) * (1 + 2 / math.sqrt(len(excess)))
    height = float(last + decline * math.log(0.05 * len(excess) / CHANCE))
    if len(excess) < MANY or last <= 0:
        return height
    power = math.log(top / last) / math.log(0.05 / 0.01)
    return max(height, float(top * (0.01 * len(excess) / CHANCE_HEAVY) ** power))


def _pooled(track: Track) -> Track:
    """Return a track of bounded length: the first level of neighbours, and their highest peak."""
    together = -(-len(track) // MOST_ROWS)
    if together <= 1:
        return track
    starts = np.arange(0, len(track), together)
    return Track(track.steps[starts], track.level[starts], np.maximum.reduceat(track.peak, starts))
