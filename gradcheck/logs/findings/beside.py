"""What the gradient does beside a finding of the loss."""

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.robust import FEWEST, median
from gradcheck.logs.series import Series

#: Decades by which a norm has grown, and isn't as usual any more.
GROWN = 1.0

#: Findings of the loss that rises, or jumps.
RISING = ("loss-rises", "loss-jump")

#: The fewest rows before it that show what was usual.
BEFORE = 3


def with_norm(one: Finding, series: Series) -> Finding:
    """Return a finding of a rising loss with the decades by which the norm has grown beside it, if it has."""
    norm = series.norm
    row = int(np.searchsorted(norm.steps, one.first_step)) if one.kind in RISING else 0
    row = max(row, 1) if "from-the-start" in one.signs else row
    if one.kind not in RISING or len(norm) < FEWEST or not (row >= BEFORE or "from-the-start" in one.signs):
        return one
    grown = median(norm.level[row:][-FEWEST:]) - median(norm.level[:row][-FEWEST:])
    if not GROWN <= grown < np.inf:
        return one
    signs = tuple(sign for sign in one.signs if sign != "norm-quiet")
    return one._replace(numbers={**one.numbers, "log10_norm_growth": grown}, signs=(*signs, "norm-grows"))
