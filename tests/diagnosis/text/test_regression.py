import pytest

from gradcheck.diagnosis.regression import compare_reports
from gradcheck.diagnosis.text.regression import as_text
from gradcheck.render.page import Page


def of(gradients, status):
    layers = [{"name": name, "log10_gradient_rms": value} for name, value in gradients.items()]
    return {"layers": layers, "verdict": {"status": status}}


def text(moves=(), before="healthy", after="healthy", only_before=(), only_after=(), width=120, **terminal):
    """A comparison of two networks: layer ↦ its log10 gradient, then and now."""
    old = {name: then for name, (then, _) in dict(moves).items()} | dict.fromkeys(only_before, 0.0)
    new = {name: now for name, (_, now) in dict(moves).items()} | dict.fromkeys(only_after, 0.0)
    return as_text(compare_reports(of(old, before), of(new, after), 0.1), Page(width, **terminal))


def test_nothing_moved_is_one_line():
    assert text({"hidden 1": (-1.0, -1.05)}) == (
        "  NO REGRESSION   healthy → healthy, 0 of 1 layers moved by more than 0.1 decades\n"
    )


def test_a_moved_layer_shows_then_now_and_by_how_much():
    found = text({"hidden 1": (-1.0, -3.25), "hidden 2": (-1.0, -1.0)})
    assert found.splitlines()[0].startswith("  REGRESSION   healthy → healthy, 1 of 2 layers")
    assert found.splitlines()[-1].split() == ["hidden", "1", "-1.00", "-3.25", "-2.25"]
    assert "hidden 2" not in found


def test_a_worse_verdict_is_a_regression_even_if_no_layer_moved():
    assert text({"hidden 1": (-1.0, -1.0)}, after="dead").startswith("  REGRESSION   healthy → dead, 0 of 1")


def test_a_gradient_that_went_is_a_dash_and_stands_first():
    found = text({"a": (-1.0, -9.0), "b": (-1.0, None), "c": (None, -2.0)})
    assert [line.split() for line in found.splitlines()[3:]] == [
        ["b", "-1.00", "-", "-"],
        ["c", "-", "-2.00", "-"],
        ["a", "-1.00", "-9.00", "-8.00"],
    ]


def test_of_many_the_twenty_that_moved_furthest_are_shown():
    found = text({f"layer {index}": (0.0, float(index)) for index in range(1, 31)})
    *_, last = lines = found.splitlines()[3:]
    assert [line.split()[1] for line in lines[:-1]] == [str(index) for index in range(30, 10, -1)]
    assert last == "  the 20 that moved furthest of 30"


def test_layers_that_one_report_lacks_are_listed_by_name():
    found = text({"c": (0.0, 0.0)}, only_before=["a", "b"], only_after=[f"n{index}" for index in range(9)])
    assert "  only in the baseline: a, b" in found.splitlines()
    assert "  only in the new report: n0, n1, n2, n3, n4, n5, n6, n7 …" in found.splitlines()


@pytest.mark.parametrize("name", ["[/a]", "[red]x", ":smile:"])
def test_a_layer_s_name_is_no_markup(name):
    found = text({name: (0.0, 1.0)}, only_before=[name + "!"])
    assert found.count(name) == 2


def test_a_layer_s_control_characters_are_shown_instead_of_obeyed():
    found = text({"a\033[2J\nb": (0.0, 1.0)}, only_after=["!a\033[2J\nb"])
    assert "\033" not in found
    assert found.count("a\\x1b[2J\\nb") == 2


def test_colour_only_where_the_terminal_has_it():
    assert "\033[" in text({"a": (0.0, 1.0)}, colours=True)
    assert "\033" not in text({"a": (0.0, 1.0)})


def test_a_terminal_without_blocks_gets_ascii():
    assert text({"a": (0.0, 1.0)}, only_before=list("abcdefghij"), encoding="ascii").isascii()


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal(width):
    found = text({"encoder.block.3.attention.projection": (0.0, 1.0)}, only_before=["x" * 9] * 9, width=width)
    assert max(map(len, found.splitlines())) <= width


@pytest.mark.parametrize(("arch", "unit"), [("mlp", "layer"), ("gru", "step"), ("transformer", "flow point")])
def test_what_moved_is_called_as_in_the_reports(arch, unit):
    old, new = (of({"a": value, "b": value}, "healthy") | {"config": {"arch": arch}} for value in (0.0, 1.0))
    found = as_text(compare_reports(old, new, 0.1), Page(120))
    assert found.splitlines()[0].endswith(f"2 of 2 {unit}s moved by more than 0.1 decades")
    assert found.splitlines()[2].split("  ")[1].strip() == unit
