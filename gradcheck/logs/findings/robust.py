"""Statistics of noisy logarithms that outliers and heavy tails don't move."""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

#: From a median of distances to a standard deviation, of a normal law.
MAD_TO_DEVIATION = 1.4826

#: Rows that a run has at least, to be judged by its course.
FEWEST = 12

#: Digits after the point that a program prints on purpose.
MOST_PRINTED = 4


def median(values: npt.ArrayLike) -> float:
    """Return the median of a row, nan if one of them is: ``numpy.median`` to the last bit, several times as fast."""
    return float(medians_of(np.asarray(values).ravel(), 0))


def medians_of(values: Numbers, axis: int = -1) -> Numbers:
    """Return the medians along an axis, nan where one of the numbers is."""
    size = values.shape[axis]
    if not size:
        return np.full(np.delete(values.shape, axis), np.nan)
    low, high, ordered = (size - 1) // 2, size // 2, values.copy()
    ordered.partition(sorted({low, high, size - 1}), axis)
    middle, last = ordered.take(high, axis), ordered.take(size - 1, axis)  # a nan is the last
    if low < high:
        middle = (ordered.take(low, axis) + middle) / 2
    return np.asarray(np.where(np.isnan(last), np.nan, middle))


def nanmedians(values: Numbers, axis: int = -1) -> Numbers:
    """Return the medians of what is a number along an axis, nan where nothing is; ``numpy.nanmedian`` loads more."""
    ordered = np.sort(values, axis)
    known = np.count_nonzero(~np.isnan(ordered), axis, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, axis) for at in (np.maximum(known - 1, 0) // 2, known // 2))
    return np.asarray(np.where(known % 2 == 1, low, (low + high) / 2).squeeze(axis))


def block_medians(values: Numbers, size: int) -> Numbers:
    """Return medians of neighbouring rows, (rows // size, …); the last block ends with the last row."""
    whole = len(values) - len(values) % size
    return medians_of(values[len(values) - whole :].reshape(-1, size, *values.shape[1:]), 1)


def deviation(values: Numbers) -> float:
    """Return the standard deviation of the noise on a slow course, from the differences of neighbours."""
    if len(values) < 3:
        return 0.0
    steps = np.diff(values)
    return float(MAD_TO_DEVIATION * median(np.abs(steps - median(steps))) / np.sqrt(2))


def printed_unit(values: Numbers) -> float:
    """Return the unit of the last digit that numbers are printed with; 0 if they have more than four digits."""
    for digits in range(MOST_PRINTED + 1):
        scaled = values * 10.0**digits
        if np.allclose(scaled, np.round(scaled), rtol=0.0, atol=1e-6):
            return float(10.0**-digits)
    return 0.0


def side_medians(values: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """Return the medians of the `width` rows before and after each row; nan where there are not as many."""
    medians = medians_of(np.lib.stride_tricks.sliding_window_view(values, width))
    empty = np.full(width, np.nan)
    return np.concatenate([empty, medians[:-1]]), np.concatenate([medians[1:], empty])
