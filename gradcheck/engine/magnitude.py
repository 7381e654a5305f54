"""Arrays and their sizes beyond the range of a float: a mantissa, and a power of two carried apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradcheck.engine.gram import known_square, remember_square
from gradcheck.engine.types import Array

LOG10_2 = math.log10(2)

#: Numbers that BLAS adds up on one thread.
WHOLE = 8192


class Scaled(NamedTuple):
    """The array mantissa · 2**exponent, a mantissa whose squares neither over- nor underflow."""

    mantissa: Array
    exponent: int = 0


def rescaled(array: Array, exponent: int = 0) -> Scaled:
    """Return array · 2**exponent with the power of two moved out where powers would leave the range of floats.

    Where the sum of squares is comfortable (10**±70 in float64, 10**±9 in float32: fourth powers don't overflow
    either) the array is returned as it is; elsewhere, only entries that are negligible compared with the largest lose
    digits.
    """
    if _is_comfortable(sum_of_squares(array), array):
        return Scaled(array, exponent)
    largest = max(float(array.max()), -float(array.min()))
    if not math.isfinite(largest) or largest == 0:
        return Scaled(array, exponent)
    shift = math.frexp(largest)[1]
    return Scaled(np.ldexp(array, -shift), exponent + shift)


def _is_comfortable(square: float, array: Array) -> bool:
    """Whether powers of an array stay in the range of its type, given its sum of squares."""
    decades = 70 if array.dtype == np.float64 else 9
    return bool(10.0**-decades < square < 10.0**decades)


def inner(one: Array, other: Array) -> float:
    """Return the sum of products of the entries, the same on any number of threads.

    BLAS splits a long dot product among its threads, and the last digits depend on where: it gets one part after the
    other.
    """
    if one.size <= WHOLE:
        return float(np.vdot(one, other))
    x = one.ravel()
    y = x if other is one else other.ravel()
    end = x.size - x.size % WHOLE
    with np.errstate(over="ignore", invalid="ignore"):  # as vdot is: what is infinite is seen by its size
        parts = np.matmul(x[:end].reshape(-1, 1, WHOLE), y[:end].reshape(-1, WHOLE, 1))
    return float(parts.sum(dtype=np.float64)) + float(np.vdot(x[end:], y[end:]))


def sum_of_squares(array: Array) -> float:
    """Return the sum of squares of the entries."""
    square = known_square(array)
    if square is None:
        square = inner(array, array)
        remember_square(array, square)
    return square


def mean(array: Array, axis: int | None = None) -> Array:
    """Return the mean; NumPy's own does the same, and of a small array takes three times as long."""
    average: Array = np.add.reduce(array, axis) / (array.size if axis is None else array.shape[axis])
    return average


def log10_magnitude(mantissa: float, exponent: int = 0) -> float:
    """Return log10(mantissa · 2**exponent); −inf for zero, inf and nan as they are."""
    return (math.log10(mantissa) if mantissa else -math.inf) + exponent * LOG10_2


def log10_rms(array: Scaled) -> float:
    """Return log10 of the root mean square of the entries."""
    mantissa = array.mantissa
    return log10_magnitude(math.sqrt(sum_of_squares(mantissa) / mantissa.size), array.exponent)


def log10_std(array: Scaled) -> float:
    """Return log10 of the standard deviation of the entries, around their mean."""
    return log10_rms(Scaled(array.mantissa - mean(array.mantissa), array.exponent))


def log10_rms_and_std(array: Array) -> tuple[float, float]:
    """Return log10 of the root mean square and of the standard deviation of the entries."""
    square = sum_of_squares(array)
    values = Scaled(array) if _is_comfortable(square, array) else rescaled(array)
    mantissa, exponent = values
    square = square if mantissa is array else sum_of_squares(mantissa)
    mean_square = square / mantissa.size
    variance = mean_square - float(mean(mantissa)) ** 2
    if not variance >= mean_square / 2:  # the difference has lost digits, or is nan
        return log10_rms(values), log10_std(values)
    return log10_magnitude(math.sqrt(mean_square), exponent), log10_magnitude(math.sqrt(variance), exponent)


def log10_norm(array: Array) -> float:
    """Return log10 of the Frobenius norm."""
    square = sum_of_squares(array)
    if _is_comfortable(square, array):
        return 0.5 * math.log10(square)
    return log10_rms(rescaled(array)) + 0.5 * math.log10(array.size)


def log10_joint_norm(logarithms: Sequence[float]) -> float:
    """Return log10 of the norm of several arrays as one, given log10 of each one's; nan of none."""
    if not logarithms:
        return math.nan
    largest = max(logarithms)
    if len(logarithms) == 1 or not math.isfinite(largest):
        return largest
    return largest + 0.5 * math.log10(sum(100.0 ** (one - largest) for one in logarithms))


class Norm(NamedTuple):
    """The norm mantissa · 2**exponent; the exponent is 0 wherever a float can hold it."""

    mantissa: float
    exponent: int = 0

    @property
    def value(self) -> float:
        """The norm as a float; inf or 0 where it is beyond the range."""
        try:
            return math.ldexp(self.mantissa, self.exponent)
        except OverflowError:
            return math.inf


def joint_norm(arrays: Sequence[Array]) -> Norm:
    """Return the norm of several arrays as one vector, right where squares over- or underflow; nan or inf as they are.

    It is computed in float64, whatever the arrays' type.
    """
    wide = [array.astype(np.float64, copy=False) for array in arrays]
    with np.errstate(over="ignore", invalid="ignore"):
        square = sum(map(sum_of_squares, wide))
    if 1e-140 < square < 1e140:
        return Norm(math.sqrt(square))
    largest = max((float(np.abs(array).max(initial=0)) for array in wide), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return Norm(math.nan if math.isnan(square) else largest)
    exponent = math.frexp(largest)[1]
    mantissa = math.sqrt(sum(float(np.square(np.ldexp(array, -exponent)).sum()) for array in wide))
    norm = Norm(mantissa, exponent)
    return Norm(norm.value) if 0 < norm.value < math.inf else norm


def scaled(array: Array, mantissa: float, exponent: int = 0) -> Array:
    """Return array · mantissa · 2**exponent in the array's type, computed in float64."""
    wide = array.astype(np.float64, copy=False)
    product: Array = ((np.ldexp(wide, exponent) if exponent else wide) * mantissa).astype(array.dtype, copy=False)
    return product
