"""How parts become lines of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from gradcheck.render.layout import Columns, Prose, aside, borderless, indented, printed, verdict_block
from gradcheck.render.page import Page

WORDS = st.text(st.sampled_from("ab1 .漢%…-"), max_size=6)


@pytest.mark.parametrize("width", range(24, 60))
def test_a_figure_and_its_percent_sign_stay_on_one_line(width):
    text = "clips in 88 % of the steps, and 30 % of the rate is lost, of 100 %"
    for part in (Prose(text), aside(text), verdict_block("lost", "red", (text,))):
        lines = printed([part], Page(width)).split("\n")
        assert all(len(line) <= width for line in lines)
        assert not any(line.lstrip().startswith("%") for line in lines)
        assert text in " ".join(" ".join(lines).split())


def test_prose_that_fits_is_what_it_was():
    assert printed([Prose("100 % of it", style="bold")], Page(60)) == "100 % of it\n"
    assert "\x1b[1m100 % of it" in printed([Prose("100 % of it", style="bold")], Page(60, colours=True))


@given(
    st.lists(st.tuples(st.sampled_from(["left", "center", "right"]), WORDS | WORDS.map(Text)), min_size=1, max_size=4),
    st.data(),
    st.integers(1, 3),
    st.integers(8, 60),
)
def test_a_table_that_fits_is_what_rich_makes_of_it(columns, data, gap, width):
    table = borderless(gap=gap)
    for justify, name in columns:
        table.add_column(name, justify=justify, no_wrap=data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(0, 3))):
        table.add_row(*data.draw(st.tuples(*[WORDS | WORDS.map(Text)] * len(columns))))
    ours = printed([indented(table)], Page(width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Columns, "__rich_console__", Table.__rich_console__)
        assert ours == printed([indented(table)], Page(width))
