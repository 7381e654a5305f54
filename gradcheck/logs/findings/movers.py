"""Which layer moved first."""

import numpy as np
import numpy.typing as npt

from gradcheck.logs.robust import deviation, median
from gradcheck.logs.series import Series, logarithms

#: Decades, and deviations of its noise, by which a layer must leave its level to have moved.
MOVED, MOVED_DEVIATIONS = 0.5, 5.0

#: Rows in a row in which it must be away.
IN_A_ROW = 3

#: Fraction of the rows before that is examined: a layer may move before the whole gradient does.
LOOK_BACK = 0.25


def first_movers(series: Series, first_step: float, last_step: float, sign: float) -> tuple[str, ...]:
    """Return the layers whose gradients rise (sign 1) or fall (−1) between two steps, in the order of their moves."""
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
    """Return where a layer leaves its level for good, and how far (negative: the furthest sorts first)."""
    known, there = before[~np.isnan(before)], np.flatnonzero(~np.isnan(levels))
    if not len(known) or len(there) < IN_A_ROW:
        return None
    course = levels[there]
    away = course - median(known) > max(MOVED, MOVED_DEVIATIONS * deviation(known))
    if not away[-1]:
        return None
    staying = np.logical_and.accumulate(np.lib.stride_tricks.sliding_window_view(away, IN_A_ROW)[::-1].any(1))[::-1]
    firsts = np.flatnonzero(staying & away[: len(staying)])
    return (int(there[firsts[0]]), -float(course[firsts[0] :].max() - median(known))) if len(firsts) else None


def outstanding(series: Series, step: float) -> tuple[str, ...]:
    """Return the layer whose gradient is furthest above its own median at a step."""
    if not series.layers:
        return ()
    row = int(np.argmin(np.abs(series.steps - step)))
    peaks = logarithms(series.peaks[row, list(series.places("grad_norm").values())])
    known = (levels[np.isfinite(levels)] for levels in series.layer_levels.T)
    excess = peaks - [median(levels) if len(levels) else np.nan for levels in known]
    excess = np.where(np.isfinite(excess), excess, -np.inf)
    return (series.layers[int(excess.argmax())],) if excess.max() > MOVED else ()
