import math

import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.mean_field.convergence import depth_scale, fixed_correlation, fixed_variance
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.maps import EPSILON, LayerMap
from gradcheck.mean_field.roots import bracketed_root


def map_of(name, sigma_w, sigma_b, *, normalised=False):
    return LayerMap(kernel_of(name), sigma_w**2, sigma_b**2, normalised)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_fixed_points_are_those_of_an_adaptive_quadrature(name, reference, record_error):
    theirs = reference["rest"][name]
    sigma_w, sigma_b = theirs["sigma_w"], theirs["sigma_b"]
    layer = map_of(name, sigma_w, sigma_b)
    q = fixed_variance(layer, sigma_w**2 + sigma_b**2)
    error = max(abs(q / theirs["q"] - 1), abs(layer.gain(q) / theirs["chi"] - 1) if theirs["chi"] else layer.gain(q))
    record_error("q* and χ₁ against SciPy", error)
    assert error <= 1e-10
    if name == "step":  # whose correlation rests where an arcsine meets a line, below
        return
    c = fixed_correlation(layer, q)
    if theirs["chi"] <= 1:
        assert c == 1
        return
    rate = layer.correlation(q, c).rate
    errors = abs(c / theirs["c"] - 1), abs(rate / theirs["rate"] - 1)
    record_error("c* and its rate against SciPy", max(errors))
    assert max(errors) <= 1e-8
    assert depth_scale(rate) == pytest.approx(-1 / math.log(theirs["rate"]), rel=1e-7)


def test_activations_that_can_be_chaotic_at_rest_are_tested_there(reference):
    chaotic = {name for name, one in reference["rest"].items() if one["chi"] > 1}
    assert chaotic == {"sigmoid", "tanh", "hard_tanh", "elu", "selu", "gelu", "silu", "mish"}


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(1.0, 0.3), (1.3, 1.0), (0.2, 0.01)])
def test_relu_rests_where_its_straight_map_says(sigma_w, sigma_b):
    layer = map_of("relu", sigma_w, sigma_b)
    q = fixed_variance(layer, 1.0)
    assert q == pytest.approx(sigma_b**2 / (1 - sigma_w**2 / 2), rel=1e-14)
    assert layer.gain(q) == layer.variance_rate(q) == pytest.approx(sigma_w**2 / 2, rel=1e-15)
    assert fixed_correlation(layer, q) == 1
    assert depth_scale(layer.correlation(q, 1.0).rate) == pytest.approx(-1 / math.log(sigma_w**2 / 2), rel=1e-13)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "linear"])
def test_a_straight_map_of_slope_one_keeps_any_variance_unless_biases_add_to_it(name):
    sigma_w = 1 / math.sqrt(kernel_of(name).far_slope_square)
    assert fixed_variance(map_of(name, sigma_w, 0.0), 3.7) == 3.7
    assert fixed_variance(map_of(name, sigma_w, 0.1), 3.7) == math.inf
    assert fixed_variance(map_of(name, 1.01 * sigma_w, 0.0), 3.7) == math.inf
    assert fixed_variance(map_of(name, 0.99 * sigma_w, 0.0), 3.7) == 0


def test_tanh_dies_out_up_to_its_critical_scale_and_rests_beyond():
    assert fixed_variance(map_of("tanh", 0.9, 0.0), 1.0) == fixed_variance(map_of("tanh", 1.0, 0.0), 1.0) == 0
    excess = 1e-4  # E[tanh²] = q − 2q² + 17q³/3: σ_w² (1 − 2q + 17q²/3) = 1
    q = fixed_variance(map_of("tanh", math.sqrt(1 + excess), 0.0), 1.0)
    assert q == pytest.approx(excess / 2, rel=3 * excess)


def test_selu_rests_at_mean_zero_and_variance_one_as_it_was_made_to():
    layer = map_of("selu", 1.0, 0.0)
    assert fixed_variance(layer, 2.0) == pytest.approx(1, rel=1e-13)
    assert layer.kernel.moments(1.0).mean == pytest.approx(0, abs=1e-14)
    assert fixed_correlation(layer, 1.0) == 0


def test_gelu_has_two_ends_and_the_input_decides_between_them():
    layer = map_of("gelu", 1.45, 0.0)
    assert fixed_variance(layer, 0.5) == 0
    assert fixed_variance(layer, 50.0) == math.inf


def test_odd_activations_without_biases_forget_that_inputs_were_alike():
    for name in ("tanh", "hard_tanh"):
        layer = map_of(name, 2.0, 0.0)
        q = fixed_variance(layer, 4.0)
        assert fixed_correlation(layer, q) == 0
        assert layer.correlation(q, 0.0).rate < 1 < layer.gain(q)


def test_the_step_rests_where_an_arcsine_meets_a_straight_line():
    """c = (1/4 + arcsin(c)/2π)/(1/2) without biases."""
    layer = map_of("step", 2.0, 0.0)
    c = fixed_correlation(layer, fixed_variance(layer, 1.0))
    assert 0.1 < c < 0.99  # at one they meet too
    assert c == pytest.approx(0.5 + math.asin(c) / math.pi, rel=1e-13)


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "sigmoid"])
def test_a_norm_holds_the_activations_at_variance_one(name):
    layer = map_of(name, 1.7, 0.6, normalised=True)
    q = fixed_variance(layer, 5.0)
    assert layer.variance(q) == pytest.approx(q, rel=1e-12)
    at_one = kernel_of(name).moments(q / (q + EPSILON))
    assert q == pytest.approx(1.7**2 * at_one.square + 0.36, rel=1e-12)
    assert layer.gain(q) == pytest.approx(1.7**2 * at_one.slope_square / (q + EPSILON), rel=1e-12)
    assert layer.variance_rate(q) == pytest.approx(
        (layer.variance(q * 1.01) - layer.variance(q / 1.01)) / (0.0199 * q), rel=0.05
    )


def test_the_epsilon_is_that_of_the_engine():
    from gradcheck.engine import normalization

    assert EPSILON == normalization.EPSILON


@pytest.mark.parametrize("name", ["tanh", "gelu", "mish", "silu", "selu", "sigmoid"])
def test_the_variance_map_rises(name):
    """What the search for the fixed point rests upon."""
    squares = [kernel_of(name).moments(10.0**power).square for power in range(-8, 9)]
    assert squares == sorted(squares)


def test_depth_scales_count_layers():
    assert depth_scale(math.exp(-1 / 7)) == pytest.approx(7)
    assert depth_scale(math.exp(1 / 7)) == pytest.approx(7)
    assert depth_scale(1.0) == math.inf
    assert depth_scale(0.0) == 0


def test_a_bracketed_root_is_found_to_the_last_digits():
    assert bracketed_root(lambda x: x**3 - 2, 0.0, 5.0) == pytest.approx(2 ** (1 / 3), rel=1e-15)
    assert bracketed_root(lambda x: x - 3, 3.0, 5.0) == 3
    assert bracketed_root(lambda x: math.cos(x), 1.0, 3.0) == pytest.approx(math.pi / 2, rel=1e-15)
