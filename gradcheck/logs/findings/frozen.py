"""A loss that moved, and then is the same guess to its last digit in every batch: nothing passes the network any more.

| constant | value | reason |
|---|---|---|
| ``ROWS`` | 12 rows (``robust.FEWEST``) | the mean that a progress bar shows may stay for a few |
| ``EXACT`` | 5.1e-5 | four digits after the point, as most programs print; three are those of many losses |
"""

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.learning import losses_of
from gradcheck.logs.findings.losses import find_not_learning, guessed_classes
from gradcheck.logs.findings.robust import FEWEST
from gradcheck.logs.series import Series

ROWS, EXACT = FEWEST, 5.1e-5


def find_frozen(series: Series) -> list[Finding]:
    """Find a loss that is the logarithm of a number of classes in every row to the end, and was not before."""
    steps, losses = losses_of(series)
    if len(losses) <= ROWS:
        return []
    level = float(losses[-1])
    first = int(np.flatnonzero(np.append(True, losses[:-1] != level))[-1])
    classes = guessed_classes(level, EXACT)
    if not classes or first == 0 or len(losses) - first < ROWS or find_not_learning(series):
        return []
    numbers = {"level": level, "moved": 0.0, "classes": float(classes)}
    ends = float(steps[first]), float(steps[-1])
    return [Finding("not-learning", *ends, (), numbers, None, {"whole": False}, signs=("frozen",))]
