"""A transfer report as text: the verdict, what to change, and how each layer follows the width."""

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.parametrization.cells import (
    LABELS,
    SHOWN,
    TITLES,
    Row,
    about_losses,
    about_slopes,
    heading,
    last_sizes,
    loss_cells,
    loss_titles,
    rows_of,
    slope_in_words,
    until_step,
)
from gradcheck.parametrization.next_step import diverges, next_command
from gradcheck.parametrization.report import TransferLayer, TransferReport
from gradcheck.render.bars import Glyphs, Scale, sparkline
from gradcheck.render.layout import aside, beside, borderless, indented, printed, to_copy, verdict_block
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT

#: Colour of each course.
COLOURS = {"keeps": "", "grows": "red", "shrinks": "cyan", "unclear": "yellow", "still": "dim"}

#: What is said of several changes.
TOGETHER = "each mends a fault of its own: make all of them, then compare again"

#: Columns that a table with errors and pictures needs beside its names and its verdicts.
ROOM = 60


def as_text(report: TransferReport, page: Page = PLAIN_PAGE) -> str:
    """Return a report as text for a page."""
    return printed(_parts(report, page), page)


def _parts(report: TransferReport, page: Page) -> Iterator[RenderableType]:
    verdict = report.verdict
    yield aside(heading(report))
    yield ""
    yield verdict_block(*LABELS[verdict.status], [*verdict.reasons, verdict.learning_rate])
    if diverges(report) and report.losses:
        yield ""
        yield indented(Text(about_losses(report), style="dim"))
        yield indented(_losses(report))
    if any(one.quantity != "start" for one in report.layers):
        yield ""
        if diverges(report):
            yield indented(Text(until_step(report), style="dim"))
        yield indented(_table(report, page))
        yield ""
        yield indented(Text(about_slopes(report), style="dim"))
    changes = [cause.advice for cause in verdict.causes if cause.advice]
    if changes:
        yield ""
        table = beside()
        for number, one in enumerate(changes, start=1):
            table.add_row(f"{number}.", one)
        yield indented(table)
        if len(changes) > 1:
            yield indented(Text(TOGETHER, style="dim"))
    yield ""
    yield to_copy(next_command(report))


def _losses(report: TransferReport) -> Table:
    """Return the losses at each scale, before each step and after the last one."""
    table = borderless(loss_titles(report))
    for one in report.losses:
        table.add_row(*loss_cells(one))
    return table


def _table(report: TransferReport, page: Page) -> Table:
    """Return a line for each layer: pictures and slopes where there is room, else slopes of what moves alone."""
    rows = rows_of(report)
    wide = page.width - INDENT - max(len(row.layer) for row in rows) >= ROOM
    quantities = [name for name in SHOWN[0 if wide else 1 :] if any(name in row.quantities for row in rows)]
    table = borderless(["layer", *(TITLES[name] if wide else name for name in quantities)], left=("layer",))
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        cells = (_cell(row, name, report.scales, page.glyphs if wide else None) for name in quantities)
        table.add_row(row.layer, *cells, Text(_short(row), style=COLOURS[_short(row)]))
    return table


def _cell(row: Row, quantity: str, scales: Sequence[int], glyphs: Glyphs | None) -> Text:
    """Return a quantity's course over the widths, and its slope."""
    one = row.quantities.get(quantity)
    if one is None:
        return Text("")
    picture = "" if glyphs is None or one.course == "still" else _picture(one, scales, glyphs) + " "
    return Text(picture + slope_in_words(one, error=glyphs is not None), style=COLOURS[one.course])


def _picture(one: TransferLayer, scales: Sequence[int], glyphs: Glyphs) -> str:
    """Return a sparkline on which a slope of 1 goes from the bottom to the top."""
    sizes = last_sizes(one)
    finite = [size for size in sizes if size is not None and math.isfinite(size)]
    if not finite:
        return glyphs.missing * len(sizes)
    half = math.log10(scales[-1] / scales[0]) / 2
    middle = (min(finite) + max(finite)) / 2
    return sparkline(sizes, len(sizes), glyphs, Scale(middle - half, middle + half))


def _short(row: Row) -> str:
    """Return the verdict on a layer in a word."""
    courses = [one.course for one in row.quantities.values()]
    return next((course for course in ("grows", "shrinks", "unclear") if course in courses), "keeps")
