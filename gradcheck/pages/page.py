"""What a page for a browser holds: words, charts and tables, as plain data. Nothing here is HTML."""

from typing import Any, Literal

from gradcheck.base.record import Record, item
from gradcheck.render.style import LOG_STYLES, STYLES

#: How a column's values are shown: a power is given by its logarithm, a flag has a colour.
Kind = Literal["text", "number", "power", "share", "chance", "whole", "flag"]

#: A value of a cell: None is no number, a text beside numbers stands for itself.
Cell = float | str | None


class Axis(Record):
    """One axis of a chart."""

    label: str
    log: bool = item("the values are logarithms, and are shown as powers of ten", default=False)
    names: tuple[str, ...] | None = item("what the values 1, 2, … are called", default=None)


class Line(Record):
    """A course."""

    name: str
    x: tuple[float | None, ...]
    y: tuple[float | None, ...] = item("None: a gap")
    low: tuple[float | None, ...] | None = item("the lower edge of the band around it", default=None)
    high: tuple[float | None, ...] | None = item(default=None)
    tone: str | None = item("a name of a colour in STYLES; None: the next of the palette", default=None)
    dashed: bool = item("what is predicted, not measured", default=False)
    dots: bool = item("points without a line between them", default=False)


class Span(Record):
    """A part of the horizontal axis: a region, or a finding."""

    start: float
    end: float
    label: str
    tone: str


class Limit(Record):
    """A threshold, as a line across the chart."""

    value: float
    label: str


class Chart(Record):
    """Courses over a common axis."""

    kind: str = item(default="lines")
    title: str
    about: str = item("what it shows, in a sentence; read out where nobody sees it")
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    spans: tuple[Span, ...] = item(default=())
    limits: tuple[Limit, ...] = item(default=())
    table: str | None = item("the table whose rows are the values of x, 1 the first", default=None)
    group: str | None = item("charts of a group are zoomed together", default=None)
    wide: bool = item(default=False)


class HeatMap(Record):
    """A quantity over two axes, as colours."""

    kind: str = item(default="heat")
    title: str
    about: str
    x: Axis
    y: Axis
    value: Axis = item("what the colour means")
    first: float = item("where the first column begins", default=0)
    last: float = item("where the last column ends")
    cells: tuple[tuple[Cell, ...], ...] = item("a line for each value of y, the first on top")
    lines: tuple[Line, ...] = item("drawn over it; the middle of the first cell is at half a cell", default=())
    group: str | None = item(default=None)
    wide: bool = item(default=True)


class Pivot(Record):
    """A heat map of a table: two of its columns span it, a third is its colour. The reader chooses the two."""

    kind: str = item(default="pivot")
    title: str
    about: str
    table: str
    choices: tuple[str, ...] = item("titles of columns that may span it; the first two do at first")
    colour: str = item("title of the column whose median is the colour, 0 to 1")
    flag: str = item("title of the column whose letter is in the cell")
    letters: dict[str, str]
    wide: bool = item(default=True)


class Column(Record):
    """One column of a table, its cells from top to bottom."""

    title: str
    kind: Kind
    meaning: str = item(default="")
    cells: tuple[Cell, ...]


class Table(Record):
    """Rows that can be sorted and filtered."""

    name: str = item("by which charts refer to it")
    title: str
    columns: tuple[Column, ...]


class Note(Record):
    """A finding, a remedy, a conclusion: words with a label."""

    label: str
    tone: str
    heading: str
    text: str = item(default="")
    advice: tuple[str, ...] = item(default=())
    code: str = item("to be copied", default="")


class HtmlPage(Record):
    """A report as it is laid out, from top to bottom."""

    command: str
    heading: str = item("what was run or read, in one line")
    label: str = item("the verdict in a word or two")
    tone: str
    reasons: tuple[str, ...] = item("the verdict in sentences, the most important first")
    warnings: tuple[str, ...] = item(default=())
    charts: tuple[Any, ...] = item("Chart, HeatMap or Pivot", default=())
    notes_title: str = item(default="")
    notes: tuple[Note, ...] = item(default=())
    tables: tuple[Table, ...] = item(default=())
    commands: tuple[str, ...] = item("what to type next", default=())


def tone(style: str) -> str:
    """Return the tone of a style of text: ``bold red`` is red, ``dim`` is grey."""
    return style.split()[-1].replace("dim", "grey")


def tone_of(status: str) -> str:
    """Return the tone of a flag, a verdict or a finding."""
    return tone(STYLES.get(status) or LOG_STYLES[status])
