"""What a log shows beside a finding: signs that speak for one of its causes."""

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.magnitudes import all_zero, find_huge
from gradcheck.logs.findings.states import find_not_zeroed
from gradcheck.logs.series import Series

#: By so much the learning rate has risen in the tenth of the run before.
ROSE = 1.05

#: To such a part of what it was the loss scale falls where a step overflows.
FALLEN = 0.5


def with_signs(one: Finding, series: Series, max_norm: float | None) -> Finding:
    """Return a finding with the signs that the whole log shows, added to its own."""
    shown = {
        "rate-rising": _rises(series, one.first_step),
        "rate-zero": all_zero(series.values("lr")),
        "huge": one.kind == "nonfinite" and any(other.weight != NOTE for other in find_huge(series)),
        "clipped": _is_clipped(series, max_norm),
        "not-zeroed": bool(find_not_zeroed(series)),
        "scale-falls": _scale_falls(series, one.first_step),
        "scale-moves": _moves(series),
        "half-precision": not np.isnan(series.values("loss_scale")).all(),
    }
    return one._replace(signs=(*one.signs, *(sign for sign, seen in shown.items() if seen and sign not in one.signs)))


def _rises(series: Series, step: float) -> bool:
    """Whether the learning rate rises in the rows before a step."""
    rates = series.values("lr")[series.steps <= step]
    rates = rates[~np.isnan(rates)]
    before = rates[-max(3, len(rates) // 10) :]
    return len(before) >= 3 and bool(before[-1] > ROSE * before[0])


def _scale_falls(series: Series, step: float) -> bool:
    """Whether the loss scale falls within a few rows of a step."""
    scales = series.values("loss_scale")
    known = ~np.isnan(scales)
    steps, scales = series.steps[known], scales[known]
    row = int(np.searchsorted(steps, step))
    before, after = scales[max(0, row - 2) : row], scales[row : row + 2]
    return len(before) > 0 and len(after) > 0 and bool(after.min() <= FALLEN * before.max())


def _moves(series: Series) -> bool:
    scales = series.values("loss_scale")
    scales = scales[~np.isnan(scales)]
    return len(scales) > 0 and bool(scales.min() < scales.max())


def _is_clipped(series: Series, max_norm: float | None) -> bool:
    logged = (series.values(name) for name in ("max_norm", "grad_norm_after"))
    return max_norm is not None or series.clip is not None or any(not np.isnan(one).all() for one in logged)
