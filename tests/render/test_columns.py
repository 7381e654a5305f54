"""Columns of short cells look as rich's own table lays them out, character by character, colours included."""

import io
from itertools import product

import pytest
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.render.columns import Columns, _plain

#: Rows of two cells; what each kind of table has that others lack.
ROWS = {
    "numbers": [["1.5", "-3.2e-05"], ["12", ""]],
    "styles": [[Text("flag", style="red"), Text("▁▂█", style="dim")], [" a b ", Text(" x ")]],
    "wide characters": [["日本", "é"], ["1", "2"]],
    "no rows": [],
    "no characters": [["", ""]],
    "sentences": [["some words that have to wrap", "and others beside them"]],
    "marks": [["[bold]b[/]", ":warning:"]],
    "lines": [["one\ntwo", "a\tb"]],
    "spans": [[Text.assemble(("a", "red"), "b"), "1"]],
    "its own side": [[Text("1", justify="right"), Text("long enough")]],
}


def drawn(kind, rows, columns, gap, width, colours):
    """What a console prints of a table of this class."""
    table = kind(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(**column)
    for row in rows:
        table.add_row(*row)
    system = "standard" if colours else None
    console = Console(
        file=io.StringIO(), width=width, color_system=system, force_terminal=colours, legacy_windows=False
    )
    console.print(Padding(table, (0, 0, 0, 2)), highlight=False)
    return console.file.getvalue()


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_a_table_is_the_one_that_rich_prints(rows, colours):
    headers = [("", ""), ("name", "a b")]
    sides = [("left", "right"), ("right", "left"), ("center", "left")]
    for (one, other), (left, right), gap, width in product(headers, sides, (0, 2), (7, 40)):
        columns = [{"header": one, "justify": left, "no_wrap": True}, {"header": other, "justify": right}]
        drawn_alike = [drawn(kind, rows, columns, gap, width, colours) for kind in (Columns, Table)]
        assert drawn_alike[0] == drawn_alike[1]


def test_a_style_of_a_column_is_kept():
    columns = [{"header": "name", "style": "red"}, {"header": "value", "header_style": "bold"}]
    ours, theirs = (drawn(kind, ROWS["numbers"], columns, 2, 40, True) for kind in (Columns, Table))
    assert ours == theirs


def test_numbers_are_not_wrapped_by_rich(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a number was wrapped")

    monkeypatch.setattr(Text, "wrap", refuse)
    assert "-3.2e-05" in drawn(Columns, ROWS["numbers"], [{"header": "a"}, {"header": "b"}], 2, 40, False)


@pytest.mark.parametrize("cell", ["[b]", ":b:", "a\nb", Text.assemble(("a", "red"), "b"), Table()])
def test_what_rich_would_read_is_left_to_it(cell):
    assert _plain(cell) is None
