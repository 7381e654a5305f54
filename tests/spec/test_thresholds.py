import math
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import OptionError
from gradcheck.spec.thresholds import Thresholds

NAMES = [field.name for field in fields(Thresholds)]


def test_the_bounds_of_a_layer_are_a_thousandth_and_a_thousand():
    assert (Thresholds().vanish_below, Thresholds().explode_above) == (1e-3, 1e3)


@given(st.fixed_dictionaries({}, optional={name: st.floats(0.01, 0.9) for name in NAMES if name != "explode_above"}))
def test_thresholds_survive_the_way_to_a_dict_and_back(changes):
    thresholds = Thresholds(**changes)
    assert Thresholds(**thresholds.to_dict()) == thresholds
    assert list(thresholds.to_dict()) == NAMES


def test_a_bad_value_is_refused_by_the_name_of_its_option(error_of):
    for value in (math.nan, math.inf, -math.inf, -0.1, "much", None):
        for name in NAMES:
            caught = error_of(Thresholds, **{name: value})
            assert str(caught).startswith(f"{name}="), (name, value)
            assert "finite number" in str(caught), (name, value)


def test_zero_is_a_limit_like_any_other():
    for name in [name for name in NAMES if name != "explode_above"]:
        assert getattr(Thresholds(**{name: 0.0}), name) == 0, name


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("vanish_below", 2, "from 0 to 1: .* the last layer's is 1"),
        ("explode_above", 0.1, "of at least 1: .* the last layer's is 1"),
        ("dead_above", 90, "from 0 to 1: it is a share of the units, 0.9 is 90 %"),
        ("saturated_above", 90, "from 0 to 1: it is a share of the entries, 0.9 is 90 %"),
    ],
)
def test_a_limit_that_can_mean_nothing_is_refused_with_its_range(name, value, bound):
    with pytest.raises(OptionError, match=f"{name}={value} is not a finite number {bound}"):
        Thresholds(**{name: value})


@pytest.mark.parametrize("name", [name for name in NAMES if name != "min_rank"])
def test_one_is_the_end_of_its_range_and_belongs_to_it(name):
    assert getattr(Thresholds(**{name: 1.0}), name) == 1


def test_bounds_that_leave_no_ratio_between_them_are_refused():
    with pytest.raises(OptionError, match=r"vanish_below=.* is not below explode_above=.*: no ratio would be ok"):
        Thresholds(vanish_below=1.0, explode_above=1.0)


def test_thresholds_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Thresholds().max_span = 9.0
