"""A loss that moved, and then is the same guess to its last digit in every batch: nothing passes the network any more.

| constant | value | reason |
|---|---|---|
| ``ROWS`` | 12 rows (``robust.FEWEST``) | the mean that a progress bar shows may stay for a few |
| ``EXACT`` | 5.1e-5 | four digits after the point, as most programs print; three are those of many losses |
| ``USUAL`` | 2, 10, 100, 1000 | with fewer digits: a note, and of classes that many data have |
| ``ROUNDED`` | 20 rows, 1 % of the loss | so many rows don't differ by a digit, and that digit says something |
"""

import math

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.learning import losses_of
from gradcheck.logs.findings.losses import find_not_learning, guessed_classes
from gradcheck.logs.findings.robust import FEWEST, printed_unit
from gradcheck.logs.series import Series

ROWS, EXACT = FEWEST, 5.1e-5
USUAL, ROUNDED_ROWS, ROUNDED = (2, 10, 100, 1000), 20, 0.01


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
