"""What steps of training come to: a loss that rises by more than batches differ, or stays at what guessing costs."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from statistics import median

#: A loss that is zero at best ends clearly above its start where it is so many times that.
CLEARLY = 1.1

#: Of fewer steps the first ones may be all there is: Adam's are of full size before it knows the gradient's.
LEAST = 5

#: Losses of several batches rise where their last third lies so many standard errors above the first.
SURE = 4.0

#: The standard error of a median of n, in typical changes from one batch to the next over the root of n: 1.2533
#: standard deviations over 0.954, of normal noise.
OF_MEDIAN = 1.31

#: A loss above this share of what the best constant answer costs has hardly got below it.
HARDLY = 0.95

#: It stays where it is above this share of what it was: one that falls gets there.
STAYS = 0.9


def rises(losses: Sequence[float], again: float, *, one_batch: bool) -> bool:
    """Whether a loss that is zero at best rises.

    Parameters
    ----------
    losses : sequence of float
        Before each step, and after the last one.
    again : float
        The first batch's after the last step.
    one_batch : bool
        All are of the same batch: then no noise has to be told from the rise.
    """
    first, third = losses[0], len(losses) // 3
    if len(losses) <= LEAST or not again > CLEARLY * first > 0:
        return False
    early, late = median(losses[:third]), median(losses[-third:])
    if one_batch:
        return late > CLEARLY * first
    noise = median(abs(after - before) for before, after in pairwise(losses))
    return late - early > SURE * OF_MEDIAN * sqrt(2 / third) * noise


def still_guesses(losses: Sequence[float], guesses: Sequence[float]) -> tuple[float, float] | None:
    """Return the typical loss of the last third of the steps and what guessing costs there, where it stays there.

    Parameters
    ----------
    losses : sequence of float
        Before each step, and after the last one.
    guesses : sequence of float
        What the best answer that is the same for all examples costs on the same batches; nan where it isn't known.
    """
    third = max(1, len(losses) // 3)
    late = [(loss, guess) for loss, guess in zip(losses[-third:], guesses[-third:], strict=True) if guess > 0]
    if len(late) < third or median(loss / guess for loss, guess in late) < HARDLY:
        return None
    if median(losses[-third:]) < STAYS * median(losses[:third]):
        return None
    return median(loss for loss, _ in late), median(guess for _, guess in late)
