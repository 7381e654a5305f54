"""A loss that sits where the logarithm in it is clamped: outputs are saturated.

A cross entropy is −ln p. So that p = 0 gives no infinity, programs put a least number in its place, each its own. A
loss that stays at −ln of one of them says that the right answer has probability 0 in every example; at (N−1)/N of it,
in all but those that are right by chance.

| constant | value | reason |
|---|---|---|
| ``NARROW``, ``WIDE`` | 0.0005, 0.005 | losses in print, with three digits after the point and with two |
| ``SAME`` | 2e-5 of the loss | float32 rounds, and so does print: 87.3365 and 87.3366 |
| ``FEWEST``, ``FEW`` | 2, 5 rows | six digits agree twice by no accident; fewer digits, round numbers and shares may |
| ``MOSTLY`` | 80 % of the rows to the end | a batch has an easy example now and then |
"""

import math

import numpy as np
import numpy.typing as npt

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.learning import losses_of
from gradcheck.logs.robust import low_median
from gradcheck.logs.series import Series

NARROW, WIDE, SAME, FEWEST, FEW, MOSTLY = 0.0005, 0.005, 2e-5, 2, 5, 0.8

#: The least number that a logarithm is taken of ↦ what it is, or whose.
CLAMPS = {
    2.0**-126: "the least normal float32, as Caffe has it",
    2.0**-149: "the least float32",
    2.0**-150: "below it float32 is 0",
    math.exp(-100): "PyTorch's BCELoss lets no logarithm below −100",
    2.0**-52: "the epsilon of float64",
    2.0**-22: "twice the epsilon of float32",
    2.0**-23: "the epsilon of float32",
    2.0**-24: "the least float16",
    1e-7: "Keras' epsilon",
    **{10.0**-digits: "a usual epsilon" for digits in (6, 8, 9, 10, 12, 15, 16, 20, 30)},
}

#: The clamp that is a round number, and so may be another loss.
ROUND = math.exp(-100)

#: Parts of the clamp that guesses among so many classes cost, if they are sure of themselves.
SHARES = (*((classes - 1) / classes for classes in (2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1000)), 1.0)


def find_clamped(series: Series) -> list[Finding]:
    """Find that the loss, of either sign, sits at a clamp of its logarithm to the end of the log."""
    steps, losses = losses_of(series)
    if len(losses) < FEWEST:
        return []
    sizes = np.abs(losses)
    level = low_median(sizes[-FEW:])
    least, share = _clamp_at(level)
    if not least:
        return []
    exact = share == 1 and least != ROUND and abs(level + math.log(least)) <= NARROW
    rows = _sitting(np.abs(sizes - level) <= SAME * level)
    if len(rows) < (FEWEST if exact else FEW):
        return []
    first, level = int(rows[0]), math.copysign(level, losses[-1])
    numbers = {"level": level, "moved": float(np.ptp(losses[rows])), "least": least, "share": share}
    details = {"whole": first == 0, "what": CLAMPS[least], "name": series.loss_name}
    ends = float(steps[first]), float(steps[-1])
    return [Finding("not-learning", *ends, (), numbers, None, details, signs=("at-clamp",))]


def _clamp_at(level: float) -> tuple[float, float]:
    """Return the least number whose clamp a loss is at, and the part of it; zeros if it is at none."""
    for share in reversed(SHARES):
        for least in CLAMPS:
            if abs(level + share * math.log(least)) <= (WIDE if share == 1 else NARROW):
                return least, share
    return 0.0, 0.0


def _sitting(at: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return the rows at a clamp from the first one on after which most are."""
    share = np.cumsum(at[::-1])[::-1] / np.arange(len(at), 0, -1)
    begins = np.flatnonzero(at & (share >= MOSTLY))
    return np.flatnonzero(at & (np.arange(len(at)) >= begins[0])) if len(begins) else begins
