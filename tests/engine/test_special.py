import math

import numpy as np
import pytest

from gradcheck.engine.special import normal_cdf_and_density


def normal_cdf(z):
    return normal_cdf_and_density(z)[0]


def normal_density(z):
    return normal_cdf_and_density(z)[1]


def by_erfc(z):
    return np.array([math.erfc(-entry / math.sqrt(2)) / 2 for entry in z])


def test_normal_cdf_agrees_with_erfc_in_both_tails():
    z = np.linspace(-37, 37, 20_001)
    np.testing.assert_allclose(normal_cdf(z), by_erfc(z), rtol=1e-12, atol=0)


def test_normal_cdf_is_right_to_rounding_near_the_middle():
    z = np.linspace(-2, 2, 4001)
    np.testing.assert_allclose(normal_cdf(z), by_erfc(z), rtol=2e-15, atol=0)


def test_normal_cdf_rises_from_zero_to_one_through_a_half():
    np.testing.assert_array_equal(normal_cdf(np.array([-1e4, -50, 50, 1e4])), [0, 0, 1, 1])
    assert normal_cdf(np.array([0.0]))[0] == pytest.approx(0.5, abs=1e-15)
    assert (np.diff(normal_cdf(np.linspace(-8, 5, 2001))) > 0).all()


def test_normal_cdf_is_the_integral_of_the_density():
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for low, high in [(-6.0, -3.5), (-1.0, 0.5), (0.5, 2.0)]:
        area = (high - low) / 2 * weights @ normal_density((low + high) / 2 + (high - low) / 2 * nodes)
        below, above = normal_cdf(np.array([low, high]))
        assert area == pytest.approx(above - below, rel=1e-13, abs=0)


@pytest.mark.parametrize("function", [normal_cdf, normal_density])
def test_single_precision_stays_single(function):
    z = np.linspace(-9, 9, 400)
    single = function(z.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, function(z), rtol=2e-5)
