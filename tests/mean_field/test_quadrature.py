import math

import numpy as np
import pytest

from gradcheck.mean_field.quadrature import (
    NODES,
    OF_NORMAL,
    SERIES,
    hermite_rule,
    legendre,
    normal_rule,
    pair_rule,
    scaled_rule,
)


def test_the_legendre_rule_is_that_of_numpy():
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    np.testing.assert_allclose(legendre().nodes, (1 + nodes) / 2, atol=1e-15)
    np.testing.assert_allclose(legendre().weights, weights / 2, rtol=1e-12)


@pytest.mark.parametrize("power", [0, 2, 4, 8])
def test_the_normal_rule_has_the_moments_of_the_normal(power):
    rule = normal_rule(OF_NORMAL)
    expected = math.prod(range(1, power, 2))
    assert rule.weights @ rule.nodes**power == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 37.0, 1e6])
def test_a_scaled_rule_is_one_of_the_normal_with_pieces_where_the_activation_turns(scale):
    rule = scaled_rule(scale)
    assert rule.weights.sum() == pytest.approx(1, rel=1e-14)
    near = np.abs(scale * rule.nodes) < 1
    assert near.sum() >= 2 * NODES


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("correlation", [0.01, 0.6, 1 - 1e-9])
def test_a_pair_rule_has_the_moments_of_correlated_normals(scale, correlation):
    u, v, weights = pair_rule(scale, correlation, (0.0, 1.0))
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    assert weights @ (u * v) == pytest.approx(correlation, rel=1e-12)
    assert weights @ (u * u * v * v) == pytest.approx(1 + 2 * correlation**2, rel=1e-12)


def test_hermite_polynomials_are_orthonormal():
    rule, polynomials = hermite_rule(1.0)
    first = polynomials[:10] / rule.weights
    np.testing.assert_allclose(polynomials[:10] @ first.T, np.eye(10), atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_the_hermite_series_of_a_sine_is_known_to_its_last_term(scale):
    """E[sin(az) h_n(z)] = ± e^{−a²/2} aⁿ/√n! for odd n."""
    rule, polynomials = hermite_rule(scale)
    found = np.abs(polynomials @ np.sin(scale * rule.nodes))
    log = [n * math.log(scale) - scale**2 / 2 - math.lgamma(n + 1) / 2 for n in range(SERIES)]
    expected = np.exp(log) * (np.arange(SERIES) % 2)
    np.testing.assert_allclose(found, expected, atol=1e-13)
