import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from gradcheck.pages.columns import columns_of, rounded, thinned, with_band

NUMBERS = some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=400)


@given(NUMBERS)
def test_a_course_that_is_thinned_out_keeps_its_ends_its_lowest_and_its_highest(values):
    x, y = thinned(range(len(values)), values, most=30)
    short = [rounded(one) for one in values]
    assert len(x) <= 32 or len(values) <= 30
    assert (x[0], x[-1]) == (0, len(values) - 1)
    assert (min(y), max(y)) == (min(short), max(short))
    assert list(x) == sorted(x)


def test_a_single_spike_among_a_million_steps_is_kept():
    values = np.ones(1_000_000)
    values[123_456] = 7.0
    x, y = thinned(np.arange(1_000_000.0), values.tolist())
    assert dict(zip(x, y, strict=True))[123_456] == 7
    assert len(x) < 2100


@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_a_number_that_isnt_finite_stays_as_a_gap(bad):
    values = [1.0] * 500
    values[250] = bad
    x, y = thinned(range(500), values, most=30)
    assert y[x.index(250)] is None


def test_a_short_course_stays_as_it_is():
    assert thinned([3, 5, 6], [1.0, None, 2.5]) == ((3, 5, 6), (1, None, 2.5))


def test_a_column_without_anything_is_left_out():
    columns = columns_of([1, 2], {"a": ("number", lambda one: one, ""), "b": ("number", lambda _: None, "")})
    assert [(one.title, one.cells) for one in columns] == [("a", (1, 2))]


def test_a_band_is_as_wide_as_its_deviations():
    assert with_band([1.0, 2.0], [0.5, None])[:3] == ((1, 2), (0.5, 2), (1.5, 2))


def test_without_deviations_there_is_no_band():
    assert with_band([1.0], [None]) == ((1,), None, None, "predicted ratio")
