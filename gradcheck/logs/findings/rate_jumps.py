"""A learning rate that jumps up right where something begins.

| constant | value | reason |
|---|---|---|
| ``TENFOLD`` | 10-fold, from one row to the next | no schedule rises so but a restart |
| ``ON`` | 1.5-fold in the rows after, the third row at least | a warm-up of which few rows are logged rises on |
| ``AROUND`` | 10 rows before to 2 after | growth is seen some rows after it begins, or from the last row before it |
"""

from typing import NamedTuple

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.phrases import factor_text, step_text
from gradcheck.logs.series import Series
from gradcheck.render.numbers import significant

TENFOLD, ON, FIRST = 10.0, 1.5, 2
AROUND = 10, 2

#: What a rate that is too large makes.
MADE_BY_RATES = ("exploding", "nonfinite", "spikes", "loss-rises", "loss-jump", "collapsed")


class RateJump(NamedTuple):
    """Where a learning rate jumps up, from which to which."""

    step: float
    before: float
    after: float


def rate_jump(series: Series, step: float) -> RateJump | None:
    """Return the largest jump of the learning rate around a step, from one row that has one to the next."""
    rates = series.values("lr")
    known = rates > 0
    steps, rates = series.steps[known], rates[known]
    if len(rates) < 2:
        return None
    with np.errstate(over="ignore"):
        rises = rates[1:] / rates[:-1]
    row = int(np.searchsorted(steps, step))
    near = slice(max(0, row - AROUND[0] - 1), row + AROUND[1])
    if not len(rises[near]) or rises[near].max() < TENFOLD * (1 - 1e-9):
        return None
    at = near.start + int(rises[near].argmax())
    if at + 1 < FIRST or rates[at + 1 :][: AROUND[0]].max() > ON * rates[at + 1]:
        return None
    return RateJump(float(steps[at + 1]), float(rates[at]), float(rates[at + 1]))


def with_rate_jump(one: Finding, series: Series) -> Finding:
    """Return a finding that too large a rate may make with the jump of the rate where it begins, if there is one."""
    jump = rate_jump(series, one.first_step) if one.kind in MADE_BY_RATES else None
    if jump is None:
        return one
    numbers = {"rate_step": jump.step, "rate_before": jump.before, "rate_after": jump.after}
    return one._replace(numbers={**one.numbers, **numbers}, signs=(*one.signs, "rate-jumps"))


def jump_sentence(one: Finding) -> str:
    """Return what is said of the jump beside a finding; empty if there is none."""
    if "rate_step" not in one.numbers:
        return ""
    before, after = one.numbers["rate_before"], one.numbers["rate_after"]
    fold = factor_text(float(np.log10(after / before)))
    course = f"from {significant(before, 3)} to {significant(after, 3)}"
    return f"; the learning rate jumps {fold}-fold at step {step_text(one.numbers['rate_step'])}, {course}"
