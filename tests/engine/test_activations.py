import math

import numpy as np
import pytest
from autograd import elementwise_grad

from gradcheck import spec
from gradcheck.engine.activations import ACTIVATIONS, sigmoid, softplus, tanh

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


@pytest.fixture
def z(rng):
    """Points of every size up to 12, on both sides, away from the kinks at −1, 0 and 1."""
    points = np.concatenate([rng.uniform(-12, 12, 2000), rng.normal(0, 1, 2000), rng.normal(0, 1e-3, 200)])
    return points[np.abs(points[:, None] - [-1, 0, 1]).min(1) > 1e-4]


def test_table_and_spec_name_the_same_activations():
    assert tuple(ACTIVATIONS) == spec.ACTIVATIONS


def test_value_and_slope_agree_with_autograd(z, by_autograd):
    for name in ACTIVATIONS:
        definition = by_autograd.activations[name]
        value, slope = ACTIVATIONS[name].evaluate(z)
        np.testing.assert_allclose(value, definition(z), rtol=1e-9, atol=1e-14, err_msg=name)
        np.testing.assert_allclose(slope, elementwise_grad(definition)(z), rtol=1e-9, atol=1e-14, err_msg=name)


def test_slope_agrees_with_central_differences(z):
    for name in ACTIVATIONS:
        evaluate, h = ACTIVATIONS[name].evaluate, 1e-5
        difference = (evaluate(z + h)[0] - evaluate(z - h)[0]) / (2 * h)
        np.testing.assert_allclose(evaluate(z)[1], difference, rtol=1e-9, atol=1e-9, err_msg=name)


def test_slope_at_a_kink_is_one_of_the_two_beside_it():
    for name in ACTIVATIONS:
        evaluate, _, kinks, _ = ACTIVATIONS[name]
        for kink in kinks:
            _, (left, at, right) = evaluate(kink + np.array([-1e-13, 0, 1e-13]))
            assert min(abs(at - left), abs(at - right)) < 1e-12, name


def test_value_and_slope_jump_at_the_listed_kinks_only():
    for name in ACTIVATIONS:
        grid = np.arange(-4, 4, 1e-3) + 5e-4  # kinks lie between grid points
        value, slope = ACTIVATIONS[name].evaluate(grid)
        jumps = grid[:-1][(np.abs(np.diff(slope)) > 0.01) | (np.abs(np.diff(value)) > 0.01)] + 5e-4
        listed = [kink for kink in ACTIVATIONS[name].kinks if name != "elu"]  # there φ'' jumps
        np.testing.assert_allclose(jumps, listed, atol=1e-9, err_msg=name)


def test_steepest_is_the_largest_slope():
    for name in ACTIVATIONS:
        _, slope = ACTIVATIONS[name].evaluate(np.arange(-200_000, 200_001) * 1e-4)
        largest = np.abs(slope).max()
        assert largest <= ACTIVATIONS[name].steepest * (1 + 1e-15), name
        assert largest >= ACTIVATIONS[name].steepest * (1 - 1e-8), name


@every_activation
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_far_out_everything_is_finite_and_keeps_its_type(name, dtype):
    z = np.array([-1e4, -800, -90, -1, -1e-30, 0, 1e-30, 1, 90, 800, 1e4], dtype)
    with np.errstate(all="raise", under="ignore"):
        value, slope = ACTIVATIONS[name].evaluate(z)
    for array in (value, slope):
        assert array.dtype == z.dtype
        assert array.shape == z.shape
        assert np.isfinite(array).all()


def test_float32_agrees_with_float64():
    for name in ACTIVATIONS:
        z = np.linspace(-9.1, 9.2, 500)
        for single, double in zip(
            ACTIVATIONS[name].evaluate(z.astype("f4")), ACTIVATIONS[name].evaluate(z), strict=True
        ):
            np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6, err_msg=name)


def test_evaluation_leaves_its_input_alone():
    for name in ACTIVATIONS:
        z = np.linspace(-3, 3, 7)
        before = z.copy()
        ACTIVATIONS[name].evaluate(z)
        np.testing.assert_array_equal(z, before, err_msg=name)


@pytest.mark.parametrize("z", [-700.0, -40.0, 40.0, 700.0])
def test_sigmoid_slope_decays_as_an_exponential_in_both_tails(z):
    _, slope = sigmoid(np.array([z]))
    assert slope[0] == pytest.approx(math.exp(-abs(z)), rel=1e-14, abs=0)


@pytest.mark.parametrize("z", [-25.0, 25.0, 300.0])
def test_tanh_slope_decays_twice_as_fast(z):
    _, slope = tanh(np.array([z]))
    assert slope[0] == pytest.approx(4 * math.exp(-2 * abs(z)), rel=1e-14, abs=0)


def test_sigmoid_and_softplus_keep_their_lower_tail():
    z = np.array([-40.0, -300.0])
    np.testing.assert_allclose(sigmoid(z)[0], np.exp(z), rtol=1e-14)
    np.testing.assert_allclose(softplus(z)[0], np.exp(z), rtol=1e-14)


@pytest.mark.parametrize("name", ["elu", "selu"])
def test_exponential_units_keep_small_negative_values(name):
    value, _ = ACTIVATIONS[name].evaluate(np.array([-1e-20]))
    scale = {"elu": 1, "selu": 1.0507009873554805 * 1.6732632423543772}[name]
    assert value[0] == pytest.approx(-1e-20 * scale, rel=1e-12, abs=0)


def test_selu_keeps_a_standard_normal_at_mean_zero_and_variance_one():
    nodes, weights = np.polynomial.legendre.leggauss(200)
    mean = square = 0.0
    for low, high in [(-12.0, 0.0), (0.0, 12.0)]:  # split at the kink
        z = (low + high) / 2 + (high - low) / 2 * nodes
        mass = weights * (high - low) / 2 * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        value, _ = ACTIVATIONS["selu"].evaluate(z)
        mean, square = mean + mass @ value, square + mass @ value**2
    assert mean == pytest.approx(0, abs=1e-13)
    assert square == pytest.approx(1, abs=1e-13)
