"""A loss that is odd from its first rows on: it leaves them upwards, swings, or falls once and no more.

All are notes, but for a loss that explodes at once and comes back no lower than it began.

| constant | value | reason |
|---|---|---|
| ``MOSTLY`` | 95 % of the second half's rows | so many are above the first row, or its batch was an easy one |
| ``LEAP`` | 3-fold, in a twentieth of the run | an untrained network guesses: its batches differ by less |
| ``EXPLODED`` | 4 decades above the first row | no game, critic or hard batch has such a loss |
| ``NO_LOWER`` | 3 % of the first row | a read-out whose biases swing guesses so much worse or better |
| ``CLEAR`` | 3 deviations | one low row among heavy-tailed losses is no level |
| ``SINCE`` | 5 % of the highest level | a loss that falls by so much after a rise is learnt |
| ``AT_FIRST`` | 12 rows, 70 % of the rise in logarithms | losses of games and critics rise bit by bit |
| ``OPPOSED``, ``ALIKE`` | correlations of −0.6 and 0.5 | noise has none, beside half a period and a whole one |
| ``SWING`` | 5 % of the loss | less is the noise of a plateau |
| ``FALLEN``, ``LEFT`` | 10 % and more, half is left | a loss that falls by more in its first rows may have converged |
| ``AT_ONCE`` | two rows, or a twentieth of the run | so soon it is down |
| ``STILL`` | 4 % of the loss | with two standard errors: it can't have fallen by more since |
| ``EVENLY`` | 1.5 times | noise has about one deviation by its median as by its mean square |
| ``MOST_CLASSES``, ``APART`` | 20 classes, 12 errors | else a noisy loss is near some logarithm by chance |
| ``CALM`` | 3 % of the loss | of a guess batches differ by no more, unless they are tiny |
| ``UNEVEN``, ``FEW`` | 2 % below, 3 to 5 classes | classes of unequal frequency; of more each loss is near some |
"""

import math

import numpy as np

from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.guesses import guessed_classes
from gradcheck.logs.findings.learning import BLOCKS, is_from_the_beginning, losses_of
from gradcheck.logs.findings.losses import (
    ENOUGH,
    FLAT,
    GRADUAL,
    KNOWN,
    OF_A_MEDIAN,
    RISEN,
    find_loss_jump,
    find_loss_rises,
    find_not_learning,
    has_converging_norm,
    is_of_a_policy,
    line_fall,
)
from gradcheck.logs.robust import FEWEST, Numbers, block_medians, deviation, median
from gradcheck.logs.series import Series, begins

MOSTLY, LEAP, NO_LOWER, CLEAR, AT_FIRST = 0.95, 3.0, 0.03, 3.0, 0.7
OPPOSED, ALIKE, SWING, SINCE, EXPLODED = -0.6, 0.5, 0.05, 0.05, 1e4

FALLEN, LEFT, AT_ONCE, STILL = 0.1, 0.5, 0.05, 0.04
MOST_CLASSES, APART, EVENLY, CALM, UNEVEN, FEW = 20, 12.0, 1.5, 0.03, 0.02, 5

#: Deviations beyond which a loss counts as no more in a correlation; the part of a log that half a period may take.
FAR, LONGEST = 5.0, 5

#: Of the strongest correlations the first one counts that is nearly as strong.
NEARLY = 0.97


def _judged(series: Series) -> tuple[Numbers, Numbers]:
    """Return steps and losses that may be held against the first one; none where it says nothing."""
    steps, losses = losses_of(series)
    signed = bool((losses < 0).any())
    steps, losses = (one[begins(losses) :] for one in (steps, losses))
    judged = len(losses) >= ENOUGH and losses[0] > 0 and not signed and is_from_the_beginning(series)
    return (steps, losses) if judged and not is_of_a_policy(series) else (steps[:0], losses[:0])


def find_above_start(series: Series) -> list[Finding]:
    """Find a loss that leaves its first row upwards, at once, and isn't lower later: a note, for some needn't fall.

    It stays above, or it leaps and comes back to what guessing costs. Losses of games and critics rise bit by bit.
    """
    steps, losses = _judged(series)
    if not len(losses):
        return []
    start, first, half = float(losses[0]), losses[1 : 2 + len(losses) // BLOCKS], losses[len(losses) // 2 :]
    rise, above = median(half) - start, float(np.mean(half > start))
    stays = median(first) - start > GRADUAL * rise and above >= MOSTLY and rise >= RISEN * start
    leaps = float(first.max()) >= LEAP * start and rise >= -NO_LOWER * start
    if not (stays or leaps or _blows_up(losses)) or find_loss_rises(series) or find_loss_jump(series):
        return []
    numbers, at = {"best": start, "end": start + rise, "rise": rise}, (float(steps[0]), float(steps[-1]))
    limit, highest = -NO_LOWER * start if leaps and not stays else RISEN * start, 0.0 if leaps else _falls_from(losses)
    signs = ("from-the-start", "falls-since") if highest else ("from-the-start",)
    numbers |= {"highest": highest, "last": median(losses[-FEWEST:])} if highest else {}
    exploded = float(first.max()) > EXPLODED * start
    numbers |= {"peak": float(first.max())} if exploded else {}
    return [Finding("loss-rises", *at, (), numbers, limit, severity="" if exploded else NOTE, signs=signs)]


def _falls_from(losses: Numbers) -> float:
    """Return the highest level of a loss that has fallen since, block by block; 0 of any other."""
    size = len(losses) // BLOCKS
    medians = block_medians(losses, size)
    at, error = int(np.argmax(medians)), OF_A_MEDIAN * deviation(losses[1:]) / size**0.5
    since = medians[at:]
    fall = float(since[0] - since[-1])
    rises = float((since - np.minimum.accumulate(since)).max())
    return float(since[0]) if fall > max(SINCE * since[0], CLEAR * error) and rises < fall / 4 else 0.0


def _blows_up(losses: Numbers) -> bool:
    """Whether a loss is up by most of its rise after a few rows, and stays there."""
    start, later = float(losses[0]), losses[FEWEST:]
    rise = np.log(median(losses[len(losses) // 2 :]) / start) if losses[len(losses) // 2 :].all() else 0.0
    if rise < max(np.log(LEAP), CLEAR * deviation(np.log(later[later > 0]))):
        return False
    up = np.log(median(later[: FEWEST // 2]) / start) >= AT_FIRST * rise
    return bool(up and np.mean(later > start) >= MOSTLY)


def find_swinging(series: Series) -> list[Finding]:
    """Find a loss that swings to and fro from the first rows on, and is no lower at the end: a note."""
    _, losses = _judged(series)
    if not len(losses) or find_not_learning(series) or find_loss_rises(series) or find_loss_jump(series):
        return []
    period = _period(losses)
    if not period:
        return []
    whole = period * max(1, len(losses) // 3 // period)
    low, high = (float(one) for one in np.quantile(losses, (0.1, 0.9)))
    fall = median(losses[:whole]) - median(losses[-whole:])
    if high - low < SWING * median(losses) or fall > FLAT * median(losses):
        return []
    numbers = {"level": median(losses), "moved": high - low, "low": low, "high": high, "rows": float(period)}
    return [Finding("not-learning", *series.ends, (), numbers, SWING * low, severity=NOTE, signs=("swings",))]


def find_still_after_fall(series: Series) -> list[Finding]:
    """Find a loss that falls in its first rows, by less than half, and hardly since: a note."""
    steps, losses = _judged(series)
    if not len(losses) or has_converging_norm(series):
        return []
    level = median(losses[len(losses) // 2 :])
    near = losses <= level + max(FLAT * level, CLEAR * deviation(losses[1:]))
    row, start = int(np.argmax(near)), float(losses[0])
    fall, error = line_fall(losses[row:])
    fell = FALLEN * start < start - level < LEFT * start
    still = abs(fall) < CLEAR * error and abs(fall) + 2 * error < STILL * level
    if not fell or not still or not 0 < row <= max(2, AT_ONCE * len(losses)):
        return []
    if find_loss_rises(series) or find_loss_jump(series) or find_swinging(series) or find_not_learning(series):
        return []
    numbers = {"level": level, "moved": start - level, "start": start, "reached_step": float(steps[row])}
    return [Finding("not-learning", float(steps[row]), series.ends[1], (), numbers, severity=NOTE, signs=("still",))]


def find_at_chance(series: Series) -> list[Finding]:
    """Find a loss that is that of a guess on average, as far as its noise shows, and has hardly fallen: a note."""
    _, losses = _judged(series)
    if not len(losses) or find_not_learning(series):
        return []
    level, spread = float(losses.mean()), float(losses.std())
    fall, line_error = line_fall(losses)
    error = spread / len(losses) ** 0.5
    classes = guessed_classes(level, max(KNOWN, 2 * error))
    uneven = not classes and spread <= CALM * level and not has_converging_norm(series)
    if uneven and fall <= line_error and abs(fall) + 2 * line_error < STILL * level:
        classes = _uneven_classes(level)
    told_apart = 2 < classes <= MOST_CLASSES and np.log1p(1 / classes) > APART * error
    even = spread <= EVENLY * deviation(losses) or np.ptp(losses) <= FLAT * level
    even = even and losses[:3].max() <= level + CLEAR * spread
    if not told_apart or not even or abs(fall) > max(2 * line_error, FLAT * level) or line_error > STILL * level:
        return []
    if find_loss_rises(series) or find_loss_jump(series) or find_swinging(series) or find_still_after_fall(series):
        return []
    numbers = {"level": level, "moved": abs(fall), "classes": float(classes)}
    details = {"uneven": True} if uneven else {}
    return [Finding("not-learning", *series.ends, (), numbers, None, details, NOTE, ("at-chance",))]


def _uneven_classes(level: float) -> int:
    """Return of how few classes a loss is a guess if they aren't equally frequent; 0 if it is at no such level."""
    near = (classes for classes in range(3, FEW + 1) if 1 - UNEVEN <= level / math.log(classes) < 1)
    return next(near, 0)


def _period(losses: Numbers) -> int:
    """Return after how many rows a loss comes again, if it is opposed to itself at half of them; 0 if it doesn't."""
    levels = losses - median(losses)
    far = FAR * median(np.abs(levels))
    levels = np.clip(levels, -far, far)
    levels -= levels.mean()
    if not levels.any():
        return 0
    whole = np.fft.irfft(np.abs(np.fft.rfft(levels, 2 * len(levels))) ** 2)
    alike = whole[1 : len(losses) // 2] / whole[0]  # to what is so many rows later
    opposed = alike[: len(losses) // LONGEST]
    half = int(np.argmax(opposed <= NEARLY * opposed.min())) + 1
    return 2 * half if alike[half - 1] <= OPPOSED and alike[2 * half - 1] >= ALIKE else 0
