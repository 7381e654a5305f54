import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.initializers import Law
from gradcheck.engine.layered import backward
from gradcheck.engine.linear import Dense
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.network import build, drawn, given
from gradcheck.engine.normalization import NORMS
from gradcheck.spec import NetworkSpec


def passages_of(network, x):
    passages = []
    for layer in range(1, network.depth + 1):
        passages.append(network.hidden(layer)(x))
        x = passages[-1].output
    return passages


def test_build_takes_its_parts_from_the_spec():
    spec = NetworkSpec(depth=3, width=4, activation="elu", norm="rms", residual=True, residual_scale=0.25)
    widths = (7, 4, 4, 4, 2)
    network = build(spec, widths, drawn(Law("he"), widths, 0))
    assert network.depth == 3
    assert network.activation is ACTIVATIONS["elu"]
    assert network.norm is NORMS["rms"].block
    assert [network.hidden(layer).skip_scale for layer in (1, 2, 3)] == [None, 0.25, 0.25]
    assert network.readout().weight.shape == (4, 2)


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
    for linear in (drawn(Law("he", bias_std=1.0), widths, 0, dtype), given(maps, dtype)):
        assert linear(1).weight.dtype == linear(1).bias.dtype == linear(2).weight.dtype == np.dtype(dtype)
        assert [linear(layer).weight.shape for layer in (1, 2)] == [(3, 4), (4, 2)]


def test_single_precision_weights_are_the_rounded_double_ones():
    widths = (3, 4, 2)
    single, double = (drawn(Law("xavier"), widths, 0, dtype)(1).weight for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_given_maps_stand_in_order_from_first_layer_to_readout(rng):
    maps = [Dense(rng.standard_normal((2, 2))) for _ in range(3)]
    linear = given(maps)
    for layer, dense in enumerate(maps, start=1):
        np.testing.assert_array_equal(linear(layer).weight, dense.weight)


def test_backward_is_the_product_of_jacobians(network_of, rng):
    network = network_of(depth=4, width=(6, 3, 8, 5), activation="tanh", features=7)
    x = rng.standard_normal((1, 7))
    passages = passages_of(network, x)
    delta = rng.standard_normal((1, 5))
    expected = delta
    for passage, (at_z, at_x) in zip(passages[::-1], backward(passages, Scaled(delta)), strict=True):
        expected_at_z = expected @ np.diag(passage.slope[0])
        expected = expected_at_z @ passage.layer.linear.weight.T
        np.testing.assert_allclose(np.ldexp(at_z.mantissa, at_z.exponent), expected_at_z, rtol=1e-12)
        np.testing.assert_allclose(np.ldexp(at_x.mantissa, at_x.exponent), expected, rtol=1e-12)


@pytest.mark.parametrize("gain", [1e-80, 1e80])
def test_backward_carries_on_where_a_float_ends(gain, network_of, rng):
    network = network_of(depth=3, width=4, activation="linear", init="orthogonal", gain=gain, features=4)
    passages = passages_of(network, rng.standard_normal((2, 4)))
    steps = list(backward(passages * 4, Scaled(rng.standard_normal((2, 4)))))  # gain**12 in all
    assert len(steps) == 12
    for at_z, at_x in steps:
        for mantissa, _ in (at_z, at_x):
            assert np.isfinite(mantissa).all()
            assert mantissa.all()
    assert abs(steps[-1][1].exponent) > 3000
