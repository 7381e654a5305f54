"""What the loss shows by itself, where gradients are ordinary: it doesn't move, rises for good, or jumps and stays.

Losses that are ever zero or negative have no level to be held against: see ``signed_losses``.

| constant | value | reason |
|---|---|---|
| ``ENOUGH`` | 20 rows | fewer have no course (``learning.BLOCKS``) |
| ``FLAT`` | 1 % of the loss | less is no improvement (``learning.BETTER``) |
| ``SURE`` | 0.2 % of the loss | what surely falls by more moves, if slowly |
| ``QUEUE`` | 4,096 and more, a power of two | queues of contrastive learning, outputs of self-distillation |
| ``QUIET`` | 2 % of the loss | guesses have a loss with little noise, a plateau after learning has more |
| ``KNOWN`` | 0.005 | the loss must be known so well: a twentieth of what parts ln 10 from ln 11 |
| ``WANDERS`` | 2 % of the loss | a guess whose biases find their place; blocks of few rows have more noise |
| ``RISEN`` | 2/5 of the best loss | mixtures of data and wandering plateaus stay below it |
| ``LASTING`` | a quarter of the run | what is over sooner may still come back |
| ``NOISY`` | 10 % of the loss | losses of a game or a critic may rise from the start, and are noisy |
| ``AT_ONCE`` | 70 % of the rise within two blocks of 20 | then it is a jump |
| ``JUMP`` | 3/4 of the loss, 1/10 of its whole range | warm restarts stay below; converged losses may double |
| ``STAYS`` | 15 % of the jump | a loss that is nearer to where it was has recovered |
| ``GRADUAL`` | half of the jump | if no row rises by so much, the loss grows, and doesn't jump |
| ``EARLY`` | 6 rows | so many before a jump show a level, if all after it are above |
| ``LEFT`` | a quarter of the jump | if no more is left of it at the end, new data were learnt: a note |
| ``ABOVE`` | 10-fold | a loss that ends so far above where it jumped from has not learnt them |
| ``SETTLED`` | 2-fold; 10 % | nor has one that ends twice as high and was there within a dozen rows: it stands still |
| ``AGAIN`` | half of the jump | so high a jump before, from which it came back: restarts, or seasons of the data |
| ``RESTARTED`` | 1.5-fold | a learning rate that rises so is a schedule, and the loss may rise with it |
"""

import numpy as np

from gradcheck.logs.findings.anew import begins_anew
from gradcheck.logs.findings.finding import NOTE, Finding
from gradcheck.logs.findings.growth import find_growth, first_risen
from gradcheck.logs.findings.guesses import guess_numbers, guessed_classes
from gradcheck.logs.findings.learning import BLOCKS, DEVIATIONS, SMALLER, is_from_the_beginning, losses_of
from gradcheck.logs.findings.rate_jumps import rate_jump
from gradcheck.logs.robust import (
    FEWEST,
    Numbers,
    block_medians,
    deviation,
    median,
    medians_of,
    nanmedians,
    printed_unit,
    side_medians,
)
from gradcheck.logs.series import Series, begins
from gradcheck.logs.words import words

ENOUGH, FLAT, SURE, QUIET, KNOWN, WANDERS = BLOCKS, 0.01, 0.002, 0.02, 0.005, 0.02
RISEN, LASTING, RISE_DEVIATIONS, NOISY, AT_ONCE = 0.4, 0.25, 8.0, 0.1, 0.7
JUMP, OF_RANGE, STAYS, AGAIN, RESTARTED = 0.75, 0.1, 0.15, 0.5, 1.5
GRADUAL, LEFT, ABOVE, SETTLED, EARLY = 0.5, 0.25, 10.0, (2.0, 1.1), 6
QUEUE = 4096

#: Words beside a loss whose level says nothing: a policy's is zero on average, one of differences in time (``td``)
#: rises with the rewards that have been found.
OF_POLICIES = frozenset((
    "reward", "rewards", "rew", "kl", "advantage", "advantages", "return", "returns", "policy", "actor", "critic",
    "exploration", "td", "qf",
))  # fmt: skip

#: Larger losses have sums that are no floats.
LARGEST = 1e300

#: Standard errors of a median are so many times those of a mean, of a normal law.
OF_A_MEDIAN = 1.2533


def positive(series: Series) -> tuple[Numbers, Numbers]:
    """Return steps and losses of a log whose losses are all above zero; none of another."""
    steps, losses = losses_of(series)
    judged = len(losses) > 0 and bool(losses.min() > 0) and bool(losses.max() < LARGEST)
    steps, losses = (one[begins(losses) :] for one in (steps, losses))
    return (steps, losses) if judged else (steps[:0], losses[:0])


def find_not_learning(series: Series) -> list[Finding]:
    """Find a loss that doesn't move: at the level of guessing, or quiet from the beginning of the run."""
    _, losses = positive(series)
    if len(losses) < ENOUGH:
        return _find_zero(series)
    level, noise = median(losses), deviation(losses)
    error = OF_A_MEDIAN * noise / len(losses) ** 0.5
    unit = printed_unit(losses) if noise <= QUIET * level else 0.0
    unit *= unit <= FLAT * level
    tolerance = max(KNOWN + unit, DEVIATIONS * error)
    classes, known = guessed_classes(level, tolerance), error <= KNOWN
    quiet = noise <= QUIET * level
    wanders = classes > 0 and quiet and is_from_the_beginning(series)
    if not _is_flat(losses, level, noise, unit if classes else 0.0, WANDERS if wanders else FLAT):
        return []
    guessing = classes > 0 and known and (classes > 2 or quiet)
    slow = quiet and is_from_the_beginning(series) and not has_converging_norm(series) and not _falls(losses, level)
    if not guessing and not slow:
        return []
    moved = float(np.ptp(block_medians(losses, max(1, len(losses) // BLOCKS))))
    numbers = {"level": level, "moved": moved} | (guess_numbers(level, tolerance) if guessing else {})
    signs = ["at-chance"] * guessing + ["constant"] * (not np.ptp(losses))
    signs += ["queue"] * (guessing and classes >= QUEUE and classes & (classes - 1) == 0)
    return [Finding("not-learning", *series.ends, (), numbers, FLAT * level, signs=tuple(signs))]


def _find_zero(series: Series) -> list[Finding]:
    """Find a loss of exactly zero in every row of a log without norms; those of policies are zero by design."""
    _, losses = losses_of(series)
    if len(losses) < ENOUGH or losses.any() or len(series.norm) or is_of_a_policy(series):
        return []
    return [Finding("not-learning", *series.ends, (), {"level": 0.0, "moved": 0.0}, 0.0, signs=("all-zero",))]


def is_of_a_policy(series: Series) -> bool:
    """Whether the log has words of a policy: the level of its losses says nothing."""
    return any(OF_POLICIES & set(words(name)) for name in series.log.reader.seen)


def _is_flat(losses: Numbers, level: float, noise: float, unit: float, wander: float) -> bool:
    """Whether first and last third are alike, but for a digit, all blocks too, and the log long enough to say so.

    Blocks may wander by more than no improvement at all if the last ones are not the low ones.
    """
    third, size = len(losses) // 3, max(1, len(losses) // BLOCKS)
    error = OF_A_MEDIAN * noise * (2 / third) ** 0.5
    if DEVIATIONS * error > 2 * FLAT * level:
        return False
    ends = median(losses[:third]) - median(losses[-third:])
    medians = block_medians(losses, size)
    range_ = float(np.ptp(medians))
    first = float(losses[:3].max()) - level  # fast convergence is over before the first block is
    wanders = range_ <= wander * level and float(medians[-2:].min()) >= level - FLAT * level / 2
    limit, spread = FLAT * level, 2 * DEVIATIONS * OF_A_MEDIAN * noise / size**0.5
    return (
        abs(ends) <= max(SURE * level, DEVIATIONS * error, 1.001 * unit)
        and (range_ <= max(limit, spread) or wanders)
        and first <= max(limit, 5 * noise)
    )


def _falls(losses: Numbers, level: float) -> bool:
    """Whether a loss surely falls along the whole log, if by little, and still in its second half."""
    fall, error = line_fall(losses)
    later, later_error = line_fall(losses[len(losses) // 2 :])
    return fall > max(SURE * level, DEVIATIONS * error) and later > later_error


def line_fall(losses: Numbers) -> tuple[float, float]:
    """Return by how much a straight line through losses falls from end to end, and the standard error of that."""
    rows = np.arange(len(losses)) - (len(losses) - 1) / 2
    rest = losses - losses.mean()
    squares = float(rows @ rows)
    slope = float(rows @ rest) / squares
    error = float(np.std(rest - slope * rows)) / squares**0.5
    return -slope * len(losses), error * len(losses)


def has_converging_norm(series: Series) -> bool:
    """Whether the norm falls, or is so far below the loss that there is nothing left to learn."""
    level = series.norm.level
    if len(level) < FEWEST:
        return False
    third = len(level) // 3
    fall = median(level[:third]) - median(level[-third:])
    return fall > SMALLER / 2 or bool(np.power(10.0, median(level)) < 1e-4 * median(losses_of(series)[1]))


def find_loss_rises(series: Series) -> list[Finding]:
    """Find a loss that rises from its best to the end of the log: over a quarter of it at least, or exponentially."""
    steps, losses = positive(series)
    if len(series.norm) and (growth := find_growth(series.loss, series)) and len(losses) >= ENOUGH:
        row = first_risen(series.loss.level, growth.begin, growth.base, growth.rise)
        numbers = {"best": 10**growth.base, "end": 10 ** (growth.base + growth.rise), "rise": 10**growth.rise}
        first, last = float(series.loss.steps[row]), float(series.loss.steps[-1])
        if not _jumps(losses, row):
            return [Finding("loss-rises", first, last, (), numbers, 10**growth.limit)]
    if len(losses) < ENOUGH:
        return []
    size = len(losses) // BLOCKS
    medians = block_medians(losses, size)
    at = int(np.argmin(medians))
    base, after = float(medians[at]), medians[at:]
    rise, row = float(medians[-2:].min()) - base, len(losses) % size + at * size
    noise = OF_A_MEDIAN * deviation(losses) / size**0.5
    limit = max(RISEN * base, RISE_DEVIATIONS * noise, 2 * deviation(losses))
    fell = medians[0] - base > max(NOISY * base, 4 * noise) or deviation(losses[: 2 * size]) <= NOISY * base
    drawdown = float((np.maximum.accumulate(after) - after).max())
    lasting = len(after) > LASTING * len(medians)
    at_once = float((after[2:] - after[:-2]).max(initial=0.0)) > AT_ONCE * rise and not _is_steady(after)  # a jump
    if (
        at_once
        or not fell
        or not rise > limit
        or not lasting
        or drawdown > max(rise / 4, 2 * noise)
        or restarts(series, steps[row])
    ):
        return []
    first = _risen_at(losses, row, base + max(0.03 * rise, 3 * deviation(losses[: row + size])))
    numbers = {"best": base, "end": base + rise, "rise": rise}
    return [Finding("loss-rises", float(steps[first]), float(steps[-1]), (), numbers, limit)]


def _is_steady(medians: Numbers) -> bool:
    """Whether a rise is spread over its blocks as logarithms, as an exponential one is."""
    levels = np.log(medians)
    return float((levels[2:] - levels[:-2]).max(initial=0.0)) <= AT_ONCE * float(levels[-1] - levels[0])


def _jumps(losses: Numbers, row: int) -> bool:
    """Whether most of a rise to the end is in one row."""
    levels = np.log(losses[max(0, row - 1) :])
    return bool(np.diff(levels).max(initial=0.0) > AT_ONCE * (levels.max() - levels[0]))


def _risen_at(losses: Numbers, row: int, level: float) -> int:
    """Return the last row after which medians of three stay above a level."""
    smooth = medians_of(np.lib.stride_tricks.sliding_window_view(losses[row:], 3))
    low = np.flatnonzero(smooth <= level)
    return row + (int(low[-1]) + 1 if len(low) else 0)


def restarts(series: Series, step: float) -> bool:
    """Whether the learning rate is higher after a step than there, as in a warm-up or a restart."""
    rates = series.values("lr")
    before, after = rates[series.steps <= step], rates[series.steps > step]
    before, after = before[~np.isnan(before)], after[~np.isnan(after)]
    return bool(len(before) and len(after) and after.max() > RESTARTED * before[-1] and before[-1] > 0)


def find_loss_jump(series: Series) -> list[Finding]:
    """Find a loss that jumps from one row to the next, and stays up."""
    steps, losses = positive(series)
    if len(losses) < FEWEST:
        return []
    before, after = _early(losses, *sides(losses))
    jumps = np.minimum(after, losses) - before
    row = steepest(losses, int(np.nanargmax(jumps)))
    jump, base = float(jumps[row]), float(before[row])
    noise, end = deviation(losses[:row]), median(losses[row:][-FEWEST:])
    left = len(losses) - row
    range_ = float(np.ptp(block_medians(losses[:row], max(1, row // BLOCKS))))
    limit = max(JUMP * base, OF_RANGE * range_, RISE_DEVIATIONS * noise) * (1 if left >= 3 else 4)
    stays = end - base > STAYS * jump and float(losses[row:].min()) - base > 0
    again = bool((jumps[: max(0, row - FEWEST)] > AGAIN * jump).any())  # the loss came back from others
    at_once = float(losses[row] - losses[row - 1]) > GRADUAL * jump
    settled = end > SETTLED[0] * base and median(losses[row:][2:FEWEST]) <= SETTLED[1] * end
    falls = end - base < LEFT * (losses[row] - base) and left >= 2 * FEWEST and end < ABOVE * base and not settled
    anew = begins_anew(losses, row, base)
    lasting = not falls and left > LASTING * len(losses) and rate_jump(series, float(steps[row])) is not None
    restarted = restarts(series, steps[row - 1]) and not anew
    if not jump > limit or not (stays or anew) or not at_once or again or (restarted and not lasting):
        return []
    numbers = {"before": base, "after": float(losses[row]), "jump": jump, "end": end}
    at = float(steps[row]), float(steps[-1])
    signs = ("norm-quiet",) * bool(len(series.norm)) + ("began-anew",) * anew
    signs += ("settled",) * (settled and left >= FEWEST and not anew)
    return [Finding("loss-jump", *at, (), numbers, limit, severity=NOTE if falls or restarted else "", signs=signs)]


def _early(losses: Numbers, before: Numbers, after: Numbers) -> tuple[Numbers, Numbers]:
    """Return the medians beside each row, also of the first rows, where few are before: then none after may be low."""
    least = np.minimum.accumulate(losses[::-1])[::-1]
    for row in range(EARLY, int(np.isnan(before).sum())):
        before[row], after[row] = median(losses[:row]), least[row]
    return before, after


def steepest(losses: Numbers, row: int) -> int:
    """Return the row of the steepest rise up to one: medians of many rows don't show which of them it is."""
    start = max(0, row - FEWEST + 1)
    return start + 1 + int(np.argmax(np.diff(losses[start : row + 1]))) if row > start else row


def sides(losses: Numbers) -> tuple[Numbers, Numbers]:
    """Return the medians of up to twelve rows before each row and from it on; the first rows have none before."""
    width = min(FEWEST, len(losses) // 2)
    before, _ = side_medians(losses, width)
    padded = np.concatenate([losses, np.full(width - 1, np.nan)])
    after = nanmedians(np.lib.stride_tricks.sliding_window_view(padded, width))
    return before, after
