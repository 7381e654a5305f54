"""Whether a run gets anywhere: the question that separates convergence from collapse.

| constant | value | reason |
|---|---|---|
| ``BETTER`` | 1 % of the loss | less is no improvement |
| ``WORSE`` | 5 % of all that the loss has moved | a run that converged ends at its best, up to its noise |
| ``DEVIATIONS`` | 3 | standard errors of a median of a block |
| ``SMALLER`` | 1 decade | a run whose largest gradient falls further converges, if its loss gets better |
"""

import numpy as np

from gradcheck.logs.robust import FEWEST, Numbers, block_medians, deviation, distinct, median
from gradcheck.logs.series import Series

BETTER, WORSE, DEVIATIONS, SMALLER = 0.01, 0.05, 3.0, 1.0

#: Blocks that a run is divided into.
BLOCKS = 20


def has_improved(series: Series, since: float) -> bool | None:
    """Whether the loss is better at the end than around a step; None if the log doesn't show it."""
    steps, losses = losses_of(series)
    before, after = losses[steps <= since][-FEWEST:], losses[steps > since]
    if len(after) < 3 or len(losses) < FEWEST:
        return None
    at = median(before) if len(before) else float(after[0])
    end = median(after[-max(3, len(after) // 4) :])
    return bool(at - end > max(BETTER * abs(at), DEVIATIONS * deviation(losses) / 3**0.5))


def got_nowhere(series: Series) -> bool | None:
    """Whether the loss ends above its best, or never left its beginning; None if the log doesn't show it."""
    _, losses = losses_of(series)
    if len(losses) < FEWEST:
        return None
    size = max(1, len(losses) // BLOCKS)
    medians = block_medians(losses, size)
    noise = DEVIATIONS * deviation(losses)
    error = noise / size**0.5
    first = float(losses[:3].max())  # fast convergence is over before the first block is
    start, end, best = float(medians[0]), float(medians[-1]), float(medians.min())
    relapsed = end - best > max(WORSE * float(np.ptp(medians)), error) and end - best > BETTER * abs(best)
    learned = start - end > max(BETTER * abs(start), error) or first - end > max(BETTER * abs(first), noise)
    return relapsed or not learned


def is_from_the_beginning(series: Series) -> bool:
    """Whether the log begins where the run does: within the first rows' steps."""
    steps = distinct(series.steps)
    return len(steps) < 2 or bool(0 <= steps[0] <= 2 * median(np.diff(steps)))


def losses_of(series: Series) -> tuple[Numbers, Numbers]:
    """Return the steps that have a loss, and the losses, (rows,): of all that are finite."""
    values = series.values("loss")
    known = ~np.isnan(values)
    return series.steps[known], values[known]
