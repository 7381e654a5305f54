"""Text in columns, by way of rich: what the pages of several rooms are built of, and the string that it becomes."""

import io
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.containers import Lines
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.render.page import Page
from gradcheck.render.style import INDENT, without_controls

#: Stands for the blank before a percent sign while lines are broken: no character of any text.
_GLUE = "\ue000"


class Prose(Text):
    """Sentences that wrap: a figure and its percent sign stay together."""

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:  # noqa: ANN401
        """Return the lines, no wider than `width`."""
        glued = self.copy()
        glued.plain = glued.plain.replace(" %", f"{_GLUE}%")
        lines = Text.wrap(glued, console, width, **options)
        for line in lines:
            line.plain = line.plain.replace(_GLUE, " ")
        return lines


def printed(parts: Iterable[RenderableType], page: Page) -> str:
    """Return the parts as text, one below the other, in characters that the page can show."""
    console = Console(
        file=io.StringIO(),
        width=page.width,
        color_system="standard" if page.colours else None,
        force_terminal=page.colours,
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        for part in parts:
            kept = Group(part) if isinstance(part, Prose) else part  # or its own way to wrap is lost
            console.print(kept, soft_wrap=getattr(part, "no_wrap", None) is True)
    return page.readable("\n".join(line.rstrip() for line in capture.get().split("\n")))


def borderless(names: Iterable[str] = (), left: Collection[str] = (), gap: int = 2) -> Table:
    """Return an empty table without lines: a column of numbers for each name, of words for each in `left`."""
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


def beside() -> Table:
    """Return an empty table of two columns: a word, and sentences beside it that wrap under themselves."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def indented(part: RenderableType, indent: int = INDENT) -> Padding:
    """Return a part in from the edge."""
    return Padding(part, (0, 0, 0, indent))


def verdict_block(label: str, colour: str, reasons: Sequence[str]) -> Padding:
    """Return the verdict in a few words, its reasons beside it, the first of them bold."""
    table = beside()
    for index, reason in enumerate(reasons):
        mark = "" if index else Text(f" {label.upper()} ", style=f"reverse {colour}")
        table.add_row(mark, Prose(reason, style="" if index else "bold"))
    return indented(table, 1)


def aside(text: str) -> Text:
    """Return a dim line."""
    return Prose(without_controls(text), style="dim")


def to_copy(text: str) -> Text:
    """Return a command to type: on one line whatever its length, to be copied."""
    return Text(" " * INDENT + without_controls(text), style="dim", no_wrap=True)
