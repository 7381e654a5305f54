"""A search as text: the answer, the loss along the updates, the critical rates, the table."""

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.learning_rate.cells import ALONG, COLUMNS, headline, label_of, next_command, sample
from gradcheck.learning_rate.report import RateReport
from gradcheck.render.bars import bar, sparkline
from gradcheck.render.layout import aside, borderless, indented, printed, to_copy, verdict_block
from gradcheck.render.numbers import significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT

#: Most columns of the sparkline, and of a bar.
WIDEST, BAR = 60, 24

#: Columns that a narrow page leaves out, the first of them first.
LEAST_NEEDED = ("passes", "loss there", "least at", "made at")


def as_text(report: RateReport, page: Page = PLAIN_PAGE) -> str:
    """Return a search as text for a page."""
    return printed(_parts(report, page), page)


def _parts(report: RateReport, page: Page) -> Iterator[RenderableType]:
    yield aside(headline(report))
    yield ""
    yield verdict_block(*label_of(report), report.verdict.reasons)
    if report.along:
        yield ""
        yield indented(_along(report, page))
    if any(one.critical_rate for one in report.updates):
        yield ""
        yield indented(_course(report, page))
    yield ""
    yield indented(_table(report, page.width))
    yield ""
    yield to_copy(next_command(report))


def _along(report: RateReport, page: Page) -> Table:
    """The loss along the updates by rate: how it changes, and along how many updates it rises."""
    marks = _marks(report)
    table = borderless([*ALONG, "", " "], left=("", " "))
    room = max(4, min(BAR, page.width - INDENT - 50))
    for one in report.along:
        drawn = Text(bar(one.risen, room, page.glyphs) if one.risen else "", style="red")
        table.add_row(*(cell(one) for cell in ALONG.values()), Text(marks.get(one.rate, ""), style="bold"), drawn)
    return table


def _marks(report: RateReport) -> dict[float, str]:
    """Return rate ↦ what it is, of the rates shown that are nearest to the best one and to the ceiling."""
    answer = report.answer
    if answer is None:
        return {}

    def nearest(rate: float) -> float:
        return min((one.rate for one in report.along), key=lambda at: abs(math.log(at / rate)))

    best, ceiling = nearest(answer.best_rate), nearest(answer.ceiling)
    return {ceiling: "ceiling", best: "best" if best != ceiling else "best, ceiling"}


def _course(report: RateReport, page: Page) -> Group:
    """The critical rates of the first draw's updates on a log scale."""
    first = report.updates[0].seed
    rates = [one.critical_rate for one in report.updates if one.seed == first]
    known = [rate for rate in rates if rate]
    logarithms = [math.log10(rate) if rate else None for rate in rates]
    title = f"critical rate, updates 1 to {len(rates)}: {significant(min(known))} … {significant(max(known))}"
    line = sparkline(logarithms, min(WIDEST, page.width - INDENT), page.glyphs)
    return Group(Text(title, style="dim"), Text(line))


def _table(report: RateReport, width: int) -> Group:
    first = report.updates[0].seed
    updates = [one for one in report.updates if one.seed == first]
    shown = sample(updates)
    names = list(COLUMNS)
    for name in LEAST_NEEDED:
        if INDENT + sum(len(one) + 2 for one in names) > width:
            names.remove(name)
    table = borderless(names)
    for one in shown:
        table.add_row(*(COLUMNS[name](one) for name in names))
    if len(shown) == len(report.updates):
        return Group(table)
    of_draw = f" of seed {first}" if len(report.draws) > 1 else ""
    return Group(table, Text(f"{len(shown)} of {len(updates)} updates{of_draw}; --format csv has all", style="dim"))
