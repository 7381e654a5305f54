"""Gradients that are too small: from the start, or during training.

| constant | value | reason |
|---|---|---|
| ``LOST`` | 3 decades | as before training (``Thresholds.vanish_below``) |
| ``LOST_FOR_NOTHING`` | 2.3 decades | if the loss never gets better: half of such networks train (``max_span``) |
| ``START`` | a quarter of the run | a plateau that ends sooner is a slow start, if the loss gets better |
| ``MOSTLY`` | 70 % of the first layers | single parameters may have tiny gradients for good reason (a key's bias) |
| ``ORDINARY`` | 1 decade above that | a row that is just not lost was not ordinary before |
| ``THAWED`` | 2 decades | exactly zero, and then at once as usual, was frozen: what vanished comes back by and by |
| ``FALL`` | 3 decades | while the loss is at its best, gradients may be of any size |
| ``ABRUPT`` | 2 blocks of 20 | without a loss, only a fall too fast for convergence |
"""

import re
from collections.abc import Set
from itertools import compress

import numpy as np

from gradcheck.logs.findings.finding import WARNING, Finding
from gradcheck.logs.findings.learning import (
    BLOCKS,
    DEVIATIONS,
    SMALLER,
    got_nowhere,
    has_improved,
    is_from_the_beginning,
    losses_of,
)
from gradcheck.logs.findings.movers import first_movers
from gradcheck.logs.robust import (
    FEWEST,
    Flags,
    Numbers,
    block_medians,
    deviation,
    median,
    medians_of,
    nanmedians,
    quantiles,
)
from gradcheck.logs.series import Series
from gradcheck.spec.thresholds import Thresholds

LOST, LOST_FOR_NOTHING, START, MOSTLY, ORDINARY = 3.0, Thresholds.max_span, 0.25, 0.7, 1.0
FALL, ABRUPT, THAWED = 3.0, 2, 2.0

#: Fewest rows of the start, and before an early collapse.
FEWEST_START, FEWEST_BEFORE = 3, 8

#: Splits a name into words and numbers, in turn.
NUMBER = re.compile(r"(\d{1,9})")

#: What a bias is called, after its module, and before its number.
BIAS = re.compile(r"^(|.*[./])(?:bias|b)([_\d][^./]*)?$")

#: Below the logarithm of any float: an exact zero.
ZERO = -400.0


def find_vanishing(series: Series) -> list[Finding]:
    """Find first layers that from the start get less than a thousandth of the last layers' gradient, or nothing."""
    if len(series.layers) < 3 or len(series.steps) < FEWEST_START:
        return []
    order = _forward(series.layers)
    levels = np.maximum(series.layer_levels[:, order], ZERO)
    end = max(FEWEST_START, int(START * len(levels)))
    starts, limit = _starts(levels[:end]), LOST
    if has_improved(series, series.steps[0]) is False:  # later even the last layers have learned what they can alone
        starts, limit = starts[:1], LOST_FOR_NOTHING
    known = set(series.layers)
    deciding = np.array([not is_bias(series.layers[at], known) for at in order])
    alive = np.asarray(~np.isnan(starts).any(0) & (levels > ZERO).any(0)) & deciding & ~_thawed(levels)
    names = [series.layers[order[at]] for at in np.flatnonzero(alive)]
    if len(names) < 3:
        return []
    below = starts[:, alive] - _of_the_last(starts[:, alive])
    lost = np.asarray((below < -limit).all(0))
    shares = np.cumsum(lost) / np.arange(1, len(lost) + 1)
    prefix = np.flatnonzero(lost & (shares >= MOSTLY))
    if not len(prefix) or prefix[-1] + 1 < len(names) / 10:
        return []
    numbers = {"log10_weakest_ratio": float(below[:, lost].min())}
    first, last, ordinary = _lost_between(levels[:, alive], lost, -limit)
    later = ordinary is not None and is_from_the_beginning(series)
    numbers |= {"ordinary_until": float(series.steps[ordinary])} if later else {}
    ends, signs = (float(series.steps[first]), float(series.steps[last])), ("ordinary-first",) * later
    return [Finding("vanishing", *ends, tuple(compress(names, lost)), numbers, -limit, signs=signs)]


def _thawed(levels: Numbers) -> Flags:
    """Return the layers whose gradient is exactly zero in the first rows, and from one row to the next as usual."""
    begins = np.argmax(levels > ZERO, axis=0)
    thawed = (begins > 0) & ((levels == ZERO).sum(0) == begins) & ~np.isnan(levels).any(0)
    for at in np.flatnonzero(thawed):
        own = levels[begins[at] :, at]
        thawed[at] = own[0] > median(own) - THAWED
    return np.asarray(thawed)


def _lost_between(levels: Numbers, lost: Flags, limit: float) -> tuple[int, int, int | None]:
    """Return the first and the last row in which layers are lost, and the last one before that where none nearly is.

    The last one has a neighbour that is like it: late in a run one alone is chance.
    """
    below = levels[:, lost] - _of_the_last(levels)
    rows = (below < limit).any(1)
    neighboured = np.flatnonzero(rows & (np.convolve(rows, np.ones(3), "same") > 1))
    first, last = (int(np.argmax(rows)), int(neighboured[-1])) if len(neighboured) else (0, len(levels) - 1)
    ordinary = np.flatnonzero((below[:first] >= limit + ORDINARY).all(1))
    return first, last, int(ordinary[-1]) if len(ordinary) else None


def is_bias(name: str, names: Set[str]) -> bool:
    """Whether a parameter is the bias beside a weight: before a norm it never has a gradient but rounding."""
    found = BIAS.search(name)
    weights = "weight", "kernel", "W", "w"
    return found is not None and any(f"{found[1]}{weight}{found[2] or ''}" in names for weight in weights)


def _of_the_last(levels: Numbers) -> Numbers:
    """Return the median of the last quarter of the layers, of those that get anything at all, (rows, 1)."""
    last = levels[:, -max(1, levels.shape[1] // 4) :]
    some = (last > ZERO).any(axis=1, keepdims=True)
    return nanmedians(np.where((last > ZERO) | ~some, last, np.nan))[:, None]


def _forward(names: list[str]) -> list[int]:
    """Return the layers' places in the order of the forward pass: the log's, or by number if that is alphabetic."""
    if names != sorted(names):
        return list(range(len(names)))
    words = [[int(part) if part.isdecimal() else part for part in NUMBER.split(name)] for name in names]
    return sorted(range(len(names)), key=words.__getitem__)


def _starts(levels: Numbers) -> Numbers:
    """Return the layers' typical gradients in the first rows and in the last rows of the start, (2, layers)."""
    return np.array([_typical(levels[: max(FEWEST_START, len(levels) // 5)]), _typical(levels[-FEWEST_START:])])


def _typical(levels: Numbers) -> Numbers:
    """Return each layer's median, (layers,); nan if it never has a number."""
    some = ~np.isnan(levels).all(0)
    typical = np.full(levels.shape[1], np.nan)
    typical[some] = nanmedians(levels[:, some], 0)
    return typical


def find_collapsed(series: Series) -> list[Finding]:
    """Find a gradient that falls by decades while the loss gets nowhere, or layers whose share of it does."""
    return _whole_collapse(series) or _layers_collapse(series)


def _whole_collapse(series: Series) -> list[Finding]:
    track = series.norm
    size = len(track) // BLOCKS
    if len(track) < max(FEWEST, BLOCKS):
        return []
    medians = block_medians(track.level, size)
    fall = _highest(medians) - float(medians[-2:].max())
    if fall < FALL:
        return _early_collapse(series)
    nowhere = got_nowhere(series)
    if nowhere is False:
        return _stopped(series)
    if nowhere is None and not _is_abrupt(medians):
        return []
    before = float(np.quantile(medians[: _fallen(medians) + 1], 0.5))
    first, last = float(track.steps[_left_at(track.level, before)]), float(track.steps[-1])
    layers = first_movers(series, first, last, -1.0)
    zero = bool((series.values("grad_norm") == 0)[-FEWEST_START:].all())
    numbers, details = {"log10_before": before, "log10_fall": fall}, {"whole": True, "zero": zero}
    return [Finding("collapsed", first, last, layers, numbers, FALL, details | {"got_nowhere": bool(nowhere)})]


def _early_collapse(series: Series) -> list[Finding]:
    """Find a fall so early that what was before fills no block: the first rows are held against all others."""
    level = series.norm.level
    before = median(level[:FEWEST])
    row = _left_at(level, before)
    after = level[row:]
    if row < FEWEST_BEFORE or len(after) < FEWEST or np.ptp(level[:FEWEST_BEFORE]) > 1.0:
        return []
    fall = before - float(block_medians(after, max(1, len(after) // BLOCKS)).max())
    if fall < FALL or got_nowhere(series) is False:
        return []
    first, last = float(series.norm.steps[row]), float(series.norm.steps[-1])
    zero = bool((series.values("grad_norm") == 0)[-FEWEST_START:].all())
    details = {"whole": True, "zero": zero, "got_nowhere": bool(got_nowhere(series))}
    numbers = {"log10_before": before, "log10_fall": fall}
    return [Finding("collapsed", first, last, first_movers(series, first, last, -1.0), numbers, FALL, details)]


def _stopped(series: Series) -> list[Finding]:
    """Find a steady gradient that falls by decades from one row to the next, and a loss that moves no further."""
    level, steps = series.norm.level, series.norm.steps
    row = int(np.argmin(np.diff(level))) + 1
    before, after = level[max(0, row - FEWEST) : row], level[row:]
    if len(before) < FEWEST or len(after) < FEWEST or np.ptp(before) > 1.0 or after.max() > before.min() - FALL:
        return []
    if (series.norms == 0).any():  # the digits of the log end there
        return []
    known, losses = losses_of(series)
    old, new = losses[known < steps[row]], losses[known >= steps[row]]
    old = old[-len(new) :]
    if len(old) < FEWEST or len(new) < FEWEST or not moves(old) or moves(new):
        return []
    fall = median(before) - median(after)
    numbers, details = {"log10_before": median(before), "log10_fall": fall}, {"whole": True, "stopped": True}
    details |= {"zero": False, "got_nowhere": False}
    first, last = float(steps[row]), float(steps[-1])
    layers = first_movers(series, first, last, -1.0)
    return [Finding("collapsed", first, last, layers, numbers, FALL, details, WARNING)]


def moves(losses: Numbers) -> bool:
    """Whether losses get further than their noise, from their first third to their last."""
    third = len(losses) // 3
    error = deviation(losses) * (2 / third) ** 0.5
    return bool(abs(median(losses[:third]) - median(losses[-third:])) > DEVIATIONS * error)


def _fallen(medians: Numbers) -> int:
    """Return the last block that is nearer to the highest than to the end."""
    return int(np.flatnonzero(medians > (_highest(medians) + medians[-1]) / 2)[-1])


def _highest(medians: Numbers) -> float:
    """Return the highest level of more than one block: in short runs a spike fills one."""
    return float(medians_of(np.lib.stride_tricks.sliding_window_view(medians, 3)).max())


def _is_abrupt(medians: Numbers) -> bool:
    """Whether a steady course breaks off within few blocks."""
    last = _fallen(medians)
    steady = last >= 2 and float(np.ptp(medians[: last + 1])) < 1.0
    after = medians[last + ABRUPT :] if last + ABRUPT < len(medians) else medians[-1:]
    return steady and bool((after < medians[: last + 1].min() - FALL).all())


def _layers_collapse(series: Series) -> list[Finding]:
    """Find layers whose share of the whole gradient falls by decades, to the end."""
    missing = np.isnan(series.layer_levels)
    measured = np.flatnonzero(missing.mean(0) < 0.5) if len(missing) else np.zeros(0, dtype=int)
    rows = ~missing[:, measured].any(1)
    levels = np.maximum(series.layer_levels[rows][:, measured], ZERO)
    size = len(levels) // BLOCKS
    if size < 1 or len(measured) < 2:
        return []
    shares = levels - levels.max(axis=1, keepdims=True)
    medians, own = block_medians(shares, size), block_medians(levels, size)
    (usual,) = quantiles(medians, 0.75)
    fell = usual - medians[-3:].max(0)
    alone = own.max(0) - own[-3:].max(0) > FALL  # the others didn't just grow
    places = np.flatnonzero((fell > FALL) & alone & (usual > ZERO / 2))
    if not len(places) or _converges(levels.max(axis=1), size, series):
        return []
    known = series.steps[rows]
    firsts = [_left_at(shares[:, at], float(usual[at])) for at in places]
    order = sorted(range(len(places)), key=firsts.__getitem__)
    layers = tuple(series.layers[measured[places[one]]] for one in order)
    first, most = float(known[firsts[order[0]]]), float(fell.max())
    details = {"whole": False, "zero": most > -ZERO / 2}
    return [Finding("collapsed", first, float(known[-1]), layers, {"log10_fall": most}, FALL, details)]


def _converges(largest: Numbers, size: int, series: Series) -> bool:
    """Whether all gradients get smaller as the loss gets better: some do so faster than others."""
    medians = block_medians(largest, size)
    return bool(medians.max() - medians[-1] > SMALLER) and got_nowhere(series) is not True


def _left_at(levels: Numbers, usual: float) -> int:
    """Return the row after the last that is near the usual level together with a neighbour: one alone is chance."""
    near = levels > usual - FALL / 2
    rows = np.flatnonzero(near & (np.convolve(near, np.ones(3), "same") > 1))
    return min(int(rows[-1]) + 1, len(levels) - 1) if len(rows) else 0
