"""Number formats of low precision: where each one ends, and what rounding to it does to an array."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.types import Array

#: Exponents of two that a scale may have: those of a float32, and of E8M0.
SCALES = (-127, 127)

#: The smallest float64 above zero.
SMALLEST = 5e-324


class NumberFormat(NamedTuple):
    """A binary format: a sign, an exponent, and the bits of the significand after its leading 1."""

    precision: int  # bits after the leading 1
    least: int  # exponent of the smallest normal number, 2**least
    largest: float  # the largest finite number
    source: str
    block: int = 0  # entries that share a power of two; 0 where a whole tensor may have one

    @property
    def smallest_normal(self) -> float:
        """The smallest number with all its digits."""
        return math.ldexp(1, self.least)

    @property
    def smallest_subnormal(self) -> float:
        """The smallest number above zero, and the distance between those below the smallest normal one."""
        return math.ldexp(1, self.least - self.precision)

    @property
    def to_zero(self) -> float:
        """The largest number that rounds to zero: half the smallest subnormal, a tie, whose even neighbour is zero."""
        return self.smallest_subnormal / 2

    @property
    def to_normal(self) -> float:
        """The smallest number that rounds to a normal one: another tie."""
        return self.smallest_normal - self.smallest_subnormal / 2

    @property
    def overflow(self) -> float:
        """The smallest float64 that rounds to more than the largest number.

        Halfway to what would be the next number, where the last bit of the largest is 1; just above that, where it is
        0, as in E4M3.
        """
        spacing = math.ldexp(1, math.frexp(self.largest)[1] - 1 - self.precision)
        halfway = self.largest + spacing / 2
        return halfway if self.largest / spacing % 2 else math.nextafter(halfway, math.inf)


FORMATS = {
    "fp16": NumberFormat(10, -14, 65504.0, "IEEE 754-2019, binary16"),
    "bf16": NumberFormat(7, -126, math.ldexp(255, 120), "Kalamkar et al. 2019"),
    "fp8-e4m3": NumberFormat(3, -6, 448.0, "Micikevicius et al. 2022"),
    "fp8-e5m2": NumberFormat(2, -14, 57344.0, "Micikevicius et al. 2022"),
    "mxfp8": NumberFormat(3, -6, 448.0, "OCP Microscaling Formats 1.0 (2023), elements E4M3, scales E8M0", block=32),
}


class Counts(NamedTuple):
    """How many entries of a tensor aren't zero, and what rounding does to them."""

    entries: int = 0
    to_zero: int = 0
    subnormal: int = 0
    overflow: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


def rounded(values: Array, form: NumberFormat) -> Array:
    """Return values at the nearest number of a format, ties to even, as if it had no largest one."""
    exponents = np.maximum(np.frexp(values)[1] - 1, form.least) - form.precision  # of the last bit
    nearest: Array = np.ldexp(np.rint(np.ldexp(values, -exponents)), exponents)
    return nearest


def tensor_scale(tensor: Scaled, form: NumberFormat) -> int:
    """Return the largest k with which no entry of tensor · 2**k is beyond the largest number.

    So Transformer Engine and torchao choose the scale of a tensor where it is to be a power of two.
    """
    largest, exponent = math.frexp(form.largest)
    own, place = math.frexp(_largest(tensor.mantissa))
    return _within(exponent - place - (own > largest) - tensor.exponent)


def counts(tensor: Scaled, form: NumberFormat, scale: int = 0) -> Counts:
    """Count what rounding to a format does to the entries of tensor · 2**scale.

    Parameters
    ----------
    tensor : Scaled
        (rows, columns)
    form : NumberFormat
        One with blocks has scales of its own: 2**(the format's largest exponent − that of the block's largest entry),
        which may leave that entry up to 512/448 beyond the largest number. Blocks are cut from the rows.
    scale : int
    """
    size: Array = np.abs(tensor.mantissa.astype(np.float64, copy=False))
    shift: npt.NDArray[np.intp] | int = tensor.exponent + scale
    if form.block:
        size = _blocks(size, form.block)
        place = np.frexp(size.max(axis=-1, keepdims=True))[1]
        shift = np.clip(math.frexp(form.largest)[1] - place - tensor.exponent, *SCALES) + tensor.exponent
    bounds = form.to_zero, form.to_normal, form.overflow
    with np.errstate(over="ignore", under="ignore"):  # a bound may be beyond all entries; zeros are below each
        to_zero, to_normal, overflow = (np.maximum(np.ldexp(one, -shift), SMALLEST) for one in bounds)
    entries, above = np.count_nonzero(size), np.count_nonzero(size > to_zero)
    below_normal = above - np.count_nonzero(size >= to_normal)
    return Counts(*map(int, (entries, entries - above, below_normal, np.count_nonzero(size >= overflow))))


def lost_updates(weights: Array, gradient: Scaled, rate: float, form: NumberFormat) -> tuple[int, int]:
    """Return how many of the weights, kept in a format, a step of plain SGD leaves as they are, and of how many.

    Those whose gradient is zero aren't counted. A step below half the distance to the next number is lost: to nearest,
    the sum rounds to the weight that it was (Zamirai et al. 2020).
    """
    kept = rounded(weights.astype(np.float64, copy=False), form)
    with np.errstate(over="ignore", under="ignore"):
        step = np.ldexp(rate * gradient.mantissa.astype(np.float64, copy=False), gradient.exponent)
    moved = gradient.mantissa != 0
    return int(np.count_nonzero(moved & (rounded(kept - step, form) == kept))), int(np.count_nonzero(moved))


def _largest(values: Array) -> float:
    """Return the largest magnitude that is a number; 0 without any."""
    return float(np.fmax.reduce(np.abs(values), axis=None, initial=0.0))


def _within(exponent: int) -> int:
    return min(max(exponent, SCALES[0]), SCALES[1])


def _blocks(rows: Array, size: int) -> Array:
    """Cut rows into blocks, the last one of each filled up with zeros: (rows, blocks, size)."""
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % size)))
    return padded.reshape(len(rows), -1, size)
