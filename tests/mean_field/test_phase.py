import math

import numpy as np
import pytest

from gradcheck.mean_field.convergence import fixed_variance
from gradcheck.mean_field.fixed_point import batch_norm_fixed_point, find_fixed_point
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.maps import LayerMap
from gradcheck.mean_field.phase import critical_point, log_gains, phase_of


def layer_of(name, sigma_w, sigma_b, normalised=False):
    return LayerMap(kernel_of(name), sigma_w**2, sigma_b**2, normalised)


def fixed_point_of(*layer):
    return find_fixed_point(layer_of(*layer), 1.0)


def missing_from(found):
    values = found._asdict() | {"deepest_trainable": found.deepest_trainable}
    return {name for name, value in values.items() if value is None}


def critical_weight(name, sigma_b):
    point = critical_point(kernel_of(name), sigma_b**2)
    return point and point.weight_std


def test_critical_scales_without_biases_are_those_of_the_literature():
    assert critical_weight("tanh", 0) == pytest.approx(1, rel=1e-12)
    assert critical_weight("hard_tanh", 0) == pytest.approx(1, rel=1e-12)
    assert critical_weight("linear", 0) == 1
    assert critical_weight("relu", 0) == pytest.approx(math.sqrt(2), rel=1e-15)
    assert critical_weight("leaky_relu", 0) == pytest.approx(math.sqrt(2 / 1.0001), rel=1e-15)
    assert critical_weight("elu", 0) == pytest.approx(1, rel=1e-9)


def test_tanh_s_line_passes_the_points_that_are_published():
    """Schoenholz et al. 2017 have it near σ_w² = 1.76 at σ_b² = 0.05."""
    assert critical_weight("tanh", math.sqrt(0.05)) ** 2 == pytest.approx(1.76, abs=0.01)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "hard_tanh", "elu", "selu", "gelu", "mish"])
@pytest.mark.parametrize("sigma_b", [0.5, 1.0])
def test_at_the_critical_scale_a_network_settles_where_chi_is_one(name, sigma_b):
    sigma_w = critical_weight(name, sigma_b)
    layer = layer_of(name, sigma_w, sigma_b)
    q = fixed_variance(layer, sigma_w**2 + sigma_b**2)
    assert layer.gain(q) == pytest.approx(1, rel=1e-9)
    below, above = layer_of(name, 0.97 * sigma_w, sigma_b), layer_of(name, 1.005 * sigma_w, sigma_b)
    assert below.gain(fixed_variance(below, 1.0)) < 1
    assert above.gain(min(fixed_variance(above, 1.0), 1e15)) > 1


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "softplus", "step"])
def test_some_activations_have_no_critical_scale_without_biases(name):
    assert critical_weight(name, 0) is None
    assert fixed_point_of(name, 1.0, 0.0).reasons["critical_sigma_w"]


def test_a_phase_is_the_side_of_one_that_chi_is_on():
    assert [phase_of(chi) for chi in (0.999, 1 - 1e-5, 1.0, 1 + 1e-5, 1.001)] == [
        "ordered", "critical", "critical", "critical", "chaotic",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "sigmoid", "selu"])
@pytest.mark.parametrize("normalised", [False, True])
def test_the_diagram_has_the_gains_of_its_points(name, normalised):
    weights, biases = np.array([0.4, 1.1, 1.6, 2.5]), np.array([1.2, 0.3])
    found = log_gains(layer_of(name, 1.0, 0.0, normalised), weights, biases)
    assert found.shape == (2, 4)
    for row, sigma_b in enumerate(biases.tolist()):
        for column, sigma_w in enumerate(weights.tolist()):
            layer = layer_of(name, sigma_w, sigma_b, normalised)
            q = fixed_variance(layer, sigma_w**2 + sigma_b**2)
            expected = layer.far_gain() if q == math.inf else layer.gain(q)
            assert found[row, column] == pytest.approx(math.log(expected), abs=2e-3)


def test_a_network_at_rest_knows_everything():
    found = find_fixed_point(layer_of("tanh", 1.5, 0.3), 2.0)
    assert found.phase == "chaotic"
    assert not found.reasons
    assert found.deepest_trainable == 6 * found.correlation_depth
    assert found.correlation_rate < 1 < found.chi


def test_in_an_ordered_network_correlations_fade_as_gradients_do():
    found = fixed_point_of("tanh", 1.0, 0.3)
    assert (found.phase, found.correlation) == ("ordered", 1.0)
    assert found.correlation_depth == pytest.approx(found.gradient_depth, rel=1e-12)


def test_what_dies_out_and_what_grows_without_bound_say_so():
    dying, growing = fixed_point_of("relu", 1.0, 0.0), fixed_point_of("relu", 2.0, 0.0)
    assert (dying.phase, dying.variance, dying.correlation, dying.chi) == ("ordered", 0.0, None, 0.5)
    assert (growing.phase, growing.variance, growing.chi) == ("chaotic", None, 2.0)
    assert dying.deepest_trainable == 6 * dying.gradient_depth
    for found in (dying, growing):
        assert missing_from(found) == set(found.reasons)


def test_he_is_critical_for_relu_at_any_depth():
    found = fixed_point_of("relu", math.sqrt(2), 0.0)
    assert (found.phase, found.deepest_trainable) == ("critical", math.inf)


def test_behind_a_norm_only_biases_make_the_weight_scale_matter():
    without, with_biases = fixed_point_of("tanh", 1.0, 0.0, True), fixed_point_of("tanh", 1.0, 0.5, True)
    assert without.critical_sigma_w is None
    assert without.chi == pytest.approx(fixed_point_of("tanh", 9.0, 0.0, True).chi, rel=1e-4)  # ε apart
    critical = layer_of("tanh", with_biases.critical_sigma_w, 0.5, True)
    assert critical.gain(fixed_variance(critical, 1.0)) == pytest.approx(1, abs=1e-4)


def test_batch_norm_has_the_published_rates():
    relu, linear = layer_of("relu", 1.0, 0.0), layer_of("linear", 1.0, 0.0)
    assert batch_norm_fixed_point(relu, 64).chi == pytest.approx(math.pi / (math.pi - 1), rel=1e-14)
    assert batch_norm_fixed_point(linear, 8).chi == pytest.approx(6 / 5, rel=1e-14)
    assert batch_norm_fixed_point(linear, None).phase == "critical"
    found = batch_norm_fixed_point(relu, 64)
    assert missing_from(found) == set(found.reasons)
