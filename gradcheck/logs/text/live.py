"""A growing log, as it is shown while it is watched."""

from rich.console import Group

from gradcheck.logs.report import LogReport
from gradcheck.logs.text import curves, heading, latest, verdict
from gradcheck.render.layout import aside
from gradcheck.render.page import Page


def live_view(report: LogReport, page: Page) -> Group:
    """Return the latest numbers, the curves and the verdict so far."""
    end = aside("  watching; Ctrl-C ends it with the whole report")
    return Group(aside(heading(report)), latest(report), *curves(report, page), "", verdict(report), end)
