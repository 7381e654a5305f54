"""Text in columns, by way of rich: what the pages of several rooms are built of, and the string that it becomes."""

import io
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.containers import Lines
from rich.padding import Padding
from rich.segment import Segment
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


class Columns(Table):
    """A table without lines. Rows that fit and have no colours are joined as they are: rich takes four times longer."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the rows."""
        rows = None if console.color_system else self._joined(console, options.max_width)
        if not rows:
            yield from super().__rich_console__(console, options)
        for row in rows or ():
            yield Segment(row)
            yield Segment.line()

    def _joined(self, console: Console, room: int) -> list[str] | None:
        """Return the rows as rich would lay them out, None if one has to be broken."""
        columns = [_words(console, (one.header, *one.cells)) for one in self.columns]
        widths, gap = [max(map(cell_len, words)) for words in columns], self.padding[1]
        used = sum(widths) + gap * (len(widths) - 1) + (widths[-1:] == [0])  # an empty column takes one at the end
        if used > room or any(set("\n\t") & set("".join(words)) for words in columns):
            return None
        filled = (
            [_filled(word, width, one.justify) for word in words]
            for words, width, one in zip(columns, widths, self.columns, strict=True)
        )
        return [(" " * gap).join(row) for row in zip(*filled, strict=True)]


def _words(console: Console, cells: Iterable[RenderableType]) -> list[str]:
    """Return the cells as plain text."""
    texts = (console.render_str(cell) if isinstance(cell, str) else cell for cell in cells)
    return [text.plain for text in texts if isinstance(text, Text)]


def _filled(word: str, width: int, justify: str) -> str:
    """Return a word with as many blanks as its column has room for."""
    kept = word if justify == "left" else word.rstrip()
    blanks = width - cell_len(kept)
    before = {"left": 0, "center": blanks // 2}.get(justify, blanks)
    return " " * before + kept + " " * (blanks - before)


def borderless(names: Iterable[str] = (), left: Collection[str] = (), gap: int = 2) -> Columns:
    """Return an empty table without lines: a column of numbers for each name, of words for each in `left`."""
    table = Columns(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
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
