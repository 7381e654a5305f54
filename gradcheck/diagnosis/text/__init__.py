"""Text for a terminal: the verdict first, then the picture, the table and what to do."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.text.advice import advice
from gradcheck.diagnosis.text.layer_table import layer_table
from gradcheck.diagnosis.text.picture import picture
from gradcheck.render.bars import Glyphs
from gradcheck.render.heading import what_was_run
from gradcheck.render.numbers import percent
from gradcheck.render.style import INDENT, STYLES, without_controls
from gradcheck.render.terminal import PLAIN_TERMINAL, Terminal, printed


def as_text(report: Report, terminal: Terminal = PLAIN_TERMINAL, *, all_layers: bool = False) -> str:
    """Return the report as text.

    Parameters
    ----------
    report : Report
    terminal : Terminal
        Where it will be shown.
    all_layers : bool
        The table shows every layer, of a deep network too.
    """
    return printed(lambda glyphs: _parts(report, terminal.width, all_layers, glyphs), terminal)


def _parts(report: Report, width: int, all_layers: bool, glyphs: Glyphs) -> Iterator[RenderableType]:
    yield Text(without_controls(what_was_run(report.config)), style="dim")
    yield ""
    yield _verdict(report)
    yield ""
    yield Padding(picture(report, width - 2 * INDENT, glyphs), (0, 0, 0, INDENT))
    yield ""
    yield from layer_table(report, width, glyphs, all_layers)
    yield from advice(report, width)


def _predicted(report: Report) -> list[str]:
    """What theory says of it, where it says anything."""
    known = report.prediction is not None and report.prediction.mean_local_gain is not None
    return [report.prediction.says] if report.prediction and known else []


def _verdict(report: Report) -> Padding:
    """The verdict in one word, its reasons beside it."""
    verdict = report.verdict
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    label = Text(f" {verdict.status.upper()} ", style=f"reverse {STYLES[verdict.status]}")
    reasons = [*verdict.reasons, *_predicted(report), f"plain SGD trains it with probability {percent(verdict.score)}"]
    for index, reason in enumerate(reasons):
        table.add_row(label if index == 0 else "", Text(reason, style="bold" if index == 0 else ""))
    return Padding(table, (0, 0, 0, 1))
