import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from gradcheck.diagnosis.status import NETWORK_STATUSES as STATUSES
from gradcheck.render.style import STYLES
from gradcheck.sweep.text.heat_map import LETTERS, heat_map, legend


def row(index, status="healthy", span=0.5, error=None, **options):
    return {"index": index, "options": options, "status": status, "gradient_span": span, "error": error}


def shown(renderable, width=80, **how):
    """What a console of this width prints, line by line."""
    console = Console(file=io.StringIO(), width=width, **{"color_system": None, **how})
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def grid(downs, acrosses, **names):
    return [
        row(index, **{names.get("down", "depth"): down, names.get("across", "init"): across})
        for index, (down, across) in enumerate((down, across) for down in downs for across in acrosses)
    ]


def test_every_verdict_and_an_error_have_a_letter_of_their_own_and_a_colour():
    assert set(LETTERS) == {*STATUSES, "error"} <= set(STYLES)
    assert len(set(LETTERS.values())) == len(LETTERS)


def test_one_option_runs_down_the_other_across_in_the_grid_s_order():
    rows = grid((12, 2), ("xavier", "he"))
    header, first, second = shown(heat_map(rows[::-1], "depth", "init"))
    assert header.split() == ["depth", "\\", "init", "xavier", "he"]
    assert (first.split()[0], second.split()[0]) == ("12", "2")


def test_a_cell_has_the_letter_and_the_span():
    rows = [
        row(0, "healthy", 0.25, depth=2, init="he"),
        row(1, "vanishing", 33.7, depth=2, init="xavier"),
        row(2, "nonfinite", None, depth=3, init="he"),
        row(3, None, None, "too deep", depth=3, init="xavier"),
    ]
    _, first, second = shown(heat_map(rows, "depth", "init"))
    assert first.split() == ["2", "H", "0.25", "V", "34"]
    assert second.split() == ["3", "N", "!"]


def test_a_row_that_is_missing_is_an_empty_cell():
    rows = grid((2, 3), ("he", "xavier"))
    _, first, second = shown(heat_map(rows[:3], "depth", "init"))
    assert (first.count("H"), second.count("H")) == (2, 1)


def test_without_colour_the_letters_carry_it_and_with_it_nothing_else_changes():
    rows = [row(index, status, 1.0, depth=index, init="he") for index, status in enumerate(STATUSES)]
    plain = shown(heat_map(rows, "depth", "init"))
    coloured = shown(heat_map(rows, "depth", "init"), color_system="standard", force_terminal=True)
    assert "\033" not in "".join(plain)
    assert [re.sub(r"\033\[[\d;]*m", "", line).rstrip() for line in coloured] == plain
    assert all("\033[" in line for line in coloured[1:])
    assert [line.split()[1] for line in plain[1:]] == [LETTERS[status] for status in STATUSES]


@pytest.mark.parametrize(
    ("values", "words"),
    [((False, True), ["no", "yes"]), ((0.5, 1.0), ["0.5", "1"]), ((10, 100), ["10", "100"])],
)
def test_values_are_said_as_one_types_them(values, words):
    header, *lines = shown(heat_map(grid(values, values, down="a_b", across="c"), "a_b", "c"))
    assert header.split() == ["a-b", "\\", "c", *words]
    assert [line.split()[0] for line in lines] == words


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_option_with_more_values_runs_down_the_side(width):
    rows = grid((2, 12), [f"activation{number}" for number in range(13)])
    head, *lines, _ = [line.split() for line in shown(heat_map(rows, "depth", "init"), width)] + [[]]
    assert head[-2:] == ["2", "12"]
    assert [line[0] for line in lines] == [f"activation{number}" for number in range(13)]
    assert all(line.count("H") == 2 for line in lines)


@pytest.mark.parametrize("name", ["[/a].npy", "[red]x.npy", ":smile:.npy"])
def test_a_file_s_name_is_no_markup(name):
    for rows in (grid((name, "x"), (2, 3)), grid((2, 3), (name, "x"))):
        assert name in "\n".join(shown(heat_map(rows, "depth", "init")))


def test_a_file_s_control_characters_are_shown_instead_of_obeyed():
    for rows in (grid(("a\033[2Jb", "x"), (2, 3)), grid((2, 3), ("a\033[2Jb", "x"))):
        assert "\033" not in "\n".join(shown(heat_map(rows, "depth", "init")))


def test_the_legend_explains_the_letters_that_are_there():
    found = legend([row(0, "healthy"), row(1, "dead"), row(2, None, None, "no")])
    assert isinstance(found, Text)
    assert found.plain.strip() == "H healthy, D dead, ! error, each with its gradient span in decades"
