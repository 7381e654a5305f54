"""The comparison of two samples that other tests rely on, against tables and against samples of known law."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def apart():
    """Size, distance ↦ two samples of that size whose distribution functions are that far apart."""

    def samples(size, distance):
        return np.arange(size), np.arange(size) + round(distance * size) - 0.5

    return samples


@pytest.mark.parametrize(("scaled", "table"), [(1.073, 0.200), (1.224, 0.100), (1.358, 0.050), (1.628, 0.010)])
def test_the_p_value_is_that_of_the_table_of_the_limiting_distribution(scaled, table, apart, ks_p_value):
    """Smirnov 1948: critical values of √(nm/(n + m))·D."""
    size = 500_000
    assert ks_p_value(*apart(size, scaled / np.sqrt(size / 2))) == pytest.approx(table, abs=5e-4)


def test_the_p_value_of_equal_samples_is_one_and_of_disjoint_ones_nearly_zero(apart, ks_p_value):
    assert ks_p_value(np.arange(100), np.arange(100)) == 1.0
    assert ks_p_value(*apart(100, 1.0)) < 1e-40


def test_ties_count_on_both_sides_at_once(ks_p_value):
    assert ks_p_value([0, 0, 0, 1], [0, 0, 0, 1]) == 1.0


def test_p_values_of_samples_of_one_law_are_uniform(rng, ks_p_value):
    values = [ks_p_value(rng.standard_normal(199), rng.standard_normal(311)) for _ in range(400)]
    assert ks_p_value(values, np.linspace(0, 1, 2001)) > 0.01


def test_the_p_value_of_means_is_that_of_the_normal_law(means_p_value):
    """1.96 standard errors of one entry among two: twice 5 %."""
    draws = np.tile([[1.0, 4.0], [-1.0, 2.0]], (5000, 1))
    error = 1 / np.sqrt(len(draws) - 1)
    shifted = [1.959964 * error, 3.0]
    assert means_p_value(draws, np.array(shifted)) == pytest.approx(0.10, rel=1e-4)
    assert means_p_value(draws, np.tile(shifted, (100_000, 1))) == pytest.approx(0.10, rel=1e-4)


def test_an_entry_that_never_moves_has_to_be_what_is_expected(means_p_value):
    draws = np.full((10, 1), 2.0)
    assert means_p_value(draws, np.array([2.0])) == 1.0
    with pytest.raises(AssertionError):
        means_p_value(draws, np.array([2.1]))
