"""Numbers as text writes them ↦ floats, thousands at a time, each the one that is nearest to what is written.

Digits are read eight at a time, as one word of 64 bits (D. Lemire, "Number parsing at a gigabyte per second", 2021). A
number is then a whole one over a power of ten, and both are exact floats where they have few digits, so that their
quotient is the nearest float (W. Clinger, "How to read floating point numbers accurately", 1990). With more digits the
remainder tells whether it is. What can't be decided so, or isn't such a number, is left to others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

#: What numbers are written with.
CHARACTERS = b"0123456789+-.eE"

#: Digits that are read: their whole number is below 2⁶⁴. Of them so many are one word.
MOST_DIGITS, WORD = 19, 8

#: Largest whole number up to which all are floats.
EXACT = 2**53

#: How much nearer than half way to the next float a quotient must be: beyond what the remainder is rounded by.
SURELY = 1 - 2.0**-40

#: Parts a float in two of 26 bits, whose products are exact (T. J. Dekker, 1971).
SPLITTER = 2.0**27 + 1

_POWERS: Numbers = np.array([float(10**places) for places in range(MOST_DIGITS + 1)])
_LAST = np.array([2**64 - 2 ** (8 * (WORD - count)) for count in range(WORD + 1)], dtype=np.uint64)
_DIGITS = np.uint64(0x0F0F0F0F0F0F0F0F)

#: Joins neighbours of one, two and four digits: what they are multiplied by, and which bits of the product count.
_JOINTS = tuple(
    (np.uint64(1 + (10**digits << 8 * digits)), np.uint64(8 * digits), np.uint64(kept))
    for digits, kept in ((1, 0x00FF00FF00FF00FF), (2, 0x0000FFFF0000FFFF), (4, 0xFFFFFFFF))
)


class Runs(NamedTuple):
    """Runs of the characters of numbers in a text."""

    starts: Places  # (runs,)
    ends: Places  # (runs,)
    marks: Places  # of those characters all that are no digits


def number_runs(text: bytes) -> Runs:
    """Return the runs of the characters of numbers in a text that has others at its ends."""
    codes = np.frombuffer(text, np.uint8)
    marks = (codes == ord(".")) | (codes == ord("-")) | ((codes | 0x20) == ord("e")) | (codes == ord("+"))
    inside = (codes - ord("0") < 10) | marks
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    return Runs(edges[::2], edges[1::2], np.flatnonzero(marks))


def decimals(text: bytes, runs: Runs) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return the numbers of all runs, (runs,), and which of them could be read; the others may be anything.

    Read are ``12`` and ``-0.5``, as JSON writes them; none with an exponent.
    """
    codes, (starts, ends, marks) = np.frombuffer(text, np.uint8), runs
    run = np.searchsorted(starts, marks, side="right") - 1
    dots = codes[marks] == ord(".")
    dotted, others = run[dots], ~dots & (marks > starts[run])
    count = np.bincount(dotted, minlength=len(starts))
    places = np.zeros(len(starts), dtype=np.intp)
    places[dotted] = ends[dotted] - marks[dots] - 1
    negative = codes[starts] == ord("-")
    first = starts + negative
    digits = ends - first - count
    before = digits - places
    read = (digits <= MOST_DIGITS) & (count <= 1) & (places >= count) & (before > 0)
    read &= (codes[first] != ord("0")) | (before == 1)
    read &= negative | (codes[starts] - ord("0") < 10)
    read[run[others]] = False
    whole = _whole_numbers(text, ends - np.cumsum(count), np.where(read, digits, 0))
    values, sure = _quotients(whole, np.where(read, places, 0))
    return np.where(negative, -values, values), read & sure


def _whole_numbers(text: bytes, ends: Places, digits: Places) -> Words:
    """Return the numbers of so many digits that end there, the dots of the text taken out, (runs,)."""
    padded = b"0" * (3 * WORD) + text.translate(None, b".")
    words: Words = np.ndarray((len(padded) - WORD + 1,), "<u8", padded, strides=(1,))
    whole = _of_word(words[ends + 2 * WORD], np.minimum(digits, WORD))
    for done in (WORD, 2 * WORD):
        if (digits > done).any():
            higher = _of_word(words[ends + 2 * WORD - done], np.clip(digits - done, 0, WORD))
            whole += higher * np.uint64(10**done)
    return whole


def _of_word(words: Words, digits: Places) -> Words:
    """Return the number that the last digits of each word are, (runs,)."""
    words = words & _LAST[digits] & _DIGITS
    for factor, bits, kept in _JOINTS:
        words = ((words * factor) >> bits) & kept
    return words


def _quotients(whole: Words, places: Places) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return whole numbers over powers of ten as the nearest floats, and which of them surely are."""
    power: Numbers = _POWERS[places]
    values, sure = whole / power, np.ones(len(whole), dtype=bool)
    long = np.flatnonzero(whole > EXACT)
    if len(long):
        values[long], sure[long] = _corrected(whole[long], values[long], power[long])
    return values, sure


def _corrected(whole: Words, values: Numbers, power: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return quotients with their remainder added, and which of them are then the nearest floats."""
    values = values + _remainder(whole, values, power) / power
    half = (values - np.nextafter(values, 0.0)) / 2
    return values, np.abs(_remainder(whole, values, power)) < SURELY * half * power


def _remainder(whole: Words, values: Numbers, power: Numbers) -> Numbers:
    """Return whole − values · power, to the precision of a float though nearly all of it cancels."""
    high = whole.astype(np.float64)
    low = (whole - high.astype(np.uint64)).view(np.int64)
    (a, b), (c, d) = _halves(values), _halves(power)
    product = values * power
    rounded = a * c - product + a * d + b * c + b * d
    return np.asarray((high - product) - rounded + low)


def _halves(values: Numbers) -> tuple[Numbers, Numbers]:
    """Return two floats of 26 bits whose sum a float is."""
    scaled = SPLITTER * values
    upper = scaled - (scaled - values)
    return upper, values - upper
