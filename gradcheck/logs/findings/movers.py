"""Which layer moved first."""

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.robust import deviation
from gradcheck.logs.series import Series

#: Decades, and deviations of its own noise, by which a layer must leave its level to have moved.
MOVED, MOVED_DEVIATIONS = 0.5, 5.0

#: Rows in a row that it must be away for.
IN_A_ROW = 3

#: Before the whole gradient moves, a single layer may have: so much of the rows before is looked at.
LOOK_BACK = 0.25


def first_movers(series: Series, first_step: float, last_step: float, sign: float) -> tuple[str, ...]:
    """Return the layers whose gradients rise (sign 1) or fall (−1) between two steps, the first to move first."""
    if not series.layers:
        return ()
    levels = sign * np.maximum(series.layer_levels, -400.0)  # (rows, layers); a zero is finite too
    start = int(np.searchsorted(series.steps, first_step))
    end = int(np.searchsorted(series.steps, last_step, side="right"))
    before = levels[: max(start, IN_A_ROW)]
    window = max(0, start - max(IN_A_ROW, int(LOOK_BACK * start)))
    moves = [_moved_at(before[:, at], levels[window:end, at]) for at in range(len(series.layers))]
    moved = sorted((move, at) for at, move in enumerate(moves) if move is not None)
    return tuple(series.layers[at] for _, at in moved)


def _moved_at(before: npt.NDArray[np.float64], levels: npt.NDArray[np.float64]) -> tuple[int, float] | None:
    """Return where a layer leaves its level for good, and (negative, so that the furthest sorts first) how far."""
    known, there = before[~np.isnan(before)], np.flatnonzero(~np.isnan(levels))
    if not len(known) or len(there) < IN_A_ROW:
        return None
    course = levels[there]
    away = course - np.median(known) > max(MOVED, MOVED_DEVIATIONS * deviation(known))
    if not away[-1]:
        return None
    staying = np.logical_and.accumulate(np.lib.stride_tricks.sliding_window_view(away, IN_A_ROW)[::-1].any(1))[::-1]
    first = int(np.flatnonzero(staying & away[: len(staying)])[0]) if (staying & away[: len(staying)]).any() else -1
    return None if first < 0 else (int(there[first]), -float(course[first:].max() - np.median(known)))


def outstanding(series: Series, step: float) -> tuple[str, ...]:
    """Return the layer whose gradient is furthest above its own median at a step."""
    if not series.layers:
        return ()
    row = int(np.argmin(np.abs(series.steps - step)))
    places = [at for column, at in series.columns.items() if column.quantity == "grad_norm" and column.layer]
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.log10(series.peaks[row, places]) - np.array(
            [_median(series.layer_levels[:, at]) for at in range(len(series.layers))]
        )
    excess = np.where(np.isfinite(excess), excess, -np.inf)
    return (series.layers[int(excess.argmax())],) if excess.max() > MOVED else ()


def _median(levels: npt.NDArray[np.float64]) -> float:
    known = levels[np.isfinite(levels)]
    return float(np.median(known)) if len(known) else np.nan
