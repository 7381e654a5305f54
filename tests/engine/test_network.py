import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.initializers import Law
from gradcheck.engine.layered import Units, backward
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import cross_entropy, mean_square
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.network import build, drawn_maps, given_maps
from gradcheck.engine.normalization import NORMS
from gradcheck.spec import NetworkSpec

STEP = 1e-5  # of central differences


def passes_of(network, x):
    passes = []
    for layer in range(1, network.depth + 1):
        passes.append(network.hidden(layer)(x))
        x = passes[-1].output
    return passes


def test_build_takes_its_parts_from_the_spec():
    spec = NetworkSpec(depth=3, width=4, activation="elu", norm="rms", residual=True, residual_scale=0.25)
    widths = (7, 4, 4, 4, 2)
    network = build(spec, widths, drawn_maps(Law("he"), widths, 0))
    assert network.depth == 3
    assert network.activation is ACTIVATIONS["elu"]
    assert network.norm is NORMS["rms"].block
    assert [network.hidden(layer).skip_scale for layer in (1, 2, 3)] == [None, 0.25, 0.25]
    assert network.readout.weight.shape == (4, 2)


def test_no_layer_skips_without_residual(network_of):
    network = network_of(depth=2, width=4, residual_scale=0.25)
    assert [network.hidden(layer).skip_scale for layer in (1, 2)] == [None, None]


def test_layer_seven_is_drawn_alike_at_any_depth(network_of):
    shallow, deep = (network_of(depth=depth, width=9, bias_std=0.1).linear(7) for depth in (7, 40))
    np.testing.assert_array_equal(shallow.weight, deep.weight)
    np.testing.assert_array_equal(shallow.bias, deep.bias)


def test_a_layer_is_drawn_alike_each_time_it_is_asked_for(network_of):
    network = network_of(depth=3, width=5)
    np.testing.assert_array_equal(network.linear(2).weight, network.linear(2).weight)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_drawn_and_given_maps_have_the_type_asked_for(dtype, rng):
    widths = (3, 4, 2)
    maps = [Dense(rng.standard_normal((3, 4)), rng.standard_normal(4)), Dense(rng.standard_normal((4, 2)))]
    for linear in (drawn_maps(Law("he", bias_std=1.0), widths, 0, dtype), given_maps(maps, dtype)):
        assert linear(1).weight.dtype == linear(1).bias.dtype == linear(2).weight.dtype == np.dtype(dtype)
        assert [linear(layer).weight.shape for layer in (1, 2)] == [(3, 4), (4, 2)]


def test_single_precision_weights_are_the_rounded_double_ones():
    widths = (3, 4, 2)
    single, double = (drawn_maps(Law("xavier"), widths, 0, dtype)(1).weight for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_given_maps_are_in_order_from_first_layer_to_readout(rng):
    maps = [Dense(rng.standard_normal((2, 2))) for _ in range(3)]
    linear = given_maps(maps)
    for layer, dense in enumerate(maps, start=1):
        np.testing.assert_array_equal(linear(layer).weight, dense.weight)


def test_backward_is_the_product_of_jacobians(network_of, rng):
    network = network_of(depth=4, width=(6, 3, 8, 5), activation="tanh", features=7)
    x = rng.standard_normal((1, 7))
    passes = passes_of(network, x)
    delta = rng.standard_normal((1, 5))
    expected = delta
    for layer_pass, (at_z, at_x, _) in zip(passes[::-1], backward(passes, Scaled(delta)), strict=True):
        expected_at_z = expected @ np.diag(layer_pass.slopes[0][0][0])
        expected = expected_at_z @ layer_pass.maps[0].weight.T
        np.testing.assert_allclose(np.ldexp(at_z.mantissa, at_z.exponent), expected_at_z, rtol=1e-12)
        np.testing.assert_allclose(np.ldexp(at_x.mantissa, at_x.exponent), expected, rtol=1e-12)


@pytest.mark.parametrize("gain", [1e-80, 1e80])
def test_backward_carries_on_where_a_float_ends(gain, network_of, rng):
    network = network_of(depth=3, width=4, activation="linear", init="orthogonal", gain=gain, features=4)
    passes = passes_of(network, rng.standard_normal((2, 4)))
    steps = list(backward(passes * 4, Scaled(rng.standard_normal((2, 4)))))  # gain**12 in all
    assert len(steps) == 12
    for at_z, at_x, _ in steps:
        for mantissa, _ in (at_z, at_x):
            assert np.isfinite(mantissa).all()
            assert mantissa.all()
    assert abs(steps[-1][1].exponent) > 3000


# ---- the gradient of the parameters


@pytest.fixture
def network(network_of):
    """An activation, a norm and a skip scale ↦ a small network with biases everywhere."""

    def drawn(activation, norm="none", skip_scale=None):
        return network_of(
            depth=3, width=6, features=4, classes=5, init="lecun", bias_std=0.3, seed=1,
            activation=activation, norm=norm, residual=skip_scale is not None, residual_scale=skip_scale or 1.0,
        )  # fmt: skip

    return drawn


@pytest.fixture
def batch(rng):
    return rng.standard_normal((7, 4)), np.array([4, 0, 1, 2, 3, 4, 1])


def parameters(network):
    return [array for _, (weight, bias) in network.maps for array in (weight, bias)]


@pytest.mark.parametrize(
    ("activation", "norm", "skip_scale"),
    [(activation, "layer", -0.3) for activation in ACTIVATIONS]
    + [("gelu", norm, skip_scale) for norm in NORMS for skip_scale in (None, -0.3)],
)
def test_the_gradient_agrees_with_autograd_and_differences(
    activation, norm, skip_scale, network, batch, rng, by_autograd, relative_error, record_error
):
    ours, (inputs, labels) = network(activation, norm, skip_scale), batch
    phi, normalise = by_autograd.activations[activation], by_autograd.norms[norm]
    loss_of_logits = by_autograd.cross_entropy(labels)

    def loss(arrays):
        x = inputs
        for layer in range(3):
            branch = phi(normalise(anp.dot(x, arrays[2 * layer]) + arrays[2 * layer + 1]))
            x = branch if skip_scale is None or layer == 0 else x + skip_scale * branch
        return loss_of_logits(anp.dot(x, arrays[-2]) + arrays[-1])

    arrays = parameters(ours)
    gradient = ours.gradient(inputs, cross_entropy(labels))
    assert gradient.loss == pytest.approx(float(loss(arrays)), rel=1e-12)
    scale = max(np.linalg.norm(part) for part in gradient.parts)  # a bias before a batch norm has gradient zero
    for part, theirs in zip(gradient.parts, grad(loss)(arrays), strict=True):
        error = relative_error(part, theirs) if np.linalg.norm(theirs) > 1e-9 * scale else np.abs(part).max() / scale
        record_error("backpropagation against autograd", error)
        assert error < 1e-9

    directions = [rng.standard_normal(array.shape) for array in arrays]
    there, back = (
        loss([a + sign * STEP * d for a, d in zip(arrays, directions, strict=True)]) for sign in (1, -1)
    )  # fmt: skip
    along = sum(np.vdot(part, direction) for part, direction in zip(gradient.parts, directions, strict=True))
    assert along == pytest.approx(float(there - back) / (2 * STEP), rel=1e-6, abs=1e-8)


def test_logits_are_those_of_the_gradient(network, batch):
    ours, (inputs, labels) = network("tanh", "layer", 0.5), batch
    np.testing.assert_array_equal(ours.logits(inputs), ours.gradient(inputs, cross_entropy(labels)).logits)


def test_a_map_without_bias_has_no_gradient_of_one(network_of, batch):
    ours = network_of(depth=2, width=(6, 3), features=4, classes=5)
    parts = ours.gradient(batch[0], mean_square).parts
    assert [part.shape for part in parts] == [(4, 6), (6, 3), (3, 5)]


def test_maps_have_the_names_of_the_contract_in_their_order(network_of):
    network = network_of(depth=2, width=(6, 3), features=4, classes=5, bias_std=0.1)
    assert [(names, dense.weight.shape) for names, dense in network.maps] == [
        (("W1", "b1"), (4, 6)), (("W2", "b2"), (6, 3)), (("W_out", "b_out"), (3, 5)),
    ]  # fmt: skip
    for (_, ours), again in zip(network.maps, (network.linear(layer) for layer in (1, 2, 3)), strict=True):
        np.testing.assert_array_equal(ours.bias, again.bias)


def test_a_perceptron_is_laid_out_in_layers_already(network_of, rng):
    network, inputs = network_of(depth=2, width=4), rng.standard_normal((3, 12))
    assert network.unrolled(inputs) == (network, inputs)
    assert network.units == Units()
