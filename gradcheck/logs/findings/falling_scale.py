"""A dynamic loss scale that falls and doesn't come up again: each halving is a step that was skipped.

| constant | value | reason |
|---|---|---|
| ``FALLEN`` | 64-fold | six halvings in a row have found no scale that fits |
| ``STEADY`` | 12 rows | a scale that was kept so long before had been found: what falls later is no search for it |
| ``OFTEN`` | half a halving a row | a scale is halved as seldom as it is doubled by design, every 2,000 steps |
"""

import math

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.series import Series

FALLEN, STEADY, OFTEN = 64.0, 12, 0.5


def onset(series: Series) -> dict[str, float]:
    """Return from which step on the loss scale falls to the end, from what and to what; nothing where it doesn't."""
    scales = series.values("loss_scale")
    known = np.flatnonzero(scales > 0)
    steps, scales = series.steps[known], scales[known]
    if not len(scales):
        return {}
    rises = np.flatnonzero(np.diff(scales) > 0)
    begin = int(rises[-1]) + 1 if len(rises) else 0
    falls = begin + np.flatnonzero(np.diff(scales[begin:]) < 0)
    if not len(falls) or scales[falls[0]] < FALLEN * scales[-1]:
        return {}
    first = int(falls[0])
    numbers = {"scale_step": steps[first + 1], "scale_from": scales[first], "scale_to": scales[-1]}
    return {name: float(one) for name, one in numbers.items()} | {"scale_rows": float(falls[-1] - first + 1)}


def find_falling_scale(series: Series) -> list[Finding]:
    """Find a scale that was steady and then falls row by row, to the end or below 1, if nothing else says so."""
    numbers = onset(series)
    if not numbers or series.run.nonfinite is not None or (series.values("overflow") > 0).any():
        return []
    first = int(np.searchsorted(series.steps, numbers["scale_step"]))
    halvings = math.log2(numbers["scale_from"] / numbers["scale_to"])
    rows, goes_on = numbers["scale_rows"], first + numbers["scale_rows"] >= len(series.steps) - 1
    if first < STEADY or halvings < OFTEN * rows or not (goes_on or numbers["scale_to"] < 1):
        return []
    ends = numbers["scale_step"], series.ends[1]
    return [Finding("nonfinite", *ends, (), numbers | {"rows": rows}, signs=("scale-at-minimum",))]
