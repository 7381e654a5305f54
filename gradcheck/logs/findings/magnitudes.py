"""Magnitudes that no training has: a gradient of exactly zero, and numbers that are huge from the first row.

A zero is a statement: nothing was computed, nothing arrived, or nothing differed. What the loss does tells which.

| constant | value | reason |
|---|---|---|
| ``FEWEST_ROWS`` | 3 | one or two zeros are chance, or rounding in print |
| ``MANY_ZEROS`` | a fifth of the rows, 5 at least | skipped steps and satisfied margins are rarer |
| ``ABRUPT`` | 1/100 of the first losses | a loss that converges to zero passes through what is smaller, also in print |
| ``PRINTED`` | 3 units of the last digit | a printed zero may be half a unit: a fall from so near says nothing |
| ``OFTEN`` | 5 % of the rows before | a loss that was zero now and then may be so for good |
| ``MOVES`` | 5 % of the loss, 6 errors | a loss that moves so far has been trained |
| ``HUGE_LOSS``, ``HUGE_NORM`` | 1e6, 1e4 | absolute limits, as few here: means of standardised numbers are about 1 |
| ``HUGE_ALONE`` | 1e4 | of a loss without a norm beside it: a note, as sums over pixels or raw units are as large |
| ``HUGE_AT_FIRST`` | 1e12, and its root later | an epoch that exploded: what is learnt in large units falls less |
| ``BEYOND_UNITS`` | 1e20 in the end, too | no unit is as large: squares of incomes in a small currency are 1e14 |
| ``HARDLY`` | a tenth of the rows | an exploded network that dies for a while has an ordinary loss in one or two |
| ``TINY`` | 1e-7 | of a million numbers each is then below 1e-10, a hundredth of Adam's eps |
"""

import numpy as np

from gradcheck.logs.findings.decay import find_collapsed, moves
from gradcheck.logs.findings.finding import ERROR, NOTE, Finding
from gradcheck.logs.findings.learning import BLOCKS, got_nowhere, losses_of
from gradcheck.logs.robust import (
    FEWEST,
    Numbers,
    block_medians,
    deviation,
    low_median,
    median,
    printed_unit,
    quantiles,
)
from gradcheck.logs.series import Series

FEWEST_ROWS, MANY_ZEROS, FEWEST_ZEROS, ABRUPT, PRINTED, OFTEN = 3, 0.2, 5, 0.01, 3.0, 0.05
MOVES, ERRORS, HUGE_LOSS, HUGE_NORM, HUGE_ALONE, TINY = 0.05, 6.0, 1e6, 1e4, 1e4, 1e-7
HUGE_AT_FIRST, BEYOND_UNITS, HARDLY = 1e12, 1e20, 0.1


def norm_is_computed(series: Series) -> bool:
    """Whether the gradient norm is more than a zero in every row of a run whose loss moves."""
    norms = series.norms[~np.isnan(series.norms)]
    return len(norms) < FEWEST_ROWS or bool(norms.any()) or not loss_moves(series)


def loss_moves(series: Series) -> bool:
    """Whether the loss goes further than its noise: then the weights changed."""
    _, losses = losses_of(series)
    if len(losses) < FEWEST:
        return False
    size = max(1, len(losses) // BLOCKS)
    medians = block_medians(losses, size)
    error = deviation(losses) / size**0.5
    return bool(np.ptp(medians) > max(MOVES * float(np.abs(medians).max()), ERRORS * error))


def find_zeros(series: Series) -> list[Finding]:
    """Find gradients of exactly zero: in every row, from one on to the end, or in many."""
    norms = series.norms
    known = ~np.isnan(norms)
    steps, norms = series.steps[known], norms[known]
    zero = norms == 0
    if len(norms) < FEWEST_ROWS or not zero.any():
        return _zero_loss(series)
    if zero.all():
        rates = series.values("lr")
        signs = ("no-gradient", *(["rate-zero"] if all_zero(rates) else []))
        return [Finding("no-gradient", *series.ends, (), {"rows": float(len(norms))}, severity=ERROR, signs=signs)]
    last = int(np.flatnonzero(~zero)[-1]) + 1
    if len(norms) - last >= FEWEST_ROWS and (found := _zero_loss(series) or _zero_beside(series, steps, norms, last)):
        return found
    share = float(zero.mean())
    if zero.sum() < FEWEST_ZEROS or share < MANY_ZEROS or len(norms) - last >= zero.sum():
        return []
    severity = NOTE if got_nowhere(series) is False else ""
    first, end = float(steps[zero][0]), float(steps[zero][-1])
    numbers = {"zeros": float(zero.sum()), "rows": float(len(norms)), "share": share}
    return [Finding("zeros", first, end, (), numbers, MANY_ZEROS, severity=severity)]


def all_zero(values: Numbers) -> bool:
    """Whether there are numbers in a column, and all are zero."""
    known = values[~np.isnan(values)]
    return len(known) > 0 and not known.any()


def _zero_loss(series: Series) -> list[Finding]:
    """Find a loss that falls to exactly zero from one row to the next, and stays there."""
    steps, losses = losses_of(series)
    other = np.flatnonzero(losses != 0)
    if len(other) < FEWEST_ROWS or len(losses) - other[-1] - 1 < FEWEST_ROWS:
        return []
    row = int(other[-1]) + 1
    if float((losses[:row] == 0).mean()) > OFTEN:  # satisfied margins, more and more of them
        return []
    before, first = np.abs(losses[max(0, row - 3) : row]), np.abs(losses[:FEWEST])
    if not median(before) > max(ABRUPT * median(first), (PRINTED + 0.5) * printed_unit(losses)):
        return []
    after = series.norms[series.steps >= steps[row]]
    both = len(after) > 0 and not np.isnan(after).all() and not np.nan_to_num(after).any()
    numbers = {"rows": float(len(losses) - row), "loss_before": float(losses[row - 1])}
    details = {"zero_loss": True, "both": both, "what": series.loss_name}
    return [Finding("collapsed", float(steps[row]), float(steps[-1]), (), numbers, None, details, signs=("loss-zero",))]


def _zero_beside(series: Series, steps: Numbers, norms: Numbers, row: int) -> list[Finding]:
    """Find a norm that is exactly zero from one row on, at once, while the loss is as high as before in some row.

    That is no loss that came down to its floor, as with all margins satisfied: such rows would have a gradient.
    """
    known, losses = losses_of(series)
    before, after = losses[known < steps[row]], losses[known > steps[row]]  # a row's mean may have earlier steps in it
    if not len(before) or len(after) < FEWEST or not after.max() >= median(before) > 0 or moves(after):
        return []
    least = max(ABRUPT * median(norms[:row][:FEWEST]), printed_unit(norms) / ABRUPT)  # no small norm, printed as 0.0
    if np.mean(norms[:row] == 0) > OFTEN or not median(norms[max(0, row - 3) : row]) > least or find_collapsed(series):
        return []
    numbers = {"rows": float(len(norms) - row), "highest": float(after.max())}
    details = {"beside": True}
    return [Finding("collapsed", float(steps[row]), float(steps[-1]), (), numbers, None, details)]


def find_tiny(series: Series) -> list[Finding]:
    """Find a norm that is so small in every row that an optimizer's eps decides the step."""
    norms = series.norms[~np.isnan(series.norms)]
    if len(norms) < FEWEST or not 0 < norms.max() < TINY:
        return []
    return [Finding("tiny", *series.ends, (), {"largest_norm": float(norms.max())}, TINY)]


def find_huge(series: Series) -> list[Finding]:
    """Find loss and norm that are huge from the first row on, and get no better; or a loss that was so at first."""
    norms, losses = series.norms[~np.isnan(series.norms)], losses_of(series)[1]
    if len(losses) < FEWEST_ROWS:
        return []
    if len(norms) < FEWEST_ROWS:
        return _huge_alone(series, losses) or _huge_at_first(series)
    loss, norm = low_median(np.abs(losses)), low_median(norms)
    if loss < HUGE_LOSS or norm < HUGE_NORM or got_nowhere(series) is False:
        return _huge_at_first(series)
    return [Finding("huge", *series.ends, (), {"loss": loss, "norm": norm}, HUGE_LOSS)]


def _huge_at_first(series: Series) -> list[Finding]:
    """Find a loss that begins huge, and came down by half of its decades, or is beyond any unit still."""
    steps, losses = losses_of(series)
    sizes = np.abs(losses)
    end, root = low_median(sizes[-max(3, len(sizes) // 4) :]), float(np.sqrt(sizes[0]))
    if sizes[0] <= HUGE_AT_FIRST or root <= end < BEYOND_UNITS:
        return []
    below = np.flatnonzero(sizes < root)
    last = float(steps[below[0] - 1]) if len(below) and end < root else series.ends[1]
    numbers = {"loss": float(sizes[0]), "end": end}
    return [Finding("huge", float(steps[0]), last, (), numbers, HUGE_AT_FIRST, {"at_first": True}, signs=("at-first",))]


def _huge_alone(series: Series, losses: Numbers) -> list[Finding]:
    """Note a loss without norms that is huge in nearly every row, and ends no better than it began."""
    third = len(losses) // 3
    nowhere = got_nowhere(series)
    if nowhere is None:
        nowhere = median(losses[-third:]) >= median(losses[:third])
    if quantiles(np.abs(losses), HARDLY)[0] < HUGE_ALONE or not nowhere:
        return []
    numbers = {"loss": median(np.abs(losses))}
    return [Finding("huge", *series.ends, (), numbers, HUGE_ALONE, {"alone": True}, NOTE)]
