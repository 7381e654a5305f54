"""The heat map of two options: a letter and a colour for the verdict, the gradient span in the cell."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from gradcheck.render.layout import aside, borderless
from gradcheck.render.numbers import significant
from gradcheck.render.style import STYLES, without_controls
from gradcheck.sweep.ranking import counts, verdict_of
from gradcheck.sweep.rows import SweepRow

LETTERS = {
    "healthy": "H", "vanishing": "V", "exploding": "E", "collapsed": "C",
    "dead": "D", "nonfinite": "N", "error": "!",
}  # fmt: skip


def heat_map(rows: Sequence[SweepRow], down: str, across: str) -> Table:
    """Return the cells of two options, one of them down the side and one across the top."""
    down, lines, across, columns, cells = arranged(rows, down, across)
    table = borderless(gap=1)
    table.add_column(f"{down.replace('_', '-')} \\ {across.replace('_', '-')}", style="dim", overflow="fold")
    for value in columns:
        table.add_column(Text(named(value)), justify="center", no_wrap=True)
    for value in lines:
        found = (cells.get((value, other)) for other in columns)
        table.add_row(Text(named(value)), *(Text("") if row is None else _cell(row) for row in found))
    return table


class Arranged(NamedTuple):
    """The rows of two options as a table."""

    down: str
    lines: list[Any]  # the values of `down`
    across: str
    columns: list[Any]
    cells: dict[tuple[Any, Any], SweepRow]  # (line, column) ↦ its row; one that isn't finished is missing


def arranged(rows: Sequence[SweepRow], down: str, across: str) -> Arranged:
    """Arrange the rows of two options; the one with more values goes down, as a screen is longer than it is wide."""
    in_order = sorted(rows, key=lambda row: row["index"])
    if len({row["options"][across] for row in rows}) > len({row["options"][down] for row in rows}):
        down, across = across, down
    lines = list(dict.fromkeys(row["options"][down] for row in in_order))
    columns = list(dict.fromkeys(row["options"][across] for row in in_order))
    return Arranged(
        down, lines, across, columns, {(row["options"][down], row["options"][across]): row for row in in_order}
    )


def named(value: object) -> str:
    """Return the value of an option as it is called."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else without_controls(str(value))


def _cell(row: SweepRow) -> Text:
    name = verdict_of(row)
    span = "" if row["gradient_span"] is None else significant(row["gradient_span"])
    return Text(f" {LETTERS[name]} {span:>4} ", style=f"reverse {STYLES[name]}")


def legend(rows: Sequence[SweepRow]) -> Text:
    """What the letters mean, of those that are there."""
    found = counts(rows)
    meanings = [f"{letter} {name}" for name, letter in LETTERS.items() if name in found]
    return aside("  " + ", ".join([*meanings, "each with its gradient span in decades"]))
