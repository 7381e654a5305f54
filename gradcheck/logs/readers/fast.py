"""JSON Lines of one print statement, many at a time.

Such lines have the same text between their numbers. Where a part of a log has nothing but these texts and numbers, its
numbers are read all at once (``decimals``). Anything else is left to be read line by line.

orjson, the extra ``fast``, parses what is read line by line, and numbers of another form. It accepts less than the
``json`` module does (no number beyond the range of floats), and what it accepts it reads alike: what it refuses is read
by that module, and results don't depend on it.
"""

import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from gradcheck.logs.decimals import CHARACTERS, Numbers, Places, Runs, decimals, number_runs

#: Bytes that are tried together.
PIECE = 2**18

#: With more numbers in a line, it takes longer to look at all of them than to parse the lines.
MOST_NUMBERS = 16

_VALUE = re.compile(rb"(?<=[: \t])(-?\d[-+.\deE]*)(?=\s*[,}])")


class Mould:
    """The text between the numbers of a line, which other lines have, too; the end of the line is part of it."""

    def __init__(self, line: bytes, begins: list[int], wanted: list[int]) -> None:
        starts, ends, _ = number_runs(line)
        self._skeleton = line.translate(None, CHARACTERS)
        self._start, self._runs = int(starts[0]), len(starts)
        self._gaps = _gaps(starts, ends, len(line))
        self._numbers = np.flatnonzero(np.isin(starts, begins))  # which of the runs are numbers
        self._wanted = np.array(wanted, dtype=np.intp)  # which of the numbers are taken
        names = np.flatnonzero(~np.isin(starts, begins)).tolist()  # runs in a name: the e of "step"
        self._names = [(run, line[starts[run] : ends[run]]) for run in names]

    def numbers_of(self, lines: bytes) -> "tuple[int, array[float]] | None":
        """Return how many lines there are, and their numbers; None if any differs in more than its numbers."""
        skeleton = lines.translate(None, CHARACTERS)
        rows = len(skeleton) // len(self._skeleton)
        runs = number_runs(lines) if rows and skeleton == self._skeleton * rows else None
        if runs is None or len(runs.starts) != rows * self._runs or not self._fits(lines, runs, rows):
            return None
        values, known = decimals(lines, runs)
        values, known = values.reshape(rows, -1)[:, self._numbers], known.reshape(rows, -1)[:, self._numbers]
        if not known.all():
            left = (np.arange(rows)[:, None] * self._runs + self._numbers)[~known]
            others = _parsed(lines[start:end] for start, end in zip(runs.starts[left], runs.ends[left], strict=True))
            if others is None:
                return None
            values[~known] = others
        return rows, array("d", values[:, self._wanted].tobytes())

    def sieve(self, lines: list[bytes]) -> list[bool]:
        """Return of each line whether it has the same text, as far as that can be told without its numbers."""
        skeletons = b"".join(lines).translate(None, CHARACTERS).splitlines(keepends=True)
        return [one == self._skeleton for one in skeletons] if len(skeletons) == len(lines) else [False] * len(lines)

    def _fits(self, lines: bytes, runs: Runs, rows: int) -> bool:
        """Whether all runs are where they are in the line, and those of the names are the same."""
        starts, ends, _ = runs
        if starts[0] != self._start or (_gaps(starts, ends, len(lines)).reshape(rows, -1) != self._gaps).any():
            return False
        codes = np.frombuffer(lines, np.uint8)
        for run, name in self._names:
            begins = starts[run :: self._runs]
            alike = (ends[run :: self._runs] - begins == len(name)).all()
            if not alike or any((codes[begins + place] != code).any() for place, code in enumerate(name)):
                return False
        return True


def _gaps(starts: Places, ends: Places, length: int) -> Places:
    """Return how many bytes there are after each run, up to the next one, or to the first one again, (runs,)."""
    return np.append(starts[1:], length + starts[0]) - ends


def _parsed(texts: Iterator[bytes]) -> Numbers | None:
    """Return numbers as a parser of JSON reads them; None if any isn't one, or beyond the range of floats."""
    try:
        return np.frombuffer(array("d", _parser()(b"[%b]" % b",".join(texts))))
    except (ValueError, TypeError, OverflowError):
        return None


def mould_of(line: bytes, numbers: list[float], wanted: list[int]) -> Mould | None:
    """Return the mould of a line that holds these numbers; None if they can't be told from what else it holds."""
    values = list(_VALUE.finditer(line))
    if not (line.endswith(b"\n") and 0 < len(values) <= MOST_NUMBERS):
        return None
    if [float(value[0]) for value in values] != numbers:
        return None
    return Mould(line, [value.start() for value in values], wanted)


def pieces(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines together, of parts in which there are one or many; none waits after an empty part."""
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


def most_alike(lines: list[bytes]) -> bytes:
    """Return a line whose text between its numbers most of the lines have, too."""
    skeletons = [line.translate(None, CHARACTERS) for line in lines]
    return lines[skeletons.index(Counter(skeletons).most_common(1)[0][0])]
