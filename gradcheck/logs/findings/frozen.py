"""A loss that moved, and is a guess in every batch since: to its last digit, or from the first rows on.

| constant | value | reason |
|---|---|---|
| ``ROWS`` | 12 rows (``robust.FEWEST``) | the mean that a progress bar shows may stay for a few |
| ``EXACT`` | 5.1e-5 | four digits after the point, as most programs print; three are those of many losses |
| ``USUAL`` | 2, 10, 100, 1000 | with fewer digits: a note, and of classes that many data have |
| ``FIRST_ROWS``, ``BELOW`` | 2 rows or a twentieth, 10 % | chance makes no first row so much lower than all others |
| ``ROUNDED`` | 20 rows, 1 % of the loss | so many rows don't differ by a digit, and that digit says something |
"""

import math

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.guesses import guessed_classes
from gradcheck.logs.findings.learning import BLOCKS, DEVIATIONS, losses_of
from gradcheck.logs.findings.losses import (
    ENOUGH,
    KNOWN,
    OF_A_MEDIAN,
    QUIET,
    SURE,
    find_not_learning,
    is_of_a_policy,
    positive,
)
from gradcheck.logs.robust import FEWEST, deviation, median, printed_unit
from gradcheck.logs.series import Series

ROWS, EXACT = FEWEST, 5.1e-5
USUAL, ROUNDED_ROWS, ROUNDED = (2, 10, 100, 1000), 20, 0.01
FIRST_ROWS, BELOW = 2, 0.1


def find_frozen(series: Series) -> list[Finding]:
    """Find a loss that is the logarithm of a number of classes in every row to the end, and was not before."""
    steps, losses = losses_of(series)
    if len(losses) <= ROWS:
        return []
    level = float(losses[-1])
    first = int(np.flatnonzero(np.append(True, losses[:-1] != level))[-1])
    classes, rows = guessed_classes(level, EXACT), len(losses) - first
    unit = printed_unit(losses)
    rounded = not classes and EXACT < unit <= ROUNDED * level and rows >= ROUNDED_ROWS
    if rounded:
        classes = next((one for one in USUAL if abs(math.log(one) - level) <= unit / 2), 0)
    if not classes or first == 0 or rows < ROWS or find_not_learning(series):
        return []
    numbers = {"level": level, "moved": 0.0, "classes": float(classes)}
    details = {"whole": False, "rounded": rounded}
    severity, sign = (NOTE, "at-chance") if rounded else ("", "frozen")
    return [
        Finding(
            "not-learning", float(steps[first]), float(steps[-1]), (), numbers, None, details, severity, signs=(sign,)
        )
    ]


def find_forgotten(series: Series) -> list[Finding]:
    """Find a loss that rises within its first rows to what a guess among several classes costs, and stays there.

    What was learnt before the log began, or what the first outputs were worth, was undone by the first updates.
    """
    steps, losses = positive(series)
    rows = max(FIRST_ROWS, len(losses) // BLOCKS)
    head, rest = losses[:rows], losses[rows:]
    if len(rest) < ENOUGH or is_of_a_policy(series) or find_frozen(series) or find_not_learning(series):
        return []
    level, noise, third = median(rest), deviation(rest), len(rest) // 3
    below = np.flatnonzero(head < level - max(BELOW * level, DEVIATIONS * noise))
    error = OF_A_MEDIAN * noise / len(rest) ** 0.5
    classes = guessed_classes(level, KNOWN)
    moves = abs(median(rest[:third]) - median(rest[-third:])) > max(SURE * level, DEVIATIONS * error * 6**0.5)
    if not len(below) or classes <= 2 or noise > QUIET * level or error > KNOWN or moves:
        return []
    first, numbers = float(steps[below[-1] + 1]), {"level": level, "moved": level - float(head.min())}
    numbers["classes"] = float(classes)
    details = {"whole": False}
    return [Finding("not-learning", first, series.ends[1], (), numbers, BELOW * level, details, signs=("forgotten",))]
