"""JSON Lines of one print statement, many at a time.

Such lines have the same text between their numbers. Where a part of a log has nothing but these texts and numbers, the
texts become commas, and what is left is one list of numbers in JSON. Anything else is left to be read line by line.

orjson, the extra ``fast``, parses that list. It accepts less than the ``json`` module does (no number beyond the range
of floats), and what it accepts it reads alike: what it refuses is read line by line, and results don't depend on it.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

#: Bytes that are tried together, and those of which no half is tried by itself.
PIECE, SMALLEST = 2**16, 2**12

#: With more numbers in a line, it takes longer to replace the texts than to parse the lines.
MOST_NUMBERS = 16

#: What numbers are written with.
_DIGITS = b"0123456789+-.eE"

_VALUE = re.compile(rb"(?<=[: \t])(-?\d[-+.\deE]*)(?=\s*[,}])")


class Mould:
    """The text between the numbers of a line, which other lines have, too.

    Parameters
    ----------
    line : bytes
        With its end.
    texts : list of bytes
        Before the first number, between the numbers, and after the last one.
    wanted : list of int
        Which of the numbers are taken.
    """

    def __init__(self, line: bytes, texts: list[bytes], wanted: list[int]) -> None:
        self._first, *between, self._last = texts
        self._between = list(dict.fromkeys((self._last + self._first, *between)))
        self._skeleton = line.translate(None, _DIGITS)
        self._numbers, self._wanted = len(texts) - 1, wanted

    def numbers_of(self, lines: bytes) -> "tuple[int, array[float]] | None":
        """Return how many lines there are, and their numbers; None if any differs in more than its numbers."""
        skeleton = lines.translate(None, _DIGITS)
        rows = len(skeleton) // len(self._skeleton)
        alike = lines.startswith(self._first) and lines.endswith(self._last) and skeleton == self._skeleton * rows
        if not alike:
            return None
        text = lines[len(self._first) : -len(self._last)]
        for between in self._between:
            text = text.replace(between, b",")
        try:
            values = array("d", _parser()(b"[%b]" % text))
        except (ValueError, TypeError, OverflowError):
            return None
        return (rows, self._taken(values)) if len(values) == rows * self._numbers else None

    def _taken(self, values: "array[float]") -> "array[float]":
        """Return the wanted numbers of each line."""
        width = len(self._wanted)
        if self._wanted == list(range(self._numbers)):
            return values
        taken = array("d", bytes(8 * width * (len(values) // self._numbers)))
        for place, wanted in enumerate(self._wanted):
            taken[place::width] = values[wanted :: self._numbers]
        return taken


def mould_of(line: bytes, record: Mapping[str, Any], wanted: list[int]) -> Mould | None:
    """Return the mould of a line that holds a record; None if there is more in it than names and numbers."""
    texts, values = _VALUE.split(line), _VALUE.findall(line)
    if not (line.endswith(b"\n") and 0 < len(values) <= MOST_NUMBERS):
        return None
    return Mould(line, texts[::2], wanted) if list(map(float, values)) == list(record.values()) else None


class Pieces:
    """Lines together, of parts in which there are one or many; none waits after an empty part."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._pieces = _pieces(parts)
        self._halves: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._halves.pop() if self._halves else next(self._pieces)

    def halve(self, piece: bytes) -> bool:
        """Have the halves of a piece come next, where they are worth it: a line may differ in one of them only."""
        end = piece.rfind(b"\n", 0, len(piece) // 2) + 1
        if len(piece) < SMALLEST or not end:
            return False
        self._halves += (piece[end:], piece[:end])
        return True


def _pieces(parts: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= PIECE or not part:
            yield from _cut(b"".join(held))
            held, size = [], 0
    yield from _cut(b"".join(held))


def _cut(part: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(part):
        end = part.rfind(b"\n", start, start + PIECE) + 1 or part.find(b"\n", start) + 1 or len(part)
        yield part[start:end]
        start = end


@cache
def orjson() -> Callable[[bytes], Any] | None:
    """Return orjson's parser; None where it isn't installed."""
    try:
        from orjson import loads
    except ImportError:
        return None
    parse: Callable[[bytes], Any] = loads
    return parse


def _parser() -> Callable[[bytes], Any]:
    return orjson() or json.loads
