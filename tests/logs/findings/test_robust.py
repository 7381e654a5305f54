"""Statistics that outliers don't move."""

from statistics import NormalDist

import numpy as np
import pytest

from gradcheck.logs.robust import (
    block_medians,
    deviation,
    distinct,
    low_median,
    median,
    medians_of,
    nanmedians,
    quantiles,
    side_medians,
)


def test_the_last_block_ends_with_the_last_row_and_what_is_left_over_at_the_start_is_in_none():
    assert block_medians(np.array([9.0, 9, 0, 1, 5, 2, 8, 3]), 3).tolist() == [1, 3]


def test_every_column_has_its_own_medians():
    values = np.array([[0.0, 5], [1, 7], [2, 6], [3, 0], [9, 1], [4, 2]])
    assert block_medians(values, 3).tolist() == [[1, 6], [4, 1]]


def test_a_course_without_noise_has_no_deviation():
    assert deviation(np.full(20, 3.0)) == deviation(np.linspace(0, 7, 20)) == 0
    assert deviation(np.array([0.0, 100.0])) == 0


def test_the_deviation_is_that_of_a_normal_law_with_the_same_median_distance():
    """Differences of neighbours have √2 of the noise's deviation, and half of them are within Φ⁻¹(3/4) of it."""
    steps = np.array([1.0, 0, -1] * 7)  # medians: 0, and of the distances 1
    expected = 1 / NormalDist().inv_cdf(0.75) / 2**0.5
    assert deviation(np.cumsum(steps)) == pytest.approx(expected, rel=1e-4)
    assert deviation(1e9 + 40 * np.cumsum(steps)) == pytest.approx(40 * expected, rel=1e-4)


def test_an_outlier_and_a_slope_do_not_move_the_deviation(zigzag):
    noise = zigzag(50, 0.2)
    noise[27] = 1e6
    assert deviation(noise) == pytest.approx(0.2)
    assert deviation(zigzag(50, 0.2) + 0.01 * np.arange(50)) == pytest.approx(0.2, rel=0.06)


def test_a_row_is_held_against_the_rows_on_either_side_without_itself():
    before, after = side_medians(np.array([0.0, 1, 2, 99, 4, 5, 7]), 2)
    np.testing.assert_array_equal(before, [np.nan, np.nan, 0.5, 1.5, 50.5, 51.5, 4.5])
    np.testing.assert_array_equal(after, [1.5, 50.5, 51.5, 4.5, 6, np.nan, np.nan])


@pytest.mark.parametrize("rows", [1, 2, 3, 12, 13])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.filterwarnings("ignore:All-NaN slice", "ignore:invalid value")
def test_medians_are_numpys_to_the_last_bit_of_gaps_and_infinities_too(rows, axis):
    values = np.random.default_rng(rows).standard_normal((rows, 40))
    values[:, 1] = np.inf
    values[::2, 2] = -np.inf
    np.testing.assert_array_equal(medians_of(values, axis), np.median(values, axis=axis))
    assert [median(column) for column in values.T] == np.median(values, axis=0).tolist()
    values[::3, 3], values[:, 4], values[0, 5:9] = np.nan, np.nan, np.nan
    np.testing.assert_array_equal(medians_of(values, axis), np.median(values, axis=axis))
    np.testing.assert_array_equal(nanmedians(values, axis), np.nanmedian(values, axis=axis))


def test_nothing_has_no_median():
    assert np.isnan(median(np.zeros(0)))


@pytest.mark.parametrize("rows", [1, 2, 3, 12, 101])
def test_quantiles_are_numpys_to_the_last_bit(rows):
    values, shares = np.random.default_rng(rows).lognormal(size=(rows, 5)), (0.0, 0.05, 0.5, 0.75, 0.99, 1.0)
    values[0, 1] = np.nan
    assert np.array_equal(quantiles(values, *shares), np.quantile(values, shares, axis=0), equal_nan=True)
    assert quantiles(values[:, 0], 0.95).tolist() == [np.quantile(values[:, 0], 0.95)]


@pytest.mark.parametrize("rows", [1, 2, 3, 12, 101])
def test_the_lower_median_is_one_of_the_numbers(rows):
    values = np.random.default_rng(rows).normal(size=rows)
    assert low_median(values) == np.quantile(values, 0.5, method="lower")


@pytest.mark.parametrize("values", [[], [3.0], [2.0, 1.0, 2.0, -1.0, 1.0]])
def test_distinct_numbers_are_in_ascending_order(values):
    assert distinct(np.array(values)).tolist() == sorted(set(values))
