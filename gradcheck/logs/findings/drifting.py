"""A gradient norm that grows steadily along a run that learns: less than an explosion, and a note.

| constant | value | reason |
|---|---|---|
| ``RISE`` | 1.3 decades | warm-ups and weights that grow move a norm by less than tenfold |
| ``BLOCKS`` | 20 | of a run: a trend shows in their medians |
| ``LASTING`` | half of the run | what is over sooner is its beginning |
| ``AT_ONCE`` | 25 % of the rise within two blocks | then it is a jump, or a walk |
| ``BACK`` | 5 % of the rise, or noise | a trend hardly comes down in between, and a random walk does |
| ``GOING_ON`` | 10 % of the rise in the last quarter | else it has ended, as a warm-up does |
"""

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.growth import find_growth, first_risen
from gradcheck.logs.robust import block_medians, deviation
from gradcheck.logs.series import Series

RISE, BLOCKS, LASTING, AT_ONCE, BACK, GOING_ON = 1.3, 20, 0.5, 0.25, 0.05, 0.1

#: Rows of a block at least, and errors of its median that a rise is above, and a fall in between may be.
FEWEST_ROWS, DEVIATIONS, NOISE = 2, 8.0, 4.0


def find_drifting(series: Series) -> list[Finding]:
    """Find a norm that grows block by block over half of the run and more, to its end: a note."""
    track = series.norm.above_zero()
    size = len(track) // BLOCKS
    if size < FEWEST_ROWS or find_growth(series.norm, series) is not None or series.run.nonfinite is not None:
        return []
    medians = block_medians(track.level, size)
    start = int(np.argmin(medians))
    after = medians[start:]
    rise = float(after[-1] - after[0])
    limit = max(RISE, DEVIATIONS * deviation(track.level) / size**0.5)
    if rise <= limit or len(after) < LASTING * len(medians):
        return []
    down = float((np.maximum.accumulate(after) - after).max())
    at_once = float((after[2:] - after[:-2]).max())
    late = float(after[-1] - after[-1 - len(after) // 4])
    if (
        down > max(BACK * rise, NOISE * deviation(track.level) / size**0.5)
        or at_once > AT_ONCE * rise
        or late < GOING_ON * rise
    ):
        return []
    row = first_risen(track.level, len(track) % size + start * size, float(after[0]), rise)
    numbers = {"log10_before": float(after[0]), "log10_rise": rise}
    return [Finding("drifting", float(track.steps[row]), series.ends[1], (), numbers, limit, severity=NOTE)]
