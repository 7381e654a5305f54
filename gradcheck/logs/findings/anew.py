"""A training that begins anew within a log, as where a resumed run loads no checkpoint.

| constant | value | reason |
|---|---|---|
| ``START`` | 3 rows | where a loss begins; of a block, the fewest |
| ``BLOCKS`` | 4 | the course that it takes from there |
| ``ALIKE`` | 15 % of what it fell | so near are the courses of two trainings from the same start |
| ``FALLS`` | 10 % of that | there must be a course to be alike |
"""

import numpy as np

from gradcheck.logs.robust import Numbers, block_medians, median

START, BLOCKS, ALIKE, FALLS = 3, 4, 0.15, 0.1


def begins_anew(losses: Numbers, row: int, base: float) -> bool:
    """Whether a loss is where it began, and takes the same course down as from the first row on."""
    first, rows = median(losses[:START]), min(row, len(losses) - row)
    fall, size = first - base, rows // BLOCKS
    if size < START or abs(median(losses[row : row + START]) - first) > ALIKE * fall:
        return False
    old, new = (block_medians(one[: size * BLOCKS], size) for one in (losses, losses[row:]))
    return bool(np.abs(new - old).max() <= ALIKE * fall and new[0] - new[-1] > FALLS * fall)
