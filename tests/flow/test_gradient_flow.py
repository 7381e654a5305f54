import math

import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.diversity import effective_rank, mean_cosine
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import cross_entropy, mean_square
from gradcheck.engine.network import Network, given_maps
from gradcheck.engine.normalization import NORMS
from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import measure
from gradcheck.flow.layer_flow import LayerFlow


def made_of(weights, activation="linear", norm="none", skip_scale=None):
    """Return the network with these weight matrices, first hidden layer to read-out."""
    widths = (weights[0].shape[0], *(weight.shape[1] for weight in weights))
    linear = given_maps([Dense(weight) for weight in weights])
    return Network(widths, linear, ACTIVATIONS[activation], NORMS[norm].block, skip_scale)


def assert_identical(flow, other):
    for name in LayerFlow._fields:
        np.testing.assert_array_equal(flow.column(name), other.column(name), err_msg=name)
    np.testing.assert_array_equal(flow.output, other.output)
    assert (flow.reached, flow.obstacle) == (other.reached, other.obstacle)


# ---- closed forms


def test_thousands_of_orthogonal_layers_halve_the_gradient_each(flow_of):
    depth = 1200
    flow = flow_of(depth=depth, width=16, activation="linear", init="orthogonal", gain=0.5)
    layers_above = np.arange(depth - 1, -1, -1)
    np.testing.assert_allclose(flow.log10_gradient_ratio, layers_above * math.log10(0.5), rtol=1e-9, atol=1e-12)
    assert flow.log10_gradient_ratio[0] == pytest.approx((depth - 1) * math.log10(0.5), rel=1e-12)

    signal = flow.column("log10_activation_rms")
    gone = np.flatnonzero(signal == -math.inf)[0]
    assert 1060 < gone < 1085  # 2**-1074 is the smallest float
    assert (signal[gone:] == -math.inf).all()
    np.testing.assert_allclose(signal[:900], signal[0] + np.arange(900) * math.log10(0.5), rtol=1e-12)


def test_sigmoid_gradients_shrink_fourfold_per_layer(flow_of):
    flow = flow_of(depth=20, width=8, activation="sigmoid", init="orthogonal", gain=1e-5)
    np.testing.assert_allclose(flow.log10_local_gain[:-1], -5 - math.log10(4), atol=1e-9)


def test_a_thousand_sigmoid_layers_have_a_finite_logarithm_each(flow_of):
    gradient = flow_of(depth=1000, width=16, activation="sigmoid").column("log10_gradient_rms")
    assert np.isfinite(gradient).all()
    assert gradient[0] < -400  # the smallest float is 5e-324
    assert (np.diff(gradient) > 0).all()


def test_he_keeps_the_squared_signal_and_gradient_of_relu_on_average(flow_of):
    flows = [
        flow_of(seed=seed, depth=4, width=64, batch=2, activation="relu", init="he", features=64) for seed in range(80)
    ]
    for name, first, last in [("log10_activation_rms", 0, -1), ("log10_gradient_rms", -1, 0)]:
        ratios = [10 ** (2 * (flow.column(name)[last] - flow.column(name)[first])) for flow in flows]
        assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / math.sqrt(len(ratios)))
        assert np.std(ratios) / math.sqrt(len(ratios)) < 0.08


def test_linear_orthogonal_layers_keep_every_cosine_and_rank(flow_of):
    flow = flow_of(depth=30, width=12, activation="linear", init="orthogonal", features=12)
    for name in ("input_cosine", "effective_rank", "log10_gradient_rms", "log10_weight_gradient_norm"):
        np.testing.assert_allclose(flow.column(name), flow.column(name)[0], rtol=1e-12)


# ---- what is measured


def test_weight_gradient_norms_agree_with_central_differences_of_the_loss(rng):
    weights = [rng.standard_normal(shape) / 2 for shape in [(4, 5), (5, 5), (5, 5), (5, 3)]]
    inputs, loss, h = rng.standard_normal((6, 4)), cross_entropy(rng.integers(0, 3, 6)), 1e-5

    def loss_with(layer, change):
        changed = [w + change if i == layer else w for i, w in enumerate(weights)]
        return measure(made_of(changed, "tanh", "layer", 0.5), inputs, loss).output.loss

    def norm(layer):
        squares = 0.0
        for entry in np.ndindex(weights[layer].shape):
            change = np.zeros_like(weights[layer])
            change[entry] = h
            squares += ((loss_with(layer, change) - loss_with(layer, -change)) / (2 * h)) ** 2
        return math.log10(squares) / 2

    flow = measure(made_of(weights, "tanh", "layer", 0.5), inputs, loss)
    measured = [*flow.column("log10_weight_gradient_norm"), flow.output.log10_weight_gradient_norm]
    np.testing.assert_allclose(measured, [norm(layer) for layer in range(4)], atol=1e-8)


def test_layers_report_the_size_of_their_signal(rng):
    weights = [rng.standard_normal((5, 5)) for _ in range(3)]
    inputs = rng.uniform(1, 2, (7, 5))
    first = inputs @ weights[0]
    second = np.maximum(first, 0) @ weights[1]
    flow = measure(made_of(weights, "relu"), inputs, mean_square)
    std, rms, norm = (
        10 ** flow.column(f"log10_{name}") for name in ("preactivation_std", "activation_rms", "weight_norm")
    )
    np.testing.assert_allclose(std, [z.std() for z in (first, second)], rtol=1e-13)
    np.testing.assert_allclose(rms, [np.sqrt((np.maximum(z, 0) ** 2).mean()) for z in (first, second)], rtol=1e-13)
    np.testing.assert_allclose(norm, [np.linalg.norm(weight) for weight in weights[:2]], rtol=1e-13)


def test_layers_report_the_diversity_of_their_outputs(rng):
    weights = [rng.standard_normal((5, 5)) for _ in range(3)]
    inputs = rng.standard_normal((7, 5))
    first = np.tanh(inputs @ weights[0])
    second = np.tanh(first @ weights[1])
    flow = measure(made_of(weights, "tanh"), inputs, mean_square)
    expected_cosine, expected_rank = (
        [function(outputs) for outputs in (first, second)] for function in (mean_cosine, effective_rank)
    )
    np.testing.assert_allclose(flow.column("input_cosine"), expected_cosine, rtol=1e-12)
    np.testing.assert_allclose(flow.column("effective_rank"), expected_rank, rtol=1e-12)


def test_fans_are_the_shapes_of_the_hidden_layers(flow_of):
    flow = flow_of(depth=3, width=(4, 9, 2), features=7)
    assert flow.fan_in == (7, 4, 9)
    assert flow.fan_out == (4, 9, 2)


def test_only_units_dead_for_the_whole_batch_are_dead():
    inputs = np.array([[1.0, -1.0, 1.0, -2.0], [2.0, -3.0, -1.0, 0.0], [1.0, -1.0, -1.0, 2.0]])
    identity = np.eye(4)  # unit 2 never fires; units 3 and 4 do once
    assert measure(made_of([identity, identity], "relu"), inputs, mean_square).layers[0].dead_fraction == 0.25
    assert measure(made_of([identity, identity], "leaky_relu"), inputs, mean_square).layers[0].dead_fraction == 0


def test_an_entry_is_saturated_below_a_hundredth_of_the_steepest_slope():
    def saturated(activation, *z):
        weights = [np.eye(len(z)), np.eye(len(z))]
        return measure(made_of(weights, activation), np.array([z]), mean_square).layers[0].saturated_fraction

    edge = math.acosh(10)  # 1/cosh² = 1 %
    assert saturated("tanh", 0, edge - 1e-6, edge + 1e-6, -edge - 1e-6) == 0.5
    assert saturated("sigmoid", 0, 2 * edge - 1e-6, 2 * edge + 1e-6, -9) == 0.5  # σ(z) = (1 + tanh(z/2))/2
    assert saturated("relu", -1, 1, 2, 3) == 0.25
    assert saturated("leaky_relu", -1, -2, 1) == 0  # its slope is 1 %, and no less
    assert saturated("linear", 1e9, -1e9) == 0


def test_the_slope_is_taken_after_the_norm():
    inputs = np.array([[100.0, 101.0], [101.0, 100.0]])
    weights = [np.eye(2), np.eye(2)]
    assert measure(made_of(weights, "tanh"), inputs, mean_square).layers[0].saturated_fraction == 1
    assert measure(made_of(weights, "tanh", "layer"), inputs, mean_square).layers[0].saturated_fraction == 0


def test_step_lets_no_gradient_through_and_its_ratio_is_undefined(flow_of):
    flow = flow_of(depth=4, width=8, activation="step")
    assert (flow.column("log10_gradient_rms") == -math.inf).all()
    assert np.isnan(flow.log10_gradient_ratio).all()
    assert np.isnan(flow.log10_local_gain).all()
    assert math.isfinite(flow.output.loss)


def test_ratio_compares_with_the_last_layer_and_local_gain_with_the_next(flow_of):
    flow = flow_of(depth=5, width=8, activation="tanh")
    gradient = flow.column("log10_gradient_rms")
    assert flow.log10_gradient_ratio[-1] == 0
    assert math.isnan(flow.log10_local_gain[-1])
    assert flow.log10_gradient_ratio[1] == pytest.approx(gradient[1] - gradient[4], abs=1e-15)
    assert flow.log10_local_gain[1] == pytest.approx(gradient[1] - gradient[2], abs=1e-15)
    np.testing.assert_allclose(np.cumsum(flow.log10_local_gain[3::-1])[::-1], flow.log10_gradient_ratio[:-1])


def test_a_single_example_has_gradients_but_no_diversity(flow_of):
    flow = flow_of(depth=3, width=8, batch=1)
    assert np.isnan(flow.column("input_cosine")).all()
    assert np.isnan(flow.column("effective_rank")).all()
    assert np.isfinite(flow.column("log10_gradient_rms")).all()


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "gelu"])
def test_single_precision_gives_the_same_flow_to_six_digits(activation, flow_of):
    single, double = (flow_of(depth=60, width=32, activation=activation, dtype=d) for d in ("float32", "float64"))
    for name in ("log10_gradient_rms", "log10_weight_gradient_norm", "log10_activation_rms"):
        np.testing.assert_allclose(single.column(name), double.column(name), atol=1e-4)


# ---- what changes nothing


@pytest.mark.parametrize("memory", [1, 30_000, 100_000])
@pytest.mark.parametrize("fields", [{"norm": "batch"}, {"residual": True, "activation": "relu"}, {"bias_std": 0.2}])
def test_little_memory_gives_the_identical_flow(memory, fields, flow_of):
    assert_identical(flow_of(depth=23, width=10, memory=memory, **fields), flow_of(depth=23, width=10, **fields))


@pytest.mark.parametrize("memory", [1, 30_000])
def test_little_memory_stops_at_the_same_overflow(memory, flow_of):
    fields = {"depth": 50, "width": 10, "activation": "linear", "init": "normal", "weight_std": 1e10}
    assert_identical(flow_of(memory=memory, **fields), flow_of(**fields))


def test_layers_are_made_once_with_enough_memory_and_twice_without(network_of, rng):
    network, inputs = network_of(depth=6, width=4), rng.standard_normal((3, 12))

    def layers_made(memory):
        made = []
        counting = network._replace(linear=lambda layer: made.append(layer) or network.linear(layer))
        measure(counting, inputs, mean_square, memory)
        return sorted(made)

    assert layers_made(10**9) == [1, 2, 3, 4, 5, 6, 7]
    assert layers_made(1) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7]  # the last segment is still there


@pytest.mark.parametrize("factor", [1e-8, 65536.0, 1e-300])
def test_scaling_the_loss_shifts_gradients_and_leaves_ratios(factor, flow_of):
    plain, scaled = (flow_of(depth=40, width=24, activation="tanh", loss_factor=f) for f in (1.0, factor))
    for name in ("log10_gradient_rms", "log10_weight_gradient_norm"):
        np.testing.assert_allclose(scaled.column(name) - plain.column(name), math.log10(factor), atol=1e-12)
    np.testing.assert_allclose(scaled.log10_gradient_ratio, plain.log10_gradient_ratio, atol=1e-12)
    np.testing.assert_allclose(scaled.log10_local_gain, plain.log10_local_gain, atol=1e-12)
    np.testing.assert_array_equal(scaled.column("log10_activation_rms"), plain.column("log10_activation_rms"))


def test_the_order_of_the_examples_does_not_matter(network_of, rng):
    network, inputs, labels = network_of(depth=10, width=8), rng.standard_normal((9, 12)), rng.integers(0, 5, 9)
    order = rng.permutation(9)
    flow = measure(network, inputs, cross_entropy(labels))
    shuffled = measure(network, inputs[order], cross_entropy(labels[order]))
    np.testing.assert_allclose(np.array(flow.layers), np.array(shuffled.layers), rtol=1e-9)


# ---- overflow and nan


@pytest.fixture
def overflown(flow_of):
    return flow_of(depth=50, width=16, activation="linear", init="normal", weight_std=1e10)


def test_overflow_stops_where_plain_numpy_overflows(overflown, network_of, rng):
    network = network_of(depth=50, width=16, activation="linear", init="normal", weight_std=1e10)
    x, finite = np.random.default_rng(1000).standard_normal((16, 12)), 0
    with np.errstate(all="ignore"):
        while np.isfinite(x := x @ network.linear(finite + 1).weight).all():
            finite += 1
    assert overflown.reached == finite
    assert 20 < finite < 32
    assert overflown.obstacle == "overflow"


def test_layers_before_an_overflow_are_measured_and_those_after_it_are_not(overflown):
    values = np.array(overflown.layers)
    assert np.isfinite(values[: overflown.reached]).all()
    assert np.isnan(values[overflown.reached :]).all()
    assert np.isnan(overflown.output).all()
    assert overflown.log10_gradient_ratio[overflown.reached - 1] == 0
    assert len(overflown.layers) == 50


def test_after_an_overflow_the_gradient_is_that_of_the_mean_square(overflown):
    """∂(mean x²)/∂x = 2x/size at the last layer reached, whose activation is linear."""
    last = overflown.layers[overflown.reached - 1]
    assert last.log10_gradient_rms == pytest.approx(math.log10(2 / 256) + last.log10_activation_rms, abs=1e-12)


@pytest.mark.parametrize(("width", "batch"), [(16, 1), (512, 16), (1024, 4)])
def test_an_overflow_is_called_one_however_the_products_are_summed(width, batch, flow_of):
    flow = flow_of(depth=10, width=width, batch=batch, activation="linear", init="normal", weight_std=1e40)
    assert flow.reached == 7
    assert flow.obstacle == "overflow"


def test_an_overflow_in_the_readout_leaves_all_hidden_layers_measured(rng):
    weights = [np.eye(3), 1e200 * np.eye(3), 1e200 * np.eye(3)]
    flow = measure(made_of(weights), rng.uniform(1, 2, (4, 3)), mean_square)
    assert (flow.reached, flow.obstacle) == (2, "overflow")
    assert np.isfinite(flow.column("log10_gradient_rms")).all()
    assert np.isnan(flow.output).all()


def test_an_overflow_after_the_activation_is_seen_in_its_layer():
    weights = [1e308 * np.eye(2), np.eye(2), np.eye(2)]  # 1e308 + 1e308 on the skip connection
    flow = measure(made_of(weights, skip_scale=1.0), np.ones((3, 2)), mean_square)
    assert (flow.reached, flow.obstacle) == (1, "overflow")


def test_an_overflow_in_the_first_layer_leaves_nothing(rng):
    flow = measure(made_of([1e308 * np.eye(3)] * 3), rng.uniform(2, 3, (4, 3)), mean_square)
    assert (flow.reached, flow.obstacle) == (0, "overflow")
    assert np.isnan(np.array(flow.layers)).all()
    assert np.isnan(flow.log10_gradient_ratio).all()


def test_a_nan_among_the_weights_is_called_nan(rng):
    broken = np.eye(3)
    broken[1, 2] = math.nan
    flow = measure(made_of([np.eye(3), broken, np.eye(3)]), rng.standard_normal((4, 3)), mean_square)
    assert (flow.reached, flow.obstacle) == (1, "nan")


def test_huge_but_finite_signals_are_measured_to_the_end(rng):
    inputs = rng.standard_normal((5, 3))
    plain = measure(made_of([np.eye(3)] * 3), inputs, mean_square).layers[1]
    huge = measure(made_of([np.eye(3), 1e300 * np.eye(3), 1e-300 * np.eye(3)]), inputs, mean_square).layers[1]
    assert huge.log10_activation_rms == pytest.approx(300 + plain.log10_activation_rms, abs=1e-10)
    assert huge.log10_preactivation_std == pytest.approx(300 + plain.log10_preactivation_std, abs=1e-10)
    assert huge.log10_gradient_rms == pytest.approx(plain.log10_gradient_rms - 300, abs=1e-10)
    assert huge.input_cosine == pytest.approx(plain.input_cosine, abs=1e-12)
    assert huge.effective_rank == pytest.approx(plain.effective_rank, rel=1e-12)


# ---- recurrences


def test_a_recurrence_is_measured_step_by_step(recurrent_flow_of):
    for arch, gates in [("rnn", 1), ("lstm", 4), ("gru", 3)]:
        flow = recurrent_flow_of(arch=arch, steps=6, width=5, features=12)
        assert (flow.unit, len(flow.layers), flow.reached) == ("step", 6, 6)
        assert flow.fan_in == (2 + 5,) * 6
        assert flow.fan_out == (gates * 5,) * 6


def test_a_perceptron_is_measured_layer_by_layer(flow_of):
    assert flow_of(depth=2, width=4).unit == "layer"


def test_several_draws_of_a_recurrence_are_steps_still(recurrent_flow_of):
    flows = [recurrent_flow_of(arch="gru", steps=6, width=5, seed=seed) for seed in range(3)]
    assert average(flows).unit == "step"


def test_saturation_of_a_cell_is_the_mean_over_its_gates(recurrent_flow_of):
    flow = recurrent_flow_of(arch="lstm", steps=6, width=5, gain=0.01, forget_bias=20.0)
    np.testing.assert_array_equal(flow.column("saturated_fraction"), 1 / 4)
    flow = recurrent_flow_of(arch="gru", steps=6, width=5, gain=0.01, forget_bias=20.0)
    np.testing.assert_array_equal(flow.column("saturated_fraction"), 1 / 3)


def test_a_units_derivative_is_dead_gate_by_gate(recurrent_flow_of):
    flow = recurrent_flow_of(arch="rnn", activation="step", steps=6, width=5)
    np.testing.assert_array_equal(flow.column("dead_fraction"), 1)
    np.testing.assert_array_equal(recurrent_flow_of(arch="lstm", steps=6, width=5).column("dead_fraction"), 0)


def test_weights_that_are_shared_weigh_the_same_at_every_step(recurrent_of, recurrent_flow_of):
    fields = {"arch": "gru", "steps": 6, "width": 5}
    (_, W_x), (_, W_h), _ = recurrent_of(**fields).maps
    norm = np.sqrt((W_x.weight**2).sum() + (W_h.weight**2).sum())
    np.testing.assert_allclose(10 ** recurrent_flow_of(**fields).column("log10_weight_norm"), norm, rtol=1e-13)


def test_a_single_steps_weight_gradient_is_that_of_the_network(recurrent_of, rng):
    network = recurrent_of(arch="lstm", steps=1, width=5, features=3, bias_std=0.3)
    inputs, loss = rng.standard_normal((6, 3)), cross_entropy(rng.integers(0, 5, 6))
    unrolled, start = network.unrolled(inputs)
    at_W_x, _, at_W_h, *_ = network.gradient(inputs, loss).parts
    assert not at_W_h.any()  # the state before the first step is zero
    measured = measure(unrolled, start, loss).layers[0].log10_weight_gradient_norm
    assert 10**measured == pytest.approx(np.linalg.norm(at_W_x), rel=1e-12)


def test_a_wide_open_gate_keeps_the_gradient_over_five_hundred_steps(recurrent_flow_of):
    spans = {}
    for bias, steps in ((0.0, 125), (20.0, 500)):
        flow = recurrent_flow_of(arch="gru", steps=steps, width=8, features=500, forget_bias=bias)
        gradient = flow.column("log10_gradient_rms")
        spans[bias] = gradient.max() - gradient.min()
    assert spans[20.0] < 1 < 20 < spans[0.0]
