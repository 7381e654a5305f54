"""Losses that are ever zero or negative, such as log-likelihoods and rewards: judged by how far they moved themselves.

They have no level that a change could be held against. What they had gained is: losing all of it is no noise.

| constant | value | reason |
|---|---|---|
| ``DEVIATIONS`` | 8 | of the noise of a row: a loss that moved less has no course |
| ``TURNS`` | 1/10 | of the way: a loss that wanders, as in a game, goes back and forth by more |
| ``LASTING`` | a quarter of the run | as of other losses (``losses.LASTING``) |
| ``STAYS`` | half of the jump | and of all that the loss had moved before |
"""

import numpy as np

from gradcheck.logs.findings.finding import Finding
from gradcheck.logs.findings.learning import BLOCKS, losses_of
from gradcheck.logs.findings.losses import ENOUGH, LARGEST, LASTING, restarts, sides, steepest
from gradcheck.logs.robust import FEWEST, Numbers, block_medians, deviation, median
from gradcheck.logs.series import Series

DEVIATIONS, TURNS, STAYS = 8.0, 0.1, 0.5


def find_signed(series: Series) -> list[Finding]:
    """Find a loss with any sign that doesn't move at all, loses all that it had gained, or jumps above its start."""
    steps, losses = losses_of(series)
    if len(losses) < ENOUGH or losses.min() > 0 or np.abs(losses).max() > LARGEST or not losses.any():
        return []
    if not np.ptp(losses):
        numbers = {"level": float(losses[0]), "moved": 0.0}
        return [Finding("not-learning", *series.ends, (), numbers, 0.0, signs=("constant",))]
    return _jump(series, steps, losses) or _rise(series, steps, losses)


def _rise(series: Series, steps: Numbers, losses: Numbers) -> list[Finding]:
    """Find a loss that fell, and rises again as far at least, to the end of the log."""
    size = len(losses) // BLOCKS
    medians = block_medians(losses, size)
    at = int(np.argmin(medians))
    before, after = medians[: at + 1], medians[at:]
    fall, rise = float(before[0] - medians[at]), float(after[-2:].min() - medians[at])
    turns = float((before - np.minimum.accumulate(before)).max()), float((np.maximum.accumulate(after) - after).max())
    limit = max(fall, DEVIATIONS * deviation(losses))
    if fall < DEVIATIONS * deviation(losses) or rise <= limit or len(after) <= LASTING * len(medians):
        return []
    if turns[0] > TURNS * fall or turns[1] > TURNS * rise or restarts(series, steps[len(losses) % size + at * size]):
        return []
    first = float(steps[min(len(steps) - 1, len(losses) % size + (at + 1) * size)])
    numbers = {"best": float(medians[at]), "end": float(medians[at]) + rise, "rise": rise}
    return [Finding("loss-rises", first, float(steps[-1]), (), numbers, limit)]


def _jump(series: Series, steps: Numbers, losses: Numbers) -> list[Finding]:
    """Find a loss that jumps from one row to the next, by more than it had moved before, and stays up."""
    before, after = sides(losses)
    jumps = np.minimum(after, losses) - before
    row = steepest(losses, int(np.nanargmax(jumps)))
    jump, base = float(jumps[row]), float(before[row])
    old, new = losses[:row], losses[row:]
    limit = max(float(np.ptp(block_medians(old, max(1, row // BLOCKS)))), DEVIATIONS * deviation(old))
    steep = float(losses[row] - losses[row - 1]) > jump / 2
    stays = len(new) >= 3 and median(new[-FEWEST:]) - base > STAYS * jump and new.min() > base
    if len(old) < FEWEST or not jump > limit or not steep or not stays or restarts(series, steps[row - 1]):
        return []
    numbers = {"before": base, "after": float(losses[row]), "jump": jump, "end": median(new[-FEWEST:])}
    quiet = ("norm-quiet",) * bool(len(series.norm))
    return [Finding("loss-jump", float(steps[row]), float(steps[-1]), (), numbers, limit, signs=quiet)]
