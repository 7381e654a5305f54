import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.blocks import HiddenLayer
from gradcheck.engine.linear import Dense
from gradcheck.engine.normalization import NORMS

BATCH, UNITS = 7, 6
every_layer = pytest.mark.parametrize(
    ("activation", "norm", "skip_scale"),
    [(activation, "none", None) for activation in ACTIVATIONS]
    + [(activation, "layer", -0.3) for activation in ACTIVATIONS]
    + [("gelu", norm, skip_scale) for norm in NORMS for skip_scale in (None, 1.0, -0.3)],
)


@pytest.fixture
def weight(rng):
    return rng.standard_normal((UNITS, UNITS)) * 0.7


@pytest.fixture
def bias(rng):
    return rng.standard_normal(UNITS)


@pytest.fixture
def x(rng):
    return rng.standard_normal((BATCH, UNITS))


def hidden_layer(weight, bias, activation, norm, skip_scale):
    return HiddenLayer(Dense(weight, bias), NORMS[norm].block, ACTIVATIONS[activation], skip_scale)


@every_layer
def test_pullback_to_the_input_agrees_with_autograd_and_differences(
    activation, norm, skip_scale, weight, bias, x, check_pullback, by_autograd
):
    layer = hidden_layer(weight, bias, activation, norm, skip_scale)
    phi, normalise = by_autograd.activations[activation], by_autograd.norms[norm]

    def block(x):
        layer_pass = layer(x)
        return layer_pass.output, lambda delta: layer_pass.pullback(delta)[1]

    def second_definition(x):
        branch = phi(normalise(x @ weight + bias))
        return branch if skip_scale is None else x + skip_scale * branch

    check_pullback(block, second_definition, x)


@every_layer
def test_pullback_to_the_preactivation_agrees_with_autograd_and_differences(
    activation, norm, skip_scale, weight, bias, x, check_pullback, by_autograd
):
    identity = np.eye(UNITS)
    skip_path = 0 if skip_scale is None else x
    z = x @ weight + bias

    def block(z):  # the branch of z alone: an identity as linear map, and the skip connection cut
        layer_pass = hidden_layer(identity, None, activation, norm, skip_scale)(z)
        without_skip = layer_pass.output if skip_scale is None else layer_pass.output - z
        return without_skip + skip_path, lambda delta: layer_pass.pullback(delta)[0]

    def second_definition(z):
        branch = by_autograd.activations[activation](by_autograd.norms[norm](z))
        return branch if skip_scale is None else skip_path + skip_scale * branch

    check_pullback(block, second_definition, z)


def test_a_layers_pass_keeps_what_is_measured(weight, bias, x):
    layer = hidden_layer(weight, bias, "tanh", "layer", 0.5)
    layer_pass = layer(x)
    z = x @ weight + bias
    normalised = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)
    assert layer_pass.maps == (layer.linear,)
    assert layer_pass.activity is layer_pass.output
    np.testing.assert_allclose(layer_pass.preactivation, z, rtol=1e-14)
    np.testing.assert_allclose(layer_pass.slopes[0][0], 1 - np.tanh(normalised) ** 2, rtol=1e-12)
    np.testing.assert_allclose(layer_pass.output, x + 0.5 * np.tanh(normalised), rtol=1e-13)


def test_a_branch_of_scale_zero_passes_signal_and_gradient_unchanged(weight, bias, x, rng):
    layer_pass = hidden_layer(weight, bias, "relu", "none", 0.0)(x)
    delta = rng.standard_normal(x.shape)
    at_z, at_x, ((seen, at_product),) = layer_pass.pullback(delta)
    np.testing.assert_array_equal(layer_pass.output, x)
    np.testing.assert_array_equal(at_x, delta)
    assert not at_z.any()
    assert seen is x
    assert at_product is at_z
