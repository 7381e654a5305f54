"""How parts become lines of text."""

import pytest

from gradcheck.render.layout import Prose, aside, printed, verdict_block
from gradcheck.render.page import Page


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
