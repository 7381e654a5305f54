import re

import pytest

from gradcheck.render.bars import ASCII, BLOCKS
from gradcheck.render.page import Page
from gradcheck.spec.grid import Grid
from gradcheck.sweep.comparison import Comparison
from gradcheck.sweep.text import as_text, said

GRID = Grid({"depth": [2, 3, 4], "activation": ["tanh", "relu"], "residual": [False, True], "width": 8})


def row(index, options, **more):
    return {
        "index": index, "options": options, "status": "healthy", "trainable": True, "score": 0.9 - index / 100,
        "flags": ["ok"], "gradient_span": 0.5 + index, "mean_local_gain": 0.9, "effective_rank_last": 3.0,
        "mean_local_gain_low": 0.8, "mean_local_gain_high": 1.0,
        "log10_gradient": [-3.0, -1.0 - index / 10], "error": None, **more,
    }  # fmt: skip


def failed(index, options, error="too deep"):
    return dict.fromkeys(row(0, {})) | {"index": index, "options": options, "error": error}


def comparison(grid=GRID, changes=None, seeds=3):
    return made(grid, [row(index, one, **(changes or {}).get(index, {})) for index, one in enumerate(grid)], seeds)


def made(grid, rows, seeds=1):
    return Comparison(grid, {"seeds": seeds, "seed": 0}, lambda finished: iter(rows[len(finished) :]))


def lines(text):
    """The table's lines: place, verdict and the rest."""
    return re.findall(r"^ +(\d+)  (\w+) +(.*)$", text, re.MULTILINE)


def test_the_first_line_says_what_was_run():
    first, *_ = as_text(comparison()).splitlines()
    assert first == "12 networks: 3 depth × 2 activation × 2 residual · --width 8 · 3 seeds each"


@pytest.mark.parametrize(("seeds", "words"), [(1, "1 seed each"), (2, "2 seeds each")])
def test_seeds_are_counted_in_english(seeds, words):
    assert as_text(comparison(seeds=seeds)).splitlines()[0].endswith(f" {words}")


def test_one_network_is_one():
    assert as_text(comparison(Grid({"depth": 2}))).startswith("1 network: ")


def test_verdicts_are_counted():
    changes = {index: {"status": "vanishing"} for index in range(4)} | {11: {"status": None, "error": "no"}}
    assert "  7 healthy   4 vanishing   1 error" in as_text(comparison(changes=changes)).splitlines()


def test_an_error_is_said_without_the_advice_that_would_fill_the_column():
    rows = [row(0, {"depth": 2}), failed(1, {"depth": 3}, "--depth 3 is odd; those that are not: 2, 4, 6, 8")]
    *_, (_, verdict, rest) = lines(as_text(made(Grid({"depth": [2, 3]}), rows), Page(160)))
    assert verdict == "error"
    assert rest.endswith("depth 3: --depth 3 is odd")


def test_the_best_row_has_all_options_and_the_others_what_differs():
    found = lines(as_text(comparison(), Page(160)))
    assert [place for place, *_ in found] == [str(place) for place in range(1, 13)]
    assert found[0][2].endswith("depth 2, width 8, tanh, no residual")
    assert found[1][2].endswith("██  residual") or found[1][2].endswith("  residual")
    assert found[-1][2].endswith("  depth 4, relu, residual")


def test_a_row_shows_score_span_gain_with_its_band_and_rank():
    _, _, first = lines(as_text(comparison(), Page(160)))[0]
    assert first.split()[:5] == ["90%", "0.50", "0.900", "±0.1", "3.0"]


def test_numbers_that_do_not_exist_are_dashes_and_an_infinite_span_says_so():
    change = {"status": "dead", "gradient_span": None, "mean_local_gain": None, "effective_rank_last": None}
    change |= {"mean_local_gain_low": None, "mean_local_gain_high": None, "log10_gradient": [None, None]}
    _, status, rest = lines(as_text(comparison(Grid({"depth": 2}), {0: change})))[0]
    assert status == "dead"
    assert rest.split()[1:5] == ["inf", "-", "-", "××"]


def test_sparklines_share_one_scale():
    changes = {0: {"log10_gradient": [-9.0, -9.0]}, 1: {"log10_gradient": [-1.0, -5.0]}}
    text = as_text(comparison(Grid({"residual": [False, True]}), changes), Page(160))
    assert "log10 −9 … −1" in text
    assert "▁▁" in text
    assert "█▅" in text


def test_a_deep_network_s_sparkline_has_twelve_columns():
    text = as_text(comparison(Grid({"depth": 500}), {0: {"log10_gradient": [-1.0] * 500}}))
    assert "█" * 12 in text
    assert "█" * 13 not in text


def test_an_error_stands_last_with_what_was_wrong():
    rows = [failed(0, {"depth": 2}), row(1, {"depth": 3})]
    found = lines(as_text(made(Grid({"depth": [2, 3]}), rows), Page(120)))
    assert [status for _, status, _ in found] == ["healthy", "error"]
    assert found[1][2].strip() == "depth 2: too deep"


def test_when_nothing_could_be_built_there_is_no_next_command():
    assert "gradcheck simulate" not in as_text(made(Grid({"depth": 2}), [failed(0, {"depth": 2})]))


def test_the_last_line_is_the_command_for_the_best_on_one_line_at_any_width():
    for width in (40, 200):
        *_, last = as_text(comparison(), Page(width)).splitlines()
        assert last == "  gradcheck simulate --depth 2 --width 8 --activation tanh --no-residual --seeds 3"


def test_two_varied_options_have_a_heat_map_above_the_table():
    text = as_text(comparison(Grid({"depth": [2, 3], "norm": ["none", "layer"]})))
    assert text.index("depth \\ norm") < text.index("verdict")
    assert "H healthy, each with its gradient span" in text


@pytest.mark.parametrize("grid", [{"depth": [2, 3]}, GRID.values])
def test_one_and_three_varied_options_have_none(grid):
    assert " \\ " not in as_text(comparison(Grid(grid)))


def test_no_more_rows_than_asked_for_and_how_to_see_the_rest():
    text = as_text(comparison(), top=5)
    assert len(lines(text)) == 5
    assert "  5 of 12 shown; --top 12 shows all" in text.splitlines()
    assert "shown" not in as_text(comparison(), top=12)


def test_groups_take_the_place_of_rows():
    text = as_text(comparison(), Page(120), group_by="activation")
    header, tanh, relu = text.splitlines()[4:7]
    assert header.split() == [
        *("activation", "rows", "healthy", "errors"), *("trains", "at", "worst"), *("span", "at", "worst")
    ]  # fmt: skip
    assert tanh.split()[:4] == ["tanh", "6", "6", "0"]
    assert relu.split()[:4] == ["relu", "6", "6", "0"]
    assert tanh.split()[-2:] == ["5.0", "9.5"]
    assert lines(text) == []


def test_a_file_s_name_is_no_markup():
    for name in ("[/a].npy", "[red]x.npy", ":smile:.npy"):
        for group_by in (None, "data"):
            grid = Grid({"data": [name, "digits"]})
            assert name in as_text(comparison(grid), Page(160), group_by=group_by), (group_by, name)


@pytest.mark.parametrize("group_by", [None, "data"])
def test_a_file_s_control_characters_are_shown_instead_of_obeyed(group_by):
    grid = Grid({"data": ["a\033[2J\nb.npy", "digits"], "depth": [2, 3]})
    text = as_text(comparison(grid), Page(160), group_by=group_by)
    assert "\033" not in text
    assert "\\x1b[2J\\nb" in text


def test_no_line_but_the_command_is_wider_than_the_terminal():
    for width in (40, 60, 80, 160):
        text = as_text(comparison(), Page(width))
        assert [line for line in text.splitlines()[:-1] if len(line) > width] == [], width
        assert [status for _, status, _ in lines(text)] == ["healthy"] * 12, width


def test_plain_terminals_get_no_colour_and_others_do():
    assert "\033" not in as_text(comparison())
    assert "\033[" in as_text(comparison(), Page(colours=True))


def test_a_terminal_without_blocks_gets_ascii():
    text = as_text(comparison(Grid({"depth": [2, 3], "norm": ["none", "layer"]})), Page(80, "ascii"))
    assert text.isascii()
    assert not set(BLOCKS.levels) & set(text)
    assert ASCII.levels[-1] in text


def test_options_are_said_in_words():
    for options, words in [
        ({"depth": 10, "activation": "relu", "init": "he", "norm": "layer"}, "depth 10, relu, he, layer norm"),
        ({"norm": "none", "residual": False}, "no norm, no residual"),
        ({"residual": True, "residual_scale": 0.5}, "residual, residual scale 0.5"),
        ({"gain": 1.0, "batch_size": 8}, "gain 1, batch size 8"),
        ({}, ""),
    ]:
        assert said(options) == words, options


def test_a_comparison_of_one_network_says_how_to_compare_several():
    text = as_text(comparison(Grid({"depth": [2]})))
    assert "give an option several values" in text
    assert all(line.startswith("  ") for line in text.splitlines()[1:] if line)
    assert "several values" not in as_text(comparison())
