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


def block_medians(values: Numbers, size: int) -> Numbers:
    """Return medians of neighbouring rows, (rows // size, …); the last block ends with the last row."""
    whole = len(values) - len(values) % size
    return np.asarray(np.median(values[len(values) - whole :].reshape(-1, size, *values.shape[1:]), axis=1))


def deviation(values: Numbers) -> float:
    """Return the standard deviation of the noise on a slow course, from the differences of neighbours."""
    if len(values) < 3:
        return 0.0
    steps = np.diff(values)
    return float(MAD_TO_DEVIATION * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def printed_unit(values: Numbers) -> float:
    """Return the unit of the last digit that numbers are printed with; 0 if they have more than four digits."""
    for digits in range(MOST_PRINTED + 1):
        scaled = values * 10.0**digits
        if np.allclose(scaled, np.round(scaled), rtol=0.0, atol=1e-6):
            return float(10.0**-digits)
    return 0.0


def side_medians(values: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """Return the medians of the `width` rows before and after each row; nan where there are not as many."""
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    empty = np.full(width, np.nan)
    return np.concatenate([empty, medians[:-1]]), np.concatenate([medians[1:], empty])
