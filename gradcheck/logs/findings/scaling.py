"""The loss scale of mixed precision in the norms of a log: of gradients logged, or clipped, with the scale in them.

| constant | value | reason |
|---|---|---|
| ``MOVES`` | 0.6 decades | two doublings of the scale: less hides in the norm's noise |
| ``SLOPE`` | 0.7 … 1.3 | norms that carry the scale move as it does; others don't move with it at all |
| ``REST`` | 35 % of the scale's range | what is left when the scale is taken out is steadier than what was there |
| ``SAME`` | 1 % | digits that a log drops |
| ``ONE``, ``NEARLY_ALL`` | 1e-4, in 90 % of the rows | norms that agree so closely have been set to a number |
| ``FIRST_SCALE`` | 65536 | what a loss scale begins with, and often stays at, where the log has none |
"""

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.robust import Numbers, median, nanmedians
from gradcheck.logs.series import Series, logarithms

MOVES, SLOPE, REST, SAME = 0.6, (0.7, 1.3), 0.35, 0.01
ONE, NEARLY_ALL, FIRST_SCALE = 1e-4, 0.9, 65536.0

#: Fewest rows at one scale, and fewest rows with a scale at all.
FEWEST_AT_ONE, FEWEST_ROWS = 3, 12


def norms_are_scaled(series: Series) -> bool:
    """Whether the gradient norm moves as the loss scale does."""
    return _moves_with(logarithms(series.norms), logarithms(series.values("loss_scale")))


def _moves_with(levels: Numbers, scales: Numbers) -> bool:
    """Whether the medians of levels at each scale rise by as many decades as the scale, (rows,) each."""
    known = np.isfinite(levels) & np.isfinite(scales)
    levels, scales = levels[known], scales[known]
    if len(levels) < FEWEST_ROWS:
        return False
    each, counts = np.unique(scales, return_counts=True)
    each = each[counts >= FEWEST_AT_ONE]
    if len(each) < 2 or np.ptp(each) < MOVES:
        return False
    medians = np.array([median(levels[scales == scale]) for scale in each])
    slope = float(np.polyfit(each, medians, 1)[0])
    return SLOPE[0] <= slope <= SLOPE[1] and bool(np.ptp(medians - each) < REST * np.ptp(each))


def find_clipped_scaled(series: Series, max_norm: float | None = None) -> list[Finding]:
    """Find clipping before unscaling: times the scale, the norms after clipping are one and the same threshold."""
    before, after, scales = series.norms, series.values("grad_norm_after"), series.values("loss_scale")
    if not _some(after):
        return _find_one_threshold(series, max_norm)
    known = (before > 0) & (after > 0) & (scales > 1)
    if known.sum() < FEWEST_ROWS:
        return []
    before, after, scales = before[known], after[known], scales[known]
    limits = after * scales
    limit = median(limits)
    steady = bool((np.abs(limits / limit - 1) < SAME).mean() > 0.9)
    moved = bool(scales.max() >= 2 * scales.min()) and _steady_elsewhere(limits / limit, scales)
    logged = series.values("max_norm")[known]
    given = max_norm or (series.clip[1] if series.clip else float(nanmedians(logged)) if _some(logged) else None)
    named = given is not None and abs(limit - given) < SAME * given
    kept = float(np.minimum(1.0, after / before).mean())
    if not steady or not (moved or named) or kept > 0.5:
        return []
    return [Finding("clipped-scaled", *series.ends, (), {"kept": kept, "threshold": limit}, 1.0)]


def _find_one_threshold(series: Series, max_norm: float | None) -> list[Finding]:
    """Find the same in norms that were taken after clipping: times the scale they are one round number.

    At a single scale a norm that was clipped as it should be is one number as well; then it is the round one.
    """
    norms, scales = series.norms, series.values("loss_scale")
    scales = scales if _some(scales) else np.full(len(norms), FIRST_SCALE)
    known = (norms > 0) & (scales > 1)
    if known.sum() < max(FEWEST_ROWS, NEARLY_ALL * len(norms)):
        return []
    norms, scales = norms[known], scales[known]
    limits, norm = norms * scales, median(norms)
    limit = median(limits)
    if np.mean(np.abs(limits / limit - 1) < ONE) < NEARLY_ALL or limit < 10 * norm:
        return []
    moved = scales.max() >= 2 * scales.min() and _steady_elsewhere(limits / limit, scales)
    named = max_norm is not None and abs(limit - max_norm) < SAME * max_norm
    if not (moved or named or (_is_round(limit) and not _is_round(norm))):
        return []
    return [Finding("clipped-scaled", *series.ends, (), {"kept": norm / limit, "threshold": limit}, 1.0)]


def _is_round(limit: float) -> bool:
    """Whether a number is 1, 2 or 5 times a power of ten, as thresholds are."""
    digits = limit / 10.0 ** np.floor(np.log10(limit) + ONE)
    return any(abs(digits - one) < ONE * one for one in (1.0, 2.0, 5.0))


def _steady_elsewhere(limits: Numbers, scales: Numbers) -> bool:
    """Whether a limit is 1 at scales other than the most frequent one, at which a clipped norm alone is as steady."""
    each, counts = np.unique(scales, return_counts=True)
    elsewhere = scales != each[counts.argmax()]
    return bool((np.abs(limits[elsewhere] - 1) < SAME).mean() > 0.9)


def _some(values: Numbers) -> bool:
    return not np.isnan(values).all()
