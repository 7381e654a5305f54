"""Statistics of noisy logarithms that outliers and heavy tails don't move."""

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: From a median of distances to a standard deviation, of a normal law.
MAD_TO_DEVIATION = 1.4826

#: Rows that a run has at least, to be judged by its course.
FEWEST = 12

#: By so much a number may be beside a whole multiple of the unit that it is printed with.
ROUNDED = 1e-6

#: Digits after the point that a program prints on purpose.
MOST_PRINTED = 4


def median(values: npt.ArrayLike) -> float:
    """Return the median of a row, nan if one of them is: ``numpy.median`` to the last bit, ten times as fast."""
    ordered = np.sort(values, None)
    size = ordered.size
    if not size or np.isnan(ordered.item(-1)):  # a nan is the last
        return np.nan
    high = float(ordered.item(size // 2))
    return high if size % 2 else (float(ordered.item(size // 2 - 1)) + high) / 2


def medians_of(values: Numbers, axis: int = -1) -> Numbers:
    """Return the medians along an axis, nan where one of the numbers is."""
    size = values.shape[axis]
    if not size:
        return np.full(np.delete(values.shape, axis), np.nan)
    ordered = np.sort(values, axis)  # in all sizes sooner done than to part at the middle
    middle, last = ordered.take(size // 2, axis), ordered.take(size - 1, axis)  # a nan is the last
    if size % 2 == 0:
        middle = (ordered.take(size // 2 - 1, axis) + middle) / 2
    return np.asarray(np.where(np.isnan(last), np.nan, middle))


def nanmedians(values: Numbers, axis: int = -1) -> Numbers:
    """Return the medians of what is a number along an axis, nan where nothing is; ``numpy.nanmedian`` loads more."""
    ordered = np.sort(values, axis)
    known = np.count_nonzero(~np.isnan(ordered), axis, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, axis) for at in (np.maximum(known - 1, 0) // 2, known // 2))
    return np.asarray(np.where(known % 2 == 1, low, (low + high) / 2).squeeze(axis))


def low_median(values: Numbers) -> float:
    """Return the median of a row, of an even number of numbers the lower one of the two in the middle."""
    return float(np.sort(values)[(len(values) - 1) // 2])


def distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the different numbers in ascending order; the first call of ``numpy.unique`` loads masked arrays."""
    ordered = np.sort(values, None)
    return ordered[np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])]


def quantiles(values: Numbers, *shares: float) -> Numbers:
    """Return quantiles along the first axis, (shares, …): ``numpy.quantile`` to the last bit, several times as fast."""
    ordered = np.sort(values, 0)
    found = []
    for share in shares:
        place = (len(ordered) - 1) * share
        low = int(place)
        below, above, beyond = ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low
        step = above - below
        found.append(below + step * beyond if beyond < 0.5 else above - step * (1 - beyond))
    return np.where(np.isnan(ordered[-1]), np.nan, np.array(found))  # a nan is the last


def block_medians(values: Numbers, size: int) -> Numbers:
    """Return medians of neighbouring rows, (rows // size, …); the last block ends with the last row."""
    whole = len(values) - len(values) % size
    return medians_of(values[len(values) - whole :].reshape(-1, size, *values.shape[1:]), 1)


def deviation(values: Numbers) -> float:
    """Return the standard deviation of the noise on a slow course, from the differences of neighbours."""
    if len(values) < 3:
        return 0.0
    steps = values[1:] - values[:-1]
    return float(MAD_TO_DEVIATION * median(np.abs(steps - median(steps))) / np.sqrt(2))


def printed_unit(values: Numbers) -> float:
    """Return the unit of the last digit that numbers are printed with; 0 if they have more than four digits."""
    for digits in range(MOST_PRINTED + 1):
        scaled = values * 10.0**digits
        if (np.abs(scaled - np.rint(scaled)) <= ROUNDED).all():
            return float(10.0**-digits)
    return 0.0


def side_medians(values: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """Return the medians of the `width` rows before and after each row; nan where there are not as many."""
    medians = medians_of(np.lib.stride_tricks.sliding_window_view(values, width))
    empty = np.full(width, np.nan)
    return np.concatenate([empty, medians[:-1]]), np.concatenate([medians[1:], empty])
