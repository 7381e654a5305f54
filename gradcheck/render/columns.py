"""A table of cells of one line each, laid out without the wrapping that none of them needs."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import StyleType
from rich.table import Column, Table
from rich.text import Text

#: Where a column's cells may stand.
_SIDES = "left", "right"

#: A cell's characters, and their style.
_Cell = tuple[str, StyleType]


class Columns(Table):
    """A table without lines: what rich prints, to the byte, in a fraction of the time where every cell fits as it is.

    Rich measures, wraps, pads and crops each cell by itself, also where it is a number.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return one line after the other; where something has to be wrapped or cut, rich's own."""
        columns = [[_plain(cell) for cell in (column.header, *column.cells)] for column in self.columns]
        found = [[cell for cell in column if cell] for column in columns]
        widths = [max((cell_len(text) for text, _ in column), default=0) for column in found]
        gap, styled = self.padding[1], any(map(_is_styled, self.columns))
        narrowest = [int(gap == 0)] * len(widths[1:]) + [1]  # rich leaves no column without room
        widths = [*map(max, widths, narrowest)]
        if styled or found != columns or not widths or sum(widths) + gap * (len(widths) - 1) > options.max_width:
            yield from super().__rich_console__(console, options)
            return
        rows = list(zip(*found, strict=True))
        if self.show_header:
            yield from self._line(rows[0], widths, console, self.header_style)
        for row in rows[1:]:
            yield from self._line(row, widths, console, "")

    def _line(self, row: Sequence[_Cell], widths: Sequence[int], console: Console, style: StyleType) -> RenderResult:
        shared, gap = console.get_style(style or ""), self.padding[1]
        for place, ((text, own), width, column) in enumerate(zip(row, widths, self.columns, strict=True), 1):
            yield Segment(_aligned(text, width, column), shared + console.get_style(own))
            if place < len(row) and gap:
                yield Segment(" " * gap, shared)
        yield Segment.line()


def _plain(cell: RenderableType) -> _Cell | None:
    """Characters that stand as they are, in one style; nothing where rich might read, break or align them anew."""
    style: StyleType = ""
    if isinstance(cell, str):
        text, marked = cell, "[" in cell or ":" in cell
    elif type(cell) is Text:
        text, style, marked = cell.plain, cell.style, bool(cell.spans or cell.justify)
    else:
        return None
    return None if marked or not text.isprintable() else (text, style)


def _is_styled(column: Column) -> bool:
    return bool(column.style or column.header_style) or column.justify not in _SIDES


def _aligned(text: str, width: int, column: Column) -> str:
    if column.justify == "right":
        text = text.rstrip()
        return " " * (width - cell_len(text)) + text
    return text + " " * (width - cell_len(text))
