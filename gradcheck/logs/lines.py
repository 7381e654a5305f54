"""Lines of a file that may be hostile, torn or still growing."""

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

#: Longer lines are left out, and said so: a record of 100,000 layers with five numbers each fits.
LONGEST = 16 * 2**20

#: Seconds between looks at a file that is followed.
PAUSE = 0.2


class Problems:
    """What was wrong with a log: how often, and where first.

    Attributes
    ----------
    found : dict
        What is wrong ↦ how often, and the first line (or row) where it is.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[int, int]] = {}

    def add(self, problem: str, line: int) -> None:
        """Note a problem of a line, numbered from 1."""
        count, first = self.found.get(problem, (0, line))
        self.found[problem] = count + 1, first

    def lines(self) -> list[str]:
        """Return one line for each kind of problem."""
        return [_told(problem, count, first) for problem, (count, first) in self.found.items()]


def _told(problem: str, count: int, first: int) -> str:
    return f"line {first} {problem}" if count == 1 else f"{count:,} lines (the first is {first}): {problem}"


def pieces(file: BinaryIO, follow: bool = False) -> Iterator[bytes]:
    """Yield lines, and parts of lines that are too long; while a followed file doesn't grow, empty bytes."""
    while True:
        piece = file.readline(LONGEST)
        if piece:
            yield piece
        elif not follow:
            return
        else:
            yield b""
            time.sleep(PAUSE)


def whole_lines(parts: Iterator[bytes], problems: Problems, idle: Callable[[], None] | None = None) -> Iterator[bytes]:
    """Yield whole lines; one that is too long is left out, the last one need not have an end.

    Parameters
    ----------
    parts : iterator of bytes
        As ``pieces`` yields them.
    problems : Problems
        Where lines that are too long are noted.
    idle : callable, optional
        Called while there is nothing to read.
    """
    number, held, too_long = 0, b"", False
    for part in parts:
        if not part and idle is not None:
            idle()
        held = held + part if held and not too_long else part
        too_long = too_long or len(held) > LONGEST
        if not part.endswith(b"\n"):
            continue
        number += 1
        if too_long:
            problems.add(f"is longer than {LONGEST >> 20} MiB: left out", number)
        else:
            yield held
        held, too_long = b"", False
    if held and not too_long:
        yield held
