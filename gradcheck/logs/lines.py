"""Lines of a file that may be hostile, torn or still growing."""

import math
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

#: Longer lines are left out, and reported: a record of 100,000 layers with five numbers each fits.
LONGEST = 16 * 2**20

#: Bytes that are read at once.
CHUNK = 2**20

#: How a line ends; a carriage return alone will do.
ENDS = (b"\n", b"\r")

#: Seconds between looks at a file that is followed.
PAUSE = 0.2


#: Names of runs that are told apart, their letters, and the number that stands for the first of them.
MOST_NAMES, LONGEST_RUN, FIRST_NAME = 1000, 80, 2.0**50


class LostPart(NamedTuple):
    """A part of a loss that isn't finite where the whole one is."""

    step: float
    value: float
    rows: int
    last: float  # the last step


class Problems:
    """What was wrong with a log: how often, and where first."""

    def __init__(self) -> None:
        # what is wrong ↦ how often, and the first line (or row) where it is
        self.found: dict[str, tuple[int, int]] = {}

    def add(self, problem: str, line: int) -> None:
        """Note a problem of a line, numbered from 1."""
        count, first = self.found.get(problem, (0, line))
        self.found[problem] = count + 1, first

    def lines(self) -> list[str]:
        """Return one line for each kind of problem."""
        return [
            f"line {first} {problem}" if count == 1 else f"{count:,} lines (the first is {first}): {problem}"
            for problem, (count, first) in self.found.items()
        ]


class Reader:
    """What the readers of all formats have in common.

    Parameters
    ----------
    problems : Problems
        Where lines that are left out are noted.

    Attributes
    ----------
    format : str
        What the file turned out to be.
    clip : tuple of str and float, or None
        Rule and threshold of the clipping, if the log says so.
    seen : set of str
        Names that were there, understood or not.
    held_out : set of str
        Numbers of a validation that are not called so by their names alone.
    rounds : bool
        Its numbers are printed for people, often with few digits: a zero may be a small number.
    """

    format: str
    rounds = False

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.clip: tuple[str, float] | None = None
        self.seen: set[str] = set()
        self.held_out: set[str] = set()
        self.run_names: dict[str, float] = {}

    @property
    def nothing(self) -> str:
        """What is said of a log in which there is nothing to judge."""
        return "it has no step yet"

    @property
    def counted_by(self) -> str:
        """What the step is taken from, where a row of a console has none."""
        return "the progress bar"

    @property
    def listed(self) -> set[str]:
        """Names of columns that an error lists."""
        return self.seen

    def run_number(self, value: object) -> object:
        """Return the number that stands for the name of a run; numbers stand for themselves."""
        if not isinstance(value, str) or _is_number(value):
            return value
        if len(self.run_names) < MOST_NAMES:
            self.run_names.setdefault(value[:LONGEST_RUN], FIRST_NAME + len(self.run_names))
        return self.run_names.get(value[:LONGEST_RUN])

    def run_text(self, number: float) -> str:
        """Return what the log calls a run."""
        names = {one: name for name, one in self.run_names.items()}
        return names.get(number, f"{number:.15g}")

    @property
    def last_word(self) -> str:
        """The error that the program ended of, where the log says so."""
        return ""

    @property
    def checkpoints(self) -> list[float]:
        """The steps of the checkpoints that were saved, as far as the log says so."""
        return []

    def lost_parts(self, kind: str) -> Mapping[str, LostPart]:
        """Return the parts of a finite loss that aren't finite in the rows of a kind."""
        return {}

    def worth(self, kind: str) -> int:
        """Return what rows of a kind are worth: 2 of the training, 1 those that are drawn over, 0 of a validation,
        −1 those without a name.
        """
        return 2


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


class BegunAnewError(Exception):
    """A file that is followed was replaced or cut: what was read of it belongs to another run."""


def chunks(file: BufferedIOBase, follow: Path | None = None) -> Iterator[bytes]:
    """Yield what a file holds, a part at a time; empty bytes while a followed file doesn't grow.

    Parameters
    ----------
    file : binary file
    follow : Path, optional
        Where the file is, if it is followed.

    Raises
    ------
    BegunAnewError
        Another file is in its place, or a shorter one.
    """
    while True:
        chunk = file.read1(CHUNK)
        if chunk:
            yield chunk
        elif follow is None:
            return
        else:
            yield b""
            if _begun_anew(file, follow):
                raise BegunAnewError
            time.sleep(PAUSE)


def _begun_anew(file: BufferedIOBase, path: Path) -> bool:
    """Whether a path leads to another file than the one that is read, or to less than was read of it."""
    try:
        there = path.stat()
    except FileNotFoundError:  # the next run has yet to write it
        return False
    if stat.S_ISDIR(there.st_mode):  # moved away for a folder: nothing to read anew
        return False
    return not os.path.samestat(there, os.fstat(file.fileno())) or there.st_size < file.tell()


def whole_lines(parts: Iterator[bytes], problems: Problems, idle: Callable[[], bool] | None = None) -> Iterator[bytes]:
    """Yield lines, one by one; see ``whole_parts``. An empty part gives an empty line."""
    for part in whole_parts(parts, problems, idle):
        yield from part.splitlines(keepends=True) or (b"",)


def whole_parts(parts: Iterator[bytes], problems: Problems, idle: Callable[[], bool] | None = None) -> Iterator[bytes]:
    """Yield whole lines, many together; one that is too long is left out, the last one needs no end.

    Parameters
    ----------
    parts : iterator of bytes
        As ``chunks`` yields them; an empty one is passed on.
    problems : Problems
        Where lines that are too long are noted.
    idle : callable, optional
        Called after an empty part; once it returns True, the rest is not waited for.
    """
    number, held, too_long = 0, b"", False
    try:
        for part in parts:
            if not part:
                yield b""
                if idle is not None and idle():
                    return
                continue
            text = held + part
            end = max(map(text.rfind, ENDS)) + 1
            lines, held = text[:end], text[end:]
            number += len(lines.splitlines()) if b"\r" in lines else lines.count(b"\n")
            if too_long and lines:  # the end of the long one
                lines, too_long = lines[len(lines.splitlines(keepends=True)[0]) :], False
            if lines:
                yield lines
            if too_long or len(held) > LONGEST:
                if not too_long:
                    problems.add(f"is longer than {LONGEST >> 20} MiB: left out", number + 1)
                held, too_long = b"", True
    except KeyboardInterrupt:  # who waits for more of a followed file has waited long enough
        if held:
            yield held
            yield b""
        raise
    if held:
        yield held
