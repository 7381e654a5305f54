"""A log that grows, as it is shown while it does."""

from collections.abc import Iterator

from rich.console import Group, RenderableType

from gradcheck.logs.report import LogReport
from gradcheck.logs.text import curves, headline, latest, verdict
from gradcheck.render.layout import aside
from gradcheck.render.page import Page


def live_view(report: LogReport, page: Page) -> RenderableType:
    """Return the latest numbers, the curves and the verdict so far."""
    return Group(*_parts(report, page))


def _parts(report: LogReport, page: Page) -> Iterator[RenderableType]:
    yield aside(headline(report))
    yield latest(report)
    yield from curves(report, page)
    yield ""
    yield verdict(report)
    yield aside("  watching; Ctrl-C ends it with the whole report")
