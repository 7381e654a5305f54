"""What numbers show whatever their course: missing, too small or too large for their weights.

| constant | value | reason |
|---|---|---|
| ``RATIOS`` | 1e-4 … 1e-1 | about 1e-3 is usual (A. Karpathy, lecture notes of CS231n); a decade below, two above |
| ``DEAD`` | 90 % | as before training (``Thresholds.dead_above``) |
| ``NOT_ZEROED`` | half of the rows | the first steps of a loop that does it right have none |
| ``FIRST`` | 20 rows | a sum of gradients has grown twentyfold by then |
| ``POWERS``, ``SMOOTH`` | 0.7 … 1.4, 0.1 decades | a sum grows as its terms do; single norms vary more |
| ``ROUNDING`` | 6 decades | float32 has seven, and a sum with cancellation loses one |
"""

from collections import defaultdict
from itertools import compress

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.decay import is_bias
from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.learning import BLOCKS, SMALLER
from gradcheck.logs.robust import Numbers, block_medians, distinct, median, quantiles
from gradcheck.logs.series import Series, logarithms
from gradcheck.spec.thresholds import Thresholds

RATIOS = (1e-4, 1e-1)
FIRST, POWERS, SMOOTH = 20, (0.7, 1.4), 0.1
DEAD, NOT_ZEROED, ROUNDING = Thresholds.dead_above, 0.5, 6.0

#: Fewest rows with a number that a layer is judged by.
FEWEST = 3


def find_no_gradient(series: Series) -> list[Finding]:
    """Find parameters whose gradient is zero, or missing, in all rows, while others have one."""
    names, norms = series.layers_with("grad_norm")
    received = np.asarray((norms > 0).any(0))
    if len(norms) < FEWEST or not received.any() or received.all():
        return []
    layers = tuple(compress(names, ~received))
    numbers, details = {"parameters": float(len(layers))}, {"of": len(names)}
    signs = ("exactly-zero",) if (norms[:, ~received] == 0).all() else ()
    return [Finding("no-gradient", *series.ends, layers, numbers, details=details, signs=signs)]


def find_not_zeroed(series: Series) -> list[Finding]:
    """Find gradients that were still there when the next backward pass began, in most of the rows with a gradient."""
    left, norms = series.values("grad_left"), series.norms
    known = norms > 0
    share = float((left[known] > 0).mean()) if known.sum() >= FEWEST else 0.0
    if share < NOT_ZEROED:
        return _added_up(series)
    return [Finding("not-zeroed", *series.ends, (), {"share": share}, NOT_ZEROED, signs=("not-zeroed",))]


def _added_up(series: Series) -> list[Finding]:
    """Find a norm that from the first step on grows as their number does, without noise: that of a sum of gradients."""
    steps, level = series.norm.steps[:FIRST], series.norm.level[:FIRST]
    if len(steps) < FIRST or len(distinct(np.diff(steps))) != 1 or steps[0] == steps[1]:
        return []
    if not 0 <= steps[0] <= steps[1] - steps[0]:
        return []
    counted = np.log10(steps + (steps[0] == 0))
    power, _ = np.polyfit(counted, level, 1)
    rest = level - level.mean() - power * (counted - counted.mean())
    stays = median(series.norm.level[FIRST // 2 :]) - level[0] > 0.8
    if not POWERS[0] <= power <= POWERS[1] or float(rest.std()) > SMOOTH or np.diff(level).min() < -SMOOTH or not stays:
        return []
    return [Finding("not-zeroed", *series.ends, (), {"power": float(power)}, signs=("not-zeroed",))]


def find_dead(series: Series) -> list[Finding]:
    """Find layers with most units dead at the end: their output is zero."""
    names, shares = series.layers_with("dead_fraction")
    end = shares[-max(FEWEST, len(shares) // 10) :]
    medians = _quantiles(end, 0.5)
    layers = tuple(compress(names, medians > DEAD))
    if not layers:
        return []
    first, last = float(series.steps[-len(end)]), series.ends[1]
    return [Finding("dead", first, last, layers, {"dead_fraction": float(np.nanmax(medians))}, DEAD)]


def find_update_ratios(series: Series) -> list[Finding]:
    """Find layers whose updates are hardly ever large enough, or mostly too large, for their weights.

    Updates are too small if they are below the range in nine of ten rows, because all are small at the end of a
    schedule, and in nine of ten of the rows before convergence, which may be a small part of a log. Parameters whose
    gradient is mere rounding, such as a bias before batch norm, learn nothing at any rate. A bias beside its weight
    doesn't count: it begins near zero, and any update is large for it.
    """
    names, ratios = _update_ratios(series)
    known = set(names)
    deciding = [not is_bias(name, known) for name in names]
    names, ratios = list(compress(names, deciding)), ratios[:, deciding]
    medians, high = _quantiles(ratios, 0.5), _quantiles(ratios, 0.9)
    high = np.maximum(high, _quantiles(ratios[_before_convergence(series)], 0.9))
    rounding = _rounding(series)
    high[[name in rounding for name in names]] = np.nan
    outside = (
        (high, high < RATIOS[0], RATIOS[0], np.min, "updates-small"),
        (medians, medians > RATIOS[1], RATIOS[1], np.max, "updates-large"),
    )
    return [
        Finding(
            "update-ratio",
            *series.ends,
            tuple(compress(names, bad)),
            {"update_ratio": float(worst(values[bad]))},
            limit,
            signs=(sign,),
        )
        for values, bad, limit, worst, sign in outside
        if bad.any()
    ]


def _rounding(series: Series) -> set[str]:
    """Return the layers whose gradient is always so small beside the whole that it must be an exact zero, rounded."""
    with np.errstate(invalid="ignore"):
        shares = series.layer_levels - logarithms(series.norms)[:, None]
    tiny = (shares < -ROUNDING) | np.isnan(shares)
    return set(compress(series.layers, np.asarray(tiny.all(0))))


def _before_convergence(series: Series) -> npt.NDArray[np.bool_]:
    """Return which rows have a gradient that isn't far below what was usual earlier in the run."""
    level, rows = series.norm.level, np.ones(len(series.steps), dtype=bool)
    if len(level):
        size = max(1, len(level) // BLOCKS)
        usual = np.maximum.accumulate(block_medians(level, size))
        blocks = np.maximum(0, np.arange(len(level)) - len(level) % size) // size
        rows[~np.isnan(series.norms)] = level >= usual[blocks] - SMALLER
    return rows


def _update_ratios(series: Series) -> tuple[list[str], Numbers]:
    """Return update over weight by layer, (rows, layers): as logged, or from both norms."""
    names, ratios = series.layers_with("update_ratio")
    if names:
        return names, ratios
    (updating, updates), (weighted, weights) = (series.layers_with(one) for one in ("update_norm", "weight_norm"))
    shared = [name for name in updating if name in weighted]
    with np.errstate(divide="ignore", invalid="ignore"):
        return shared, updates[:, list(map(updating.index, shared))] / weights[:, list(map(weighted.index, shared))]


def _quantiles(values: Numbers, share: float) -> Numbers:
    """Return a quantile of each column's finite numbers; nan of one with too few."""
    found = np.full(values.shape[1], np.nan)
    alike = defaultdict[bytes, list[int]](list)  # columns that have their numbers in the same rows
    finite = np.isfinite(values)
    for at, rows in enumerate(finite.T):
        alike[rows.tobytes()].append(at)
    for columns in alike.values():
        rows = finite[:, columns[0]]
        if np.count_nonzero(rows) >= FEWEST:
            found[columns] = quantiles(values[rows][:, columns], share)[0]
    return found
