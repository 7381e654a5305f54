"""The learning rate finders of fastai and of Lightning, as they are published: one training at growing rates.

Smith 2015, arXiv 1506.01186, proposed to watch the loss as the rate grows. What fastai 2.8 (``callback/schedule.py``,
``lr_find``) and Lightning 2.6 (``pytorch/tuner/lr_finder.py``) make of it is written down here with their defaults.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Of both: iterations, how much of the smoothed loss is kept, how often its least value ends the search.
ITERATIONS, KEPT, WORSE = 100, 0.98, 4.0

#: First and last rate.
FASTAI, LIGHTNING = (1e-7, 10.0), (1e-8, 1.0)


def rates_of_fastai() -> Array:
    """Return the rate of each iteration."""
    low, high = FASTAI
    grown: Array = low * (high / low) ** (np.arange(ITERATIONS) / ITERATIONS)
    return grown


def rates_of_lightning() -> Array:
    """Return the rate of each iteration; its first one is the lowest twice, as its scheduler counts."""
    low, high = LIGHTNING
    step = np.arange(ITERATIONS)
    grown: Array = low * (high / low) ** (np.where(step == 0, 0, step + 1) / ITERATIONS)
    return grown


def smoothed(losses: Sequence[float], patience: int = 0, ahead: int = 0) -> Array:
    """Return the losses' running average, corrected for its start, until it is ``WORSE`` than its least value.

    Lightning doesn't look at the first one, and its correction is a step `ahead`: the first averages are too small.
    """
    average, least, out = 0.0, math.inf, list[float]()
    for step, loss in enumerate(losses, 1):
        average = KEPT * average + (1 - KEPT) * loss
        out.append(average / (1 - KEPT ** (step + ahead)))
        least = min(least, out[-1])
        if step > patience and out[-1] > WORSE * least:
            break
    return np.array(out)


def steep(rates: Array, losses: Array) -> float:
    """Where the loss falls most steeply over the logarithm of the rate."""
    return float(rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))])


def minimum(rates: Array, losses: Array) -> float:
    """A tenth of the rate at which the loss is least."""
    return float(rates[np.argmin(losses)]) / 10


def valley(rates: Array, losses: Array) -> float:
    """About two thirds down the longest falling sequence of losses; fastai's default."""
    lengths, first, last = [1] * len(losses), 0, 0
    for at in range(1, len(losses)):
        for before in range(at):
            if losses[at] < losses[before] and lengths[at] < lengths[before] + 1:
                lengths[at] = lengths[before] + 1
            if lengths[last] < lengths[at]:
                last, first = at, at - lengths[at]
    third = (last - first) / 3
    return float(rates[first + int(third) + int(third / 2)])


def slide(rates: Array, losses: Array, apart: int = 15, threshold: float = 0.005) -> float:
    """The left end of an interval that slides down from the highest rate until the slopes at its ends are alike."""
    slope = np.gradient(losses)
    right, left = -1, -1 - apart
    rate = rates[left]
    while left >= -len(losses) and abs(slope[right] - slope[left]) > threshold:
        rate = rates[left]
        right, left = right - 1, left - 1
    return float(rate)


def by_fastai(rule: Callable[[Array, Array], float], losses: Sequence[float]) -> float:
    """Return what a rule of fastai suggests from the loss of each iteration; nan where it fails.

    The first tenth of the iterations and the last five that were made are left out.
    """
    seen = smoothed(losses)
    kept, rates = seen[ITERATIONS // 10 : -5], rates_of_fastai()[: len(seen)][ITERATIONS // 10 : -5]
    finite = int(np.argmax(~np.isfinite(kept))) if not np.isfinite(kept).all() else len(kept)
    try:
        return rule(rates[:finite], kept[:finite])
    except (IndexError, ValueError):
        return math.nan


def by_lightning(losses: Sequence[float]) -> float:
    """Return Lightning's suggestion: where the loss falls most steeply over the rate itself; nan for none."""
    seen = smoothed(losses, patience=1, ahead=1)
    kept, rates = seen[10:-1], rates_of_lightning()[: len(seen)][10:-1]
    finite = np.isfinite(kept)
    if finite.sum() < 2:
        return math.nan
    return float(rates[finite][np.argmin(np.gradient(kept[finite], rates[finite]))])


FASTAI_RULES = {"steep": steep, "minimum/10": minimum, "valley": valley, "slide": slide}
