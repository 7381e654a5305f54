import math
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import OptionError
from gradcheck.spec import ACTIVATIONS, INITIALIZERS, NORMS
from gradcheck.spec.grid import MAX_ROWS, PARSERS, Grid


def values(option, text):
    return Grid.from_text({option: text}).values[option]


# ---- lists


def test_a_list_holds_its_parts_in_order():
    for option, text, expected in [
        ("depth", "10", (10,)),
        ("depth", "10,50, 3", (10, 50, 3)),
        ("gain", "0.5,1e-3", (0.5, 1e-3)),
        ("activation", "relu, tanh", ("relu", "tanh")),
        ("init", ",".join(INITIALIZERS), INITIALIZERS),
        ("norm", ",".join(NORMS), NORMS),
        ("residual", "both", (False, True)),
        ("residual", "yes", (True,)),
        ("residual", "no,yes", (False, True)),
        ("data", "digits, mine.npz", ("digits", "mine.npz")),
        ("dtype", "float32,float64", ("float32", "float64")),
    ]:
        assert values(option, text) == expected, option


def test_a_value_that_stands_twice_is_taken_once():
    assert values("depth", "3,2,3,2:4") == (3, 2, 4)


def test_lists_and_ranges_mix():
    assert values("depth", "1,10:30:10,7") == (1, 10, 20, 30, 7)


# ---- ranges


def test_a_whole_range_has_both_ends_that_it_reaches():
    for text, expected in (
        ("10:100:10", tuple(range(10, 101, 10))),
        ("10:25:10", (10, 20)),
        ("3:5", (3, 4, 5)),
        ("4:4:9", (4,)),
    ):
        assert values("depth", text) == expected, text


@given(first=st.integers(1, 500), step=st.integers(1, 50), steps=st.integers(0, 30), more=st.integers(0, 49))
def test_a_whole_range_climbs_by_its_step_up_to_its_end(first, step, steps, more):
    last = first + step * steps + more % step
    found = values("depth", f"{first}:{last}:{step}")
    assert (found[0], len(found)) == (first, steps + 1)
    assert all(after - before == step for before, after in pairwise(found))
    assert last - step < found[-1] <= last


@given(first=st.integers(-500, 500), step=st.integers(1, 300), steps=st.integers(0, 40))
def test_a_range_of_decimals_holds_the_numbers_that_one_would_type(first, step, steps):
    last = first + step * steps
    found = values("residual_scale", f"{first / 100}:{last / 100}:{step / 100}")
    assert found == tuple((first + index * step) / 100 for index in range(steps + 1))


@given(
    first=st.floats(1e-6, 1e3),
    factor=st.floats(1.1, 1e3),
    count=st.integers(2, 40),
)
def test_log_spacing_has_one_ratio_and_both_ends(first, factor, count):
    last = first * factor
    found = values("gain", f"{first!r}:{last!r}:{count}log")
    assert (found[0], found[-1], len(found)) == (first, last, count)
    assert list(found) == sorted(found)
    ratio = (last / first) ** (1 / (count - 1))
    assert all(math.isclose(after / before, ratio, rel_tol=3e-5) for before, after in pairwise(found))


@given(first=st.integers(-5000, 5000), length=st.integers(1, 5000), count=st.integers(2, 40))
def test_lin_spacing_has_one_step_and_both_ends(first, length, count):
    first, last = first / 1000, (first + length) / 1000
    found = values("residual_scale", f"{first!r}:{last!r}:{count}lin")
    assert (found[0], found[-1], len(found)) == (first, last, count)
    step = (last - first) / (count - 1)
    assert all(
        math.isclose(after - before, step, rel_tol=1e-3, abs_tol=3e-6 * max(abs(first), abs(last)))
        for before, after in pairwise(found)
    )


def test_the_issue_s_example_has_six_values_from_end_to_end():
    found = values("gain", "0.5:3.0:6log")
    assert (len(found), found[0], found[-1]) == (6, 0.5, 3.0)


def test_log_spacing_may_span_many_decades():
    assert values("gain", "1:1000000:3log") == (1.0, 1000.0, 1000000.0)


# ---- bad input


def test_bad_text_is_refused_with_the_option_and_what_would_be_right(error_of):
    for option, text, words in [
        ("depth", "", "''"),
        ("depth", "3,,4", "''"),
        ("depth", "2.5", "2.5"),
        ("depth", "10:5:1", "reversed"),
        ("depth", "1:9:0", "step"),
        ("depth", "1:9:-1", "step"),
        ("depth", "1:2:3:4", "first:last:step"),
        ("depth", "1:9:log", "range"),
        ("depth", "0", "at least 1"),
        ("depth", "0:3", "at least 1"),
        ("depth", "1:1000000", "100,000"),
        ("depth", f"1:1{400 * '0'}", "range"),
        ("width", "-8", "at least 1"),
        ("batch_size", "0", "at least 1"),
        ("gain", "", "''"),
        ("gain", "1:2", "first:last:step"),
        ("gain", "2:1:0.5", "reversed"),
        ("gain", "2:1:5log", "reversed"),
        ("gain", "1:2:0", "step"),
        ("gain", "1:nan:1", "range"),
        ("gain", "1:inf:1", "range"),
        ("gain", "0:2:5log", "above 0"),
        ("gain", "1:2:1log", "at least 2"),
        ("gain", "1:2:2.5lin", "whole"),
        ("gain", "1:2:1e-9", "100,000"),
        ("gain", "1:2:200000log", "100,000 values"),
        ("gain", "1:2:200000lin", "100,000 values"),
        ("gain", "nan", "finite"),
        ("gain", "0", "above 0"),
        ("weight_std", "-0.1", "above 0"),
        ("bias_std", "-0.1", "at least 0"),
        ("residual", "maybe", "yes, no, both"),
        ("dtype", "float16", "'float64'"),
        ("layers", "dens", "'dense'"),
        ("arch", "mpl", "'mlp'"),
    ]:
        refused = error_of(Grid.from_text, {option: text})
        assert refused.option == option, (option, text)
        assert str(refused).startswith((f"{option} ", f"{option}=")), (option, text)
        assert words in str(refused), (option, text)


@pytest.mark.parametrize(
    ("option", "text", "nearest"),
    [("activation", "relu,sigmid", "sigmoid"), ("init", "xaver", "xavier"), ("norm", "bacth", "batch")],
)
def test_an_unknown_name_in_a_list_is_told_the_nearest(option, text, nearest):
    with pytest.raises(OptionError, match=f"did you mean '{nearest}'"):
        Grid.from_text({option: text})


@pytest.mark.parametrize("text", ["9:3:2", "3:0.5:6log", "2000000:1000000:7"])
def test_what_a_reversed_range_is_advised_to_be_is_a_range_of_the_same_kind(text):
    option = "gain" if "log" in text else "depth"
    with pytest.raises(OptionError) as refused:
        Grid.from_text({option: text})
    first, last, step = text.split(":")
    assert str(refused.value).endswith(f"type {last}:{first}:{step}")


def test_a_grid_that_is_too_large_says_how_many_rows_it_would_have():
    with pytest.raises(OptionError, match=r"max_rows .*1,000,000 rows \(1000 depth x 1000 width\)"):
        Grid.from_text({"depth": "1:1000", "width": "1:1000", "init": "he"})


def test_max_rows_is_the_largest_grid_that_is_let_through():
    options = {"depth": [2, 3], "width": [4, 5, 6]}
    assert len(Grid(options, max_rows=6)) == 6
    with pytest.raises(OptionError, match="is 5, but the grid has 6 rows"):
        Grid(options, max_rows=5)


@pytest.mark.parametrize("max_rows", [0, -1, 2.5])
def test_max_rows_is_a_whole_number_above_zero(max_rows):
    with pytest.raises(OptionError, match="max_rows"):
        Grid({}, max_rows=max_rows)


# ---- the grid itself


OPTION_LISTS = st.fixed_dictionaries(
    {},
    optional={
        "depth": st.lists(st.integers(1, 9), min_size=1, max_size=4),
        "activation": st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=4),
        "residual": st.lists(st.booleans(), min_size=1, max_size=3),
        "gain": st.lists(st.floats(0.1, 9), min_size=1, max_size=3),
    },
)


@given(options=OPTION_LISTS)
def test_a_grid_is_every_combination_once_the_last_option_fastest(options):
    grid = Grid(options)
    names = [name for name in PARSERS if name in options]
    distinct = [list(dict.fromkeys(options[name])) for name in names]
    expected = [dict(zip(names, combination, strict=True)) for combination in product(*distinct)]
    assert list(grid) == expected
    assert len(grid) == len(expected) == math.prod(map(len, distinct))
    assert list(grid) == expected  # and again
    assert grid.varied == tuple(name for name, found in zip(names, distinct, strict=True) if len(found) > 1)


def test_options_stand_in_the_grid_s_order_however_they_are_given():
    assert list(Grid({"norm": ["none"], "depth": 3})) == list(Grid({"depth": 3, "norm": "none"}))
    assert list(Grid({"norm": "none", "depth": 3}).values) == ["depth", "norm"]


def test_a_grid_of_nothing_is_one_network_with_all_defaults():
    assert list(Grid({})) == [{}]


def test_options_that_are_none_were_not_given():
    assert Grid.from_text({"depth": None, "width": "8"}).values == {"width": (8,)}


def test_values_from_python_become_plain_ones():
    for values in ([2, 3], (2, 3), range(2, 4), [np.int64(2), np.int64(3)]):
        found = Grid({"depth": values}).values["depth"]
        assert found == (2, 3), values
        assert [type(value) for value in found] == [int, int], values


def test_an_array_is_a_list_of_values():
    assert Grid({"gain": np.array([0.5, 1.5])}).values["gain"] == (0.5, 1.5)


@pytest.mark.parametrize(
    "options",
    [
        {"depht": 3}, {"depth": []}, {"depth": [3, 2.5]}, {"depth": True}, {"residual": "both"}, {"width": [[8, "a"]]},
        {"activation": "relu,tanh"}, {"gain": [math.nan]}, {"activation": None},
    ],
)  # fmt: skip
def test_bad_values_from_python_are_option_errors(options):
    with pytest.raises(OptionError):
        Grid(options)


def test_the_nearest_option_is_named():
    with pytest.raises(OptionError, match="did you mean 'depth'"):
        Grid({"dpth": 3})


def test_a_free_scale_initialisation_waits_for_its_scale():
    grid = Grid({"init": ["normal", "he"], "weight_std": [0.1, 0.2]})
    assert len(grid) == 4


def test_the_default_limit_is_the_contract_s():
    assert MAX_ROWS == 100_000


def test_a_file_whose_name_has_commas_is_one_value_where_it_is_there(tmp_path):
    name = str(tmp_path / "a,b.npy")
    assert PARSERS["data"]("data", name) == (f"{tmp_path}/a", "b.npy")
    Path(name).touch()
    assert PARSERS["data"]("data", name) == (name,)
