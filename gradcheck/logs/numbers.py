"""Numbers of a log as floats.

Throughout, nan is no number at all, inf is too large a number, and −inf is one that is not a number (NaN): norms are
never negative, so that it is free, and a cell that is empty differs from one that says NaN.
"""

import math
import re
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from gradcheck.logs.columns import Layout

#: The columns of a row, and its numbers; of several rows of one layout, one row's after the other's.
LogRow: TypeAlias = tuple[Layout, "array[float]"]

MISSING = float("nan")
INFINITE = float("inf")
NOT_A_NUMBER = float("-inf")

#: What the literals of JSON's common extension mean.
CONSTANTS = {"NaN": NOT_A_NUMBER, "Infinity": INFINITE, "-Infinity": NOT_A_NUMBER}

#: Other spellings of them, where a value is.
_SPELLINGS = re.compile(r"(?<=[:\[,])(\s*)([-+]?)(nan|inf|infinity|NaN|Infinity)(?=\s*[,}\]])", re.IGNORECASE)

#: A place among others, as ``1/547`` for the first of so many steps.
_PLACE = re.compile(r"(\d+)\s*/\s*\d+")

_WORDS = {
    "nan": NOT_A_NUMBER, "inf": INFINITE, "infinity": INFINITE, "+inf": INFINITE, "+infinity": INFINITE,
    "-inf": NOT_A_NUMBER, "-infinity": NOT_A_NUMBER, "-nan": NOT_A_NUMBER,
}  # fmt: skip


def with_constants(text: str) -> str:
    """Return JSON in which numbers that aren't finite are spelt as its common extension has them."""
    return _SPELLINGS.sub(lambda found: f"{found[1]}{_constant(found[2], found[3])}", text)


def _constant(sign: str, word: str) -> str:
    return "NaN" if word.lower() == "nan" else f"{sign.strip('+')}Infinity"


def numbers(values: Iterable[Any]) -> "array[float]":
    """Return JSON values as floats: all at once where they are numbers, else one by one."""
    try:
        return array("d", values)
    except (TypeError, OverflowError):
        return array("d", [_number(value) for value in values])


def texts(cells: Sequence[str], commas: bool = False) -> "array[float]":
    """Return the cells of a table of text as floats; with `commas`, decimals may follow a comma."""
    try:
        row = array("d", map(float, cells))
    except ValueError:
        return array("d", [_of_text(cell if not commas or "." in cell else cell.replace(",", ".")) for cell in cells])
    return row if math.isfinite(sum(row)) else array("d", map(_of_text, cells))


def of_float(value: float) -> float:
    """Return a float as the rows have it: one that is not a number differs from one that is missing."""
    return NOT_A_NUMBER if math.isnan(value) or value == -math.inf else value


def _number(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return INFINITE
    return MISSING


def _of_text(text: str) -> float:
    """Return a number that is written out; MISSING for anything else."""
    word = text.strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    if ".#" in word:  # as Microsoft's C prints them: 1.#INF, 1.#QNAN00, -1.#IND
        return INFINITE if "inf" in word and word[0] != "-" else NOT_A_NUMBER
    try:
        return float(word)
    except ValueError:
        place = _PLACE.fullmatch(word)
        return float(place[1]) if place else MISSING
