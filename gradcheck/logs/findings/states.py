"""What single numbers say without their course: not finite, never there, too small or too large for their weights.

| constant | value | reason |
|---|---|---|
| ``RATIOS`` | 1e-4 … 1e-1 | about 1e-3 is usual (A. Karpathy, lecture notes of CS231n); a decade below, two above |
| ``DEAD`` | 90 % | as before training (``thresholds.dead_above``) |
| ``ROUNDING`` | 6 decades | float32 has seven, and a sum that cancels loses one |
| ``SCALER`` | 1 % of the rows | a dynamic loss scale is doubled every 2,000 steps, and overflows as often by design |
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.learning import BLOCKS, SMALLER
from gradcheck.logs.findings.robust import Numbers, block_medians
from gradcheck.logs.findings.sentences import WORDS
from gradcheck.logs.series import Series, logarithms
from gradcheck.logs.table import Nonfinite
from gradcheck.spec.thresholds import Thresholds

RATIOS = (1e-4, 1e-1)
DEAD, SCALER, ROUNDING = Thresholds.dead_above, 0.01, 6.0

#: Rows with a number that a layer is judged by.
FEWEST = 3


def nonfinite(series: Series) -> list[Finding]:
    """Find the first loss or gradient that is infinite or not a number."""
    found = series.nonfinite
    if found is None:
        return []
    what, layers = _source(found)
    value = max(number for column, number in found.values.items() if column.quantity == what)
    last = float(series.steps[-1])
    scaled = not np.isnan(series.values("loss_scale")).all()
    passing = scaled and found.rows <= max(1.0, SCALER * series.rows) and found.last_step < last
    return [
        Finding(
            "nonfinite", found.first_step, found.last_step, layers, {"rows": float(found.rows)},
            details={"what": what, "value": value}, severity=NOTE if passing else "",
        )
    ]  # fmt: skip


def _source(found: Nonfinite) -> tuple[str, tuple[str, ...]]:
    """Return which quantity isn't finite, and the layers, the first on its way first.

    A signal passes from the first layer to the last, a gradient back: of several the last is the first.
    """
    signals = [column.layer for column in found.values if column.quantity in ("activation_rms", "weight_norm")]
    gradients = [column.layer for column in found.values if column.quantity == "grad_norm" and column.layer]
    layers = tuple(dict.fromkeys([*signals, *reversed(gradients)]))
    quantities = {column.quantity for column in found.values}
    return next(name for name in (*WORDS, *quantities) if name in quantities), layers


def no_gradient(series: Series) -> list[Finding]:
    """Find parameters whose gradient is zero, or missing, in all rows, while others have one."""
    names, norms = series.layers_with("grad_norm")
    received = [bool(np.any(column > 0)) for column in norms.T]
    if len(norms) < FEWEST or not any(received) or all(received):
        return []
    layers = tuple(name for name, one in zip(names, received, strict=True) if not one)
    first, last = float(series.steps[0]), float(series.steps[-1])
    numbers = {"parameters": float(len(layers))}
    return [Finding("no-gradient", first, last, layers, numbers, details={"of": len(names)})]


def dead(series: Series) -> list[Finding]:
    """Find layers most of whose units put out zero at the end."""
    names, shares = series.layers_with("dead_fraction")
    end = shares[-max(FEWEST, len(shares) // 10) :]
    found = [(name, median) for name, median in zip(names, _medians(end), strict=True) if median > DEAD]
    if not found:
        return []
    worst = max(median for _, median in found)
    first, last = float(series.steps[-len(end)]), float(series.steps[-1])
    return [Finding("dead", first, last, tuple(name for name, _ in found), {"dead_fraction": worst}, DEAD)]


def update_ratio(series: Series) -> list[Finding]:
    """Find layers whose updates are hardly ever large enough, or mostly too large, for their weights.

    Too small are those that stay below the range in nine of ten rows, for at the end of a schedule all updates are
    small; and in nine of ten of the rows before convergence, which may take up nearly all of a log. Parameters whose
    gradient is mere rounding, as that of a bias in front of batch norm, learn nothing at any rate.
    """
    names, ratios = _update_ratios(series)
    medians, high = _medians(ratios), _quantiles(ratios, 0.9)
    high = np.maximum(high, _quantiles(ratios[_before_convergence(series)], 0.9))
    rounding = _rounding(series)
    high[[name in rounding for name in names]] = np.nan
    return [
        *_outside(series, names, high, high < RATIOS[0], min, RATIOS[0]),
        *_outside(series, names, medians, medians > RATIOS[1], max, RATIOS[1]),
    ]


def _rounding(series: Series) -> set[str]:
    """Return the layers whose gradient is always so small beside that of all that it is an exact zero, rounded."""
    with np.errstate(invalid="ignore"):
        shares = series.layer_levels - logarithms(series.norms)[:, None]
    return {
        name for name, share in zip(series.layers, shares.T, strict=True) if (share[~np.isnan(share)] < -ROUNDING).all()
    }


def _before_convergence(series: Series) -> npt.NDArray[np.bool_]:
    """Return which rows have no gradient far below what was usual earlier in the run."""
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
    updates, weights = (dict(zip(*_by_layer(series, one), strict=True)) for one in ("update_norm", "weight_norm"))
    shared = [name for name in updates if name in weights]
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [updates[name] / weights[name] for name in shared]
    return shared, np.stack(columns, axis=1) if shared else np.empty((len(series.steps), 0))


def _by_layer(series: Series, quantity: str) -> tuple[list[str], Numbers]:
    names, values = series.layers_with(quantity)
    return names, values.T


def _outside(
    series: Series,
    names: list[str],
    values: Numbers,
    outside: npt.NDArray[np.bool_],
    worst_of: Callable[[Numbers], float],
    limit: float,
) -> list[Finding]:
    layers = [name for name, is_outside in zip(names, outside, strict=True) if is_outside]
    if not layers:
        return []
    numbers = {"update_ratio": float(worst_of(values[outside]))}
    first, last = float(series.steps[0]), float(series.steps[-1])
    return [Finding("update-ratio", first, last, tuple(layers), numbers, limit)]


def _medians(values: Numbers) -> Numbers:
    return _quantiles(values, 0.5)


def _quantiles(values: Numbers, share: float) -> Numbers:
    """Return a quantile of each column's finite numbers; nan of one with too few."""
    columns = (column[np.isfinite(column)] for column in values.T)
    return np.array([np.quantile(one, share) if len(one) >= FEWEST else np.nan for one in columns])
