"""The comparison with a baseline, as text."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.diagnosis.regression import AGAIN, Move, Regression, missing_layers
from gradcheck.render.layout import aside, borderless, indented, printed, verdict_block
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import without_controls

#: Layers that the table shows, those that moved furthest first.
MOST = 20


def as_text(regression: Regression, page: Page = PLAIN_PAGE) -> str:
    """Return what moved since the baseline as text."""
    return printed(_parts(regression), page)


def _parts(regression: Regression) -> Iterator[RenderableType]:
    before, after = regression.status_before, regression.status_after
    moved = [move for move in regression.layers if move.moved]
    count = f"{len(moved)} of {len(regression.layers)} {regression.unit}s"
    far = f"{before} → {after}, {count} moved by more than {regression.tolerance:g} decades"
    gone = missing_layers(regression)
    lines = [line for line in (gone, far, AGAIN if regression.outcome == "improved" else "") if line]
    yield verdict_block(regression.outcome.upper(), "red" if regression.regression else "green", lines)
    if moved:
        yield ""
        moved.sort(key=lambda move: math.inf if move.change is None else abs(move.change), reverse=True)
        yield indented(_table(regression.unit, moved[:MOST]))
        if len(moved) > MOST:
            yield aside(f"  the {MOST} that moved furthest of {len(moved)}")
    for names, where in ((regression.only_before, "the baseline"), (regression.only_after, "the new report")):
        if names:
            some = f"only in {where}: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
            yield indented(Text(without_controls(some)))


def _table(unit: str, moves: list[Move]) -> Table:
    table = borderless(gap=3)
    table.add_column(unit)
    for name in ("log10 gradient, baseline", "now", "moved"):
        table.add_column(name, justify="right")
    for move in moves:
        numbers = ((move.before, ".2f"), (move.after, ".2f"), (move.change, "+.2f"))
        cells = ("-" if value is None else format(value, digits) for value, digits in numbers)
        table.add_row(Text(without_controls(move.name)), *cells)
    return table
