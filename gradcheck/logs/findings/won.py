"""A game that is over: the discriminator tells everything apart, and the generator learns no more from it.

| constant | value | reason |
|---|---|---|
| ``NEXT_TO_NOTHING`` | 1/100 of its start | at a balance it stays within a few times its start |
| ``NEVER_AGAIN`` | 1/20 of its start | so far up a median of ``WINDOW`` rows never comes again |
| ``NO_LOWER`` | 0.7 times its first rows | single batches differ by as much |
| ``LASTS`` | a quarter of the rows, 20 at least | it often leads for a while |
"""

import numpy as np

from gradcheck.logs.findings.finding import WARNING, Finding
from gradcheck.logs.robust import Numbers, median, medians_of
from gradcheck.logs.series import Series
from gradcheck.logs.words import words

NEXT_TO_NOTHING, NEVER_AGAIN, NO_LOWER, LASTS, FEWEST = 0.01, 0.05, 0.7, 0.25, 20

#: Rows of a median that a single batch doesn't move, and rows that show where a loss began.
WINDOW, BEGINNING = 5, 3

#: The two networks of an agent: that its critic's loss falls is what it is for.
OF_AN_AGENT = frozenset(("actor", "critic"))

#: The sign of such a game.
WON = "won"


def find_won(sides: list[Series]) -> list[Finding]:
    """Find a discriminator's loss that is next to nothing from a row on, while the generator's is no lower."""
    generator, discriminator = (side.values("loss") for side in sides)
    if any(OF_AN_AGENT.intersection(words(side.loss_name)) for side in sides):
        return []
    steps = sides[1].steps[~np.isnan(discriminator)]
    losses = discriminator[~np.isnan(discriminator)]
    if len(losses) < FEWEST or losses.min() < 0:  # a critic's score isn't bounded below
        return []
    start, smooth = float(losses[:BEGINNING].max()), _smooth(losses)
    since = int(np.flatnonzero(np.append(True, smooth > NEVER_AGAIN * start))[-1])
    rows = len(losses) - since
    end = median(losses[since:]) if rows else 0.0
    theirs = generator[sides[0].steps >= steps[min(since, len(steps) - 1)]]
    theirs, first = theirs[~np.isnan(theirs)], generator[~np.isnan(generator)][:BEGINNING]
    if rows < max(FEWEST, LASTS * len(losses)) or not 0 < end <= NEXT_TO_NOTHING * start or not len(theirs):
        return []
    last = median(theirs[-FEWEST:])
    if not last >= NO_LOWER * median(first):
        return []
    numbers = {"start": start, "end": end, "other_start": median(first), "other_end": last}
    details = {"what": sides[1].loss_name, "other": sides[0].loss_name}
    ends = float(steps[since]), float(steps[-1])
    return [Finding("collapsed", *ends, (), numbers, None, details, WARNING, (WON,))]


def _smooth(losses: Numbers) -> Numbers:
    """Return the medians of neighbouring rows, (rows,)."""
    padded = np.pad(losses, WINDOW // 2, mode="edge")
    return medians_of(np.lib.stride_tricks.sliding_window_view(padded, WINDOW))
