"""A verification as text: the answer, what it was computed with, one line a check."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.base.loose import Loose
from gradcheck.checking.cells import COLUMNS, SPARED, answer, circumstances, complaint
from gradcheck.checking.verification import Verification
from gradcheck.render.bars import BLOCKS, Glyphs, Scale, bar
from gradcheck.render.heading import SEPARATOR
from gradcheck.render.style import INDENT
from gradcheck.render.terminal import PLAIN_TERMINAL, Terminal, printed

#: Failing checks that are named above the table; there they are all.
NAMED = 6

#: Cells of a bar at most, and the fewest that are worth a bar.
WIDEST, NARROWEST = 32, 8


def verification_as_text(verification: Verification, terminal: Terminal = PLAIN_TERMINAL) -> str:
    """Return a verification as text.

    Parameters
    ----------
    verification : Verification
    terminal : Terminal
        Where it will be shown.
    """
    return printed(lambda glyphs: _parts(verification, terminal.width, glyphs), terminal)


def _parts(verification: Verification, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
    yield _answer(verification)
    yield Text(SEPARATOR.join(circumstances(verification)), style="dim")
    yield ""
    yield from _table(verification, width, glyphs)
    for check in verification.checks:
        if check.note:
            yield _remark(f"{check.name}: {check.note}")


def _answer(verification: Verification) -> Padding:
    """The answer in a few words, beside it the worst error, or the checks that fail."""
    label, basis = answer(verification)
    complaints = [complaint(check) for check in verification.failed]
    more = [f"and {len(complaints) - NAMED} more"] if len(complaints) > NAMED else []
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    mark = Text(f" {label.upper()} ", style=f"reverse {'green' if verification.passed else 'red'}")
    for index, reason in enumerate([basis, *complaints[:NAMED], *more]):
        table.add_row("" if index else mark, Text(reason, style="" if index else "bold"))
    return Padding(table, (0, 0, 0, 1))


def _remark(text: str) -> Padding:
    return Padding(Text(text, style="dim"), (0, 0, 0, INDENT))


def _table(verification: Verification, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
    """Yield one line a check, and what its bar means."""
    cells = _cells(verification, width - INDENT)
    room = min(WIDEST, width - INDENT - _needed(cells))
    scale = Scale(math.log10(verification.environment.epsilon), 0.0)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in cells:
        table.add_column(name, justify="right" if name in ("error", "limit") else "left", no_wrap=True)
    table.add_column("", no_wrap=True)
    for check, *row in zip(verification.checks, *cells.values(), strict=True):
        style = "green" if check.passed else "bold red"
        marked = _bar(check, scale, room, glyphs) if room >= NARROWEST else ""
        table.add_row(*row[:-1], Text(row[-1], style=style), Text(marked, style=style))
    yield Padding(table, (0, 0, 0, INDENT))
    if room >= NARROWEST:
        yield ""
        yield _remark(f"bars: from epsilon to 1 on a log scale, {_mark(glyphs)} the limit")


def _cells(verification: Verification, width: int) -> dict[str, list[str]]:
    """Return the columns that fit."""
    cells = {name: [cell(check) for check in verification.checks] for name, cell in COLUMNS.items()}
    for name in SPARED:
        if _needed(cells) > width:
            del cells[name]
    return cells


def _needed(cells: dict[str, list[str]]) -> int:
    """Return how wide the columns are together."""
    return sum(max(map(len, (name, *column))) + 2 for name, column in cells.items())


def _bar(check: Loose, scale: Scale, width: int, glyphs: Glyphs) -> str:
    """Return the error's bar, the limit marked where the bar doesn't reach it; full where there is no number."""
    error = 1.0 if check.error is None else check.error
    drawn = bar(scale.share(math.log10(error)), width, glyphs) if error > 0 else ""
    limit = int(scale.share(math.log10(check.limit)) * width)
    return drawn.ljust(limit) + _mark(glyphs) if len(drawn) <= limit else drawn


def _mark(glyphs: Glyphs) -> str:
    return "│" if glyphs is BLOCKS else "|"
