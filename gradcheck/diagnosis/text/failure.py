"""A report as the message of a test that fails: the verdict, its reasons, every layer."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.text.layer_table import layer_table
from gradcheck.render.layout import printed
from gradcheck.render.page import Page
from gradcheck.render.style import without_controls

#: What a line of a message may have beside the mark that pytest puts before it.
MESSAGE = Page(width=100)


def as_failure(report: Report) -> str:
    """Return the verdict, its reasons and the table of layers."""
    return printed(_parts(report), MESSAGE).strip("\n")


def _parts(report: Report) -> Iterator[RenderableType]:
    status, reasons = report.verdict.status, report.verdict.reasons
    but = ", but" if status == "healthy" else ""  # it is a remark that fails the test
    yield Text(without_controls(f"{report.config['model']} is {status}{but}" + (f": {reasons[0]}" if reasons else "")))
    yield from (Text(without_controls(f"  {reason}")) for reason in reasons[1:])
    yield ""
    yield from layer_table(report, MESSAGE, all_layers=True)
