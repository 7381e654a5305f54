"""A search as text: the answer, the runs by rate, the loss along the first update."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from gradcheck.base.wording import as_percent, counted
from gradcheck.learning_rate.cells import (
    COLUMNS,
    NO_BETTER,
    NO_PROGRESS,
    heading,
    label_of,
    next_command,
    outcome,
    told_along,
)
from gradcheck.learning_rate.report import RateReport
from gradcheck.learning_rate.runs import END
from gradcheck.render.bars import Scale, bar, sparkline
from gradcheck.render.layout import aside, borderless, indented, printed, to_copy, verdict_block
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT

#: Columns of a bar at most, and those that the others of its row need.
BAR, BESIDE = 40, 46

#: Colour of a bar, by how its run ends.
STYLES = {"falls": "green", "rises": "yellow", "fades": "red", "diverged": "red"}


def as_text(report: RateReport, page: Page = PLAIN_PAGE) -> str:
    """Return a search as text for a page."""
    return printed(_parts(report, page), page)


def _parts(report: RateReport, page: Page) -> Iterator[RenderableType]:
    yield aside(heading(report))
    yield ""
    yield verdict_block(*label_of(report), report.verdict.reasons)
    for draw in report.draws:
        if any(one.seed == draw.seed for one in report.runs):
            yield ""
            yield indented(_runs(report, draw.seed, page))
    if told_along(report):
        yield ""
        yield indented(_along(report, page))
    yield ""
    yield to_copy(next_command(report))


def _runs(report: RateReport, seed: int | None, page: Page) -> Group:
    """The runs of a draw, a bar for the loss of each in the end."""
    runs = [one for one in report.runs if one.seed == seed]
    room = min(BAR, page.width - INDENT - BESIDE)
    table = borderless(["rate", "loss", " ", *(["  "] if room > 0 else [])], left=(" ", "  "))
    highest = max((one.loss for one in runs if one.loss is not None), default=1.0)
    for one in runs:
        share = 1.0 if one.loss is None or highest <= 0 else one.loss / highest
        said = outcome(report, one)
        unmoved = said in (NO_BETTER, NO_PROGRESS)
        style = STYLES["rises" if unmoved else one.status]
        drawn = Text(bar(share, room, page.glyphs) if room > 0 else "", style=style)
        said = said if room > 0 or unmoved else one.status
        table.add_row(COLUMNS["rate"](one), COLUMNS["loss"](one), Text(said), *([drawn] if room > 0 else []))
    of_draw = f" of seed {seed}" if len(report.draws) > 1 else ""
    updates = counted(max(one.updates for one in runs), "update")
    end = f"mean loss of the last {as_percent(END)} of runs of {updates}{of_draw}, by rate"
    return Group(Text(end, style="dim"), table)


def _along(report: RateReport, page: Page) -> Group:
    """The loss along the first draw's first update, a column for each rate looked at."""
    first = report.draws[0]
    start = first.first_loss or 0.0
    inside = [loss for loss in first.losses if loss is not None and loss <= start + abs(start)]
    scale = Scale(min(inside, default=0.0), max(start, *inside, min(inside, default=0.0) + 1e-9 * abs(start) + 1e-300))
    heights = [math.nan if loss is None else loss for loss in first.losses]
    line = sparkline(heights, len(heights), page.glyphs, scale)
    return Group(Text(told_along(report), style="dim"), Text(line))
