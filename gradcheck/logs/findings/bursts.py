"""Bursts: several rows in a row far above those before, after which the norm is back where it was.

A burst is told from chance by its length: as often as rows of the run are so high by themselves, as rarely are several
of them neighbours.
"""

import numpy as np

from gradcheck.logs.robust import side_medians
from gradcheck.logs.series import Track

#: Decades above the rows before; at which it is back; neighbours that make a burst; rows that are back again.
HIGH, BACK, FEWEST_ROWS, AGAIN = 1.0, 0.5, 3, 3

#: Rows before that it is held against; most part of the run that it takes; share of runs that have one by chance.
BEFORE, LONGEST, CHANCE = 12, 0.25, 1e-4

#: Part of its rows that are high.
MOSTLY = 0.75


def find_burst(track: Track) -> tuple[int, int, float] | None:
    """Return the first row of the highest burst, the row after it, and its height in decades; None without one."""
    if len(track) < 2 * BEFORE:
        return None
    before, _ = side_medians(track.level, BEFORE)
    high = track.level > before + HIGH
    starts = np.flatnonzero(high & ~np.roll(high, 1))
    bursts = [(start, end) for start in starts.tolist() if (end := _end(track, start, before[start])) is not None]
    found = None
    for start, end in bursts:
        outside = np.delete(high[BEFORE:], np.s_[max(0, start - BEFORE) : end - BEFORE])
        share = max(float(outside.mean()), 1 / len(track))
        height = float(track.level[start:end].max() - before[start])
        if len(track) * share ** int(high[start:end].sum()) < CHANCE and (found is None or height > found[2]):
            found = start, end, height
    return found


def _end(track: Track, start: int, base: float) -> int | None:
    """Return the row at which a burst is over; None if it is too short, too long, or never over."""
    longest = int(LONGEST * len(track))
    low = track.level[start : start + longest + AGAIN] <= base + BACK
    if len(low) < AGAIN:
        return None
    over = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(low, AGAIN).all(1))
    middle = track.level[start : start + int(over[0])] if len(over) else np.empty(0)
    enough = len(middle) >= FEWEST_ROWS and bool(np.mean(middle > base + HIGH) > MOSTLY)
    return start + int(over[0]) if enough else None
