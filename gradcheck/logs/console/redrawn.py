"""Progress bars that are drawn anew below a line: tqdm clears its bar, writes the line, and draws the bar again."""

from collections.abc import Callable, Iterable, Iterator

from gradcheck.logs.console.context import Context
from gradcheck.logs.console.lines import Bar, without_bar
from gradcheck.logs.numbers import LogRow

#: Rows that are passed on together.
TOGETHER = 256

#: Lines that may be written at once between a bar that was cleared and the same one, drawn anew.
MOST_WRITTEN = 16

#: A bar is cleared by at least so many blanks.
FEWEST_BLANKS = 10

#: Bars that have ended and are remembered.
ENDED = 64


class Ended:
    """Bars of rich that have ended: it draws all that it keeps anew, as they are."""

    def __init__(self) -> None:
        self._ended: dict[str, None] = {}

    def has(self, line: str) -> bool:
        """Whether a line is such a bar that was drawn before."""
        if line in self._ended:
            return True
        bar = without_bar(line)[1]
        if bar is not None and bar.at == bar.total:
            self._ended[line] = None
            if len(self._ended) > ENDED:
                del self._ended[next(iter(self._ended))]
        return False


def redrawn(lines: Iterator[bytes], context: Context) -> Iterator[bytes]:
    """Yield lines with a bar that is drawn anew put before the lines for which it was cleared.

    A bar is drawn ten times a second at most: what a quick training writes may be several steps after the bar above it.
    The bar that is drawn below it at once is where the training is.
    """
    held: list[bytes] = []
    cleared: Bar | None = None
    for line in lines:
        if cleared is None:
            if line.isspace() and len(line) > FEWEST_BLANKS and line.endswith(b"\r"):
                cleared = context.bar
            yield line
            continue
        bar = without_bar(line.decode("utf-8", "replace"))[1] if b"%|" in line else None
        if bar is not None and bar.total == cleared.total and bar.at >= cleared.at:
            yield line
        elif line and bar is None and len(held) < MOST_WRITTEN:
            held.append(line)
            continue
        else:
            held.append(line)
        yield from held
        held, cleared = [], None
    yield from held


def joined(lines: Iterable[bytes], rows_of: Callable[[bytes], Iterable[LogRow]], context: Context) -> Iterator[LogRow]:
    """Yield the rows of lines, neighbours of one layout together; one that a bar drew again replaces the one before."""
    held: LogRow | None = None
    for line in lines:
        if not line and held:
            yield held
            held = None
        for row in rows_of(line) if line else ():
            if held and row[0] is held[0] and (context.drawn_again or len(held[1]) < TOGETHER * len(row[1])):
                if context.drawn_again:
                    del held[1][-len(row[1]) :]
                held[1].extend(row[1])
                continue
            if held:
                yield held
            held = row
    if held:
        yield held
