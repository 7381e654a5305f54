"""A verification as text: the answer, what it was computed with, one line a check."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from gradcheck.checking.cells import COLUMNS, SPARED, describe_circumstances, describe_failure, sum_up
from gradcheck.checking.verification import CheckResult, Verification
from gradcheck.render.bars import BLOCKS, Glyphs, Scale, bar
from gradcheck.render.heading import SEPARATOR
from gradcheck.render.layout import aside, borderless, indented, printed, verdict_block
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT

#: Failing checks that are named above the table, which has them all.
NAMED = 6

#: Cells of a bar at most, and the fewest that are worth a bar.
WIDEST, NARROWEST = 32, 8


def as_text(verification: Verification, page: Page = PLAIN_PAGE) -> str:
    """Return a verification as text for a page."""
    return printed(_parts(verification, page), page)


def _parts(verification: Verification, page: Page) -> Iterator[RenderableType]:
    yield _answer(verification)
    yield aside(SEPARATOR.join(describe_circumstances(verification)))
    yield ""
    yield from _table(verification, page.width, page.glyphs)
    for check in verification.checks:
        if check.note:
            yield indented(aside(f"{check.name}: {check.note}"))


def _answer(verification: Verification) -> RenderableType:
    """Return the answer in a few words; beside it the worst error, and the checks that fail."""
    label, basis = sum_up(verification)
    failures = [describe_failure(check) for check in verification.failed]
    more = [f"and {len(failures) - NAMED} more"] if len(failures) > NAMED else []
    colour = "green" if verification.passed else "red"
    return verdict_block(label, colour, [basis, *failures[:NAMED], *more])


def _table(verification: Verification, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
    """Yield one line a check, and what its bar means."""
    cells = _cells(verification, width - INDENT)
    room = min(WIDEST, width - INDENT - _needed(cells))
    scale = Scale(math.log10(verification.environment.epsilon), 0.0)
    table = borderless([*cells, ""], left=("kind", "check", ""))
    for check, *row in zip(verification.checks, *cells.values(), strict=True):
        style = "green" if check.passed else "bold red"
        marked = _bar(check, scale, room, glyphs) if room >= NARROWEST else ""
        table.add_row(*row[:-1], Text(row[-1], style=style), Text(marked, style=style))
    yield indented(table)
    if room >= NARROWEST:
        yield ""
        yield indented(aside(f"bars: from epsilon to 1 on a log scale, {_mark(glyphs)} the limit"))


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


def _bar(check: CheckResult, scale: Scale, width: int, glyphs: Glyphs) -> str:
    """Return the error's bar, the limit marked where the bar doesn't reach it; full where there is no number."""
    error = 1.0 if check.error is None else check.error
    drawn = bar(scale.share(math.log10(error)), width, glyphs) if error > 0 else ""
    limit = int(scale.share(math.log10(check.limit)) * width)
    return drawn.ljust(limit) + _mark(glyphs) if len(drawn) <= limit else drawn


def _mark(glyphs: Glyphs) -> str:
    return "│" if glyphs is BLOCKS else "|"
