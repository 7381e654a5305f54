"""A log that grows, as it is shown while it does."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from gradcheck.logs.report import LogReport
from gradcheck.logs.text import curves, headline, latest, verdict
from gradcheck.render.bars import ASCII, BLOCKS, Glyphs
from gradcheck.render.style import can_show_blocks, without_controls


def live_view(report: LogReport, width: int, encoding: str) -> RenderableType:
    """Return the latest numbers, the curves and the verdict so far."""
    return Group(*_parts(report, width, BLOCKS if can_show_blocks(encoding) else ASCII))


def _parts(report: LogReport, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
    yield Text(without_controls(headline(report)), style="dim")
    yield latest(report)
    yield from curves(report, width, glyphs)
    yield ""
    yield verdict(report)
    yield Text("  watching; Ctrl-C ends it with the whole report", style="dim")
