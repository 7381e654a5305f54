import pytest

from gradcheck.diagnosis.regression import Move, Regression
from gradcheck.diagnosis.text.regression import as_text
from gradcheck.render.page import Page


def move(name, before, after, tolerance=0.1):
    if before is None or after is None:
        return Move(name, before, after, None, before is not after)
    return Move(name, before, after, after - before, abs(after - before) > tolerance)


def text(*moves, before="healthy", after="healthy", only_before=(), only_after=(), width=120, **terminal):
    regression = Regression(list(moves), list(only_before), list(only_after), before, after, 0.1)
    return as_text(regression, Page(width, **terminal))


def test_nothing_moved_is_one_line():
    assert text(move("hidden 1", -1.0, -1.05)) == (
        "  NO REGRESSION   healthy → healthy, 0 of 1 layers moved by more than 0.1 decades\n"
    )


def test_a_moved_layer_shows_then_now_and_by_how_much():
    found = text(move("hidden 1", -1.0, -3.25), move("hidden 2", -1.0, -1.0))
    assert found.splitlines()[0].startswith("  REGRESSION   healthy → healthy, 1 of 2 layers")
    assert found.splitlines()[-1].split() == ["hidden", "1", "-1.00", "-3.25", "-2.25"]
    assert "hidden 2" not in found


def test_a_worse_verdict_is_a_regression_even_if_no_layer_moved():
    assert text(move("hidden 1", -1.0, -1.0), after="dead").startswith("  REGRESSION   healthy → dead, 0 of 1")


def test_a_gradient_that_went_is_a_dash_and_stands_first():
    found = text(move("a", -1.0, -9.0), move("b", -1.0, None), move("c", None, -2.0))
    assert [line.split() for line in found.splitlines()[3:]] == [
        ["b", "-1.00", "-", "-"],
        ["c", "-", "-2.00", "-"],
        ["a", "-1.00", "-9.00", "-8.00"],
    ]


def test_of_many_the_twenty_that_moved_furthest_are_shown():
    found = text(*(move(f"layer {index}", 0.0, float(index)) for index in range(1, 31)))
    *_, last = lines = found.splitlines()[3:]
    assert [line.split()[1] for line in lines[:-1]] == [str(index) for index in range(30, 10, -1)]
    assert last == "  the 20 that moved furthest of 30"


def test_layers_that_one_report_lacks_are_listed_by_name():
    found = text(only_before=["a", "b"], only_after=[f"n{index}" for index in range(9)])
    assert "  only in the baseline: a, b" in found.splitlines()
    assert "  only in the new report: n0, n1, n2, n3, n4, n5, n6, n7 …" in found.splitlines()


@pytest.mark.parametrize("name", ["[/a]", "[red]x", ":smile:"])
def test_a_layer_s_name_is_no_markup(name):
    found = text(move(name, 0.0, 1.0), only_before=[name])
    assert found.count(name) == 2


def test_a_layer_s_control_characters_are_shown_instead_of_obeyed():
    found = text(move("a\033[2J\nb", 0.0, 1.0), only_after=["a\033[2J\nb"])
    assert "\033" not in found
    assert found.count("a\\x1b[2J\\nb") == 2


def test_colour_only_where_the_terminal_has_it():
    assert "\033[" in text(move("a", 0.0, 1.0), colours=True)
    assert "\033" not in text(move("a", 0.0, 1.0))


def test_a_terminal_without_blocks_gets_ascii():
    assert text(move("a", 0.0, 1.0), only_before=list("abcdefghij"), encoding="ascii").isascii()


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width):
    found = text(move("encoder.block.3.attention.projection", 0.0, 1.0), only_before=["x" * 9] * 9, width=width)
    assert max(map(len, found.splitlines())) <= width


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (["hidden 1", "hidden 2"], "layer"),
        (["step 1", "step 2"], "step"),
        (["block 1 attention", "block 1 mlp"], "flow point"),
    ],
)
def test_what_moved_is_called_as_in_the_reports(names, unit):
    found = text(*(move(name, 0.0, 1.0) for name in names))
    assert found.splitlines()[0].endswith(f"2 of 2 {unit}s moved by more than 0.1 decades")
    assert found.splitlines()[2].split("  ")[1].strip() == unit
    assert [line.split("   ")[0].strip() for line in found.splitlines()[3:]] == names


@pytest.mark.parametrize("other", ["hidden 1", "step 1"])
def test_what_a_transformer_and_another_network_have_in_common_is_called_a_layer(other):
    found = text(only_before=["block 1 attention"], only_after=[other])
    assert "0 of 0 layers moved" in found
    assert "0 of 0 flow points moved" in text(only_before=["block 1 attention"], only_after=["block 9 mlp"])
