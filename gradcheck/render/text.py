"""Text for a terminal: the verdict first, then the picture, the table and what to do."""

import io
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.render.advice import advice
from gradcheck.render.bars import ASCII, BLOCKS
from gradcheck.render.heading import what_was_run
from gradcheck.render.layer_table import layer_table
from gradcheck.render.numbers import percent
from gradcheck.render.picture import picture
from gradcheck.render.style import INDENT, STYLES, can_show_blocks, in_ascii, without_controls
from gradcheck.report import Report


class Terminal(NamedTuple):
    """Where text is shown: its width, its encoding, and one of rich's colour systems or None."""

    width: int = 80
    encoding: str = "utf-8"
    color_system: str | None = None


PLAIN_TERMINAL = Terminal()


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
    blocks = can_show_blocks(terminal.encoding)
    console = Console(
        file=io.StringIO(),
        width=terminal.width,
        color_system=cast(Any, terminal.color_system),
        force_terminal=terminal.color_system is not None,
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        for part in _parts(report, terminal.width, all_layers, blocks):
            console.print(part, soft_wrap=getattr(part, "no_wrap", None) is True)
    text = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    return text if blocks else in_ascii(text)


def _parts(report: Report, width: int, all_layers: bool, blocks: bool) -> Iterator[RenderableType]:
    glyphs = BLOCKS if blocks else ASCII
    yield Text(without_controls(what_was_run(report.config)), style="dim")
    yield ""
    yield _verdict(report)
    yield ""
    yield Padding(picture(report, width - 2 * INDENT, glyphs), (0, 0, 0, INDENT))
    yield ""
    yield from layer_table(report, width, glyphs, all_layers)
    yield from advice(report)


def _verdict(report: Report) -> Padding:
    """The verdict in one word, its reasons beside it."""
    verdict = report.verdict
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    label = Text(f" {verdict.status.upper()} ", style=f"reverse {STYLES[verdict.status]}")
    reasons = [*verdict.reasons, f"plain SGD trains it with probability {percent(verdict.score)}"]
    for index, reason in enumerate(reasons):
        table.add_row(label if index == 0 else "", Text(reason, style="bold" if index == 0 else ""))
    return Padding(table, (0, 0, 0, 1))
