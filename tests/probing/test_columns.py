"""Tables of which one column is all that tells their rows apart."""

import numpy as np
import pytest

from gradcheck.probing.columns import columns_apart

SCALES = np.array([1.0, 1.0, 50.0, 1e3, 3e4, 5.0], np.float32)


@pytest.fixture
def rows():
    return np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 2.0])
def test_a_column_that_drowns_the_others_is_named(rows, offset):
    cause = columns_apart([(rows + offset) * SCALES])
    assert cause is not None
    assert cause.details["column"] == 5
    assert cause.value == pytest.approx(3e4 / 5, rel=0.3)


def test_columns_of_like_sizes_are_not(rows):
    assert columns_apart([rows * np.array([1, 2, 4, 1, 3, 5], np.float32)]) is None


@pytest.mark.parametrize(("times", "named"), [(1.5, False), (5, False), (20, True)])
def test_one_of_two_columns_drowns_the_other_only_where_it_is_many_times_as_large(rows, times, named):
    cause = columns_apart([rows[:, :2] * np.array([times, 1], np.float32)])
    assert (cause is not None and cause.value > cause.limit) is named


def test_rows_that_are_alike_in_each_column_are_not(rows):
    assert columns_apart([rows[:, :1] * SCALES]) is None  # one direction, however it is scaled


@pytest.mark.parametrize("table", [np.ones((64, 6), np.float32), np.eye(6, dtype=np.float32)])
def test_nothing_is_said_of_columns_that_do_not_vary_or_of_few_rows(table):
    assert columns_apart([table]) is None
