import math

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS
from gradcheck.engine.layered import Units, backward, forward
from gradcheck.engine.linear import Dense
from gradcheck.engine.loss import cross_entropy
from gradcheck.engine.magnitude import Scaled
from gradcheck.engine.recurrence import Recurrence

BATCH, FEATURES, STEPS, WIDTH, CLASSES, STEP = 6, 3, 7, 4, 5, 1e-5
KINDS = [*(("rnn", activation) for activation in ACTIVATIONS), ("lstm", "tanh"), ("gru", "tanh")]
every_kind = pytest.mark.parametrize(("arch", "activation"), KINDS)
every_arch = pytest.mark.parametrize("arch", CELLS)


@pytest.fixture
def network(recurrent_of):
    """An architecture and an activation ↦ a network with biases everywhere."""

    def drawn(arch, activation="tanh"):
        return recurrent_of(
            arch=arch, activation=activation, steps=STEPS, width=WIDTH, features=STEPS * FEATURES, classes=CLASSES,
            init="lecun", bias_std=0.4, seed=2,
        )  # fmt: skip

    return drawn


@pytest.fixture
def inputs(rng):
    return rng.standard_normal((BATCH, STEPS * FEATURES))


@pytest.fixture
def labels(rng):
    labels = rng.integers(0, CLASSES, BATCH)
    labels[0] = CLASSES - 1
    return labels


def parameters(network):
    return [array for _, (weight, bias) in network.maps for array in (weight, bias)]


def with_parameters(network, arrays):
    """The network with other weights and biases, in the order of ``parameters``."""
    x, h, out = (Dense(*arrays[first : first + 2]) for first in (0, 2, 4))
    return network._replace(recurrence=network.recurrence._replace(input=x, recurrent=h), readout=out)


def total(scaled):
    return np.ldexp(scaled.mantissa, scaled.exponent)


# ---- one step


@every_kind
def test_pullback_to_the_state_agrees_with_autograd_and_differences(
    arch, activation, network, rng, check_pullback, by_autograd
):
    recurrence = network(arch, activation).recurrence
    x, phi = rng.standard_normal((BATCH, FEATURES)), by_autograd.activations[activation]
    (W_x, b), (W_h, b_h) = recurrence.input, recurrence.recurrent

    def block(state):
        step = recurrence(x, state)
        return step.output, lambda delta: step.pullback(delta)[1]

    def second_definition(state):
        return by_autograd.cells[arch](x @ W_x + b, state[:, :WIDTH] @ W_h + b_h, state, phi)

    check_pullback(block, second_definition, rng.standard_normal((BATCH, CELLS[arch].states * WIDTH)))


@every_arch
def test_the_gradient_at_the_recurrent_product_agrees_with_autograd_and_differences(
    arch, network, rng, check_pullback, by_autograd
):
    recurrence = network(arch).recurrence
    x, state = rng.standard_normal((BATCH, FEATURES)), rng.standard_normal((BATCH, CELLS[arch].states * WIDTH))
    from_input = recurrence.input(x)[0]

    def block(from_state):
        step = CELLS[arch].step(from_input, from_state, state, ACTIVATIONS["tanh"])
        return step.state, lambda delta: step.pullback(delta)[2]

    def second_definition(from_state):
        return by_autograd.cells[arch](from_input, from_state, state, anp.tanh)

    check_pullback(block, second_definition, recurrence.recurrent(state[:, :WIDTH])[0])


@every_arch
def test_a_steps_pass_keeps_what_is_measured(arch, network, rng):
    recurrence = network(arch).recurrence
    x, state = rng.standard_normal((BATCH, FEATURES)), rng.standard_normal((BATCH, CELLS[arch].states * WIDTH))
    step = recurrence(x, state)
    assert step.maps == (recurrence.input, recurrence.recurrent)
    assert step.preactivation.shape == (BATCH, len(CELLS[arch].gates) * WIDTH)
    np.testing.assert_array_equal(step.activity, step.output[:, :WIDTH])
    assert [steepest for _, steepest in step.slopes] == list(CELLS[arch].steepest or (1.0,))
    known = recurrence(x, state, recurrence.input(x)[0])
    np.testing.assert_array_equal(known.output, step.output)


# ---- a network in time


def test_an_example_is_cut_into_steps_in_its_order(network):
    inputs = np.arange(float(BATCH * STEPS * FEATURES)).reshape(BATCH, -1)
    sequence = network("rnn").sequence(inputs)
    assert sequence.shape == (STEPS, BATCH, FEATURES)
    for step in range(STEPS):
        np.testing.assert_array_equal(sequence[step], inputs[:, step * FEATURES : (step + 1) * FEATURES])


@every_arch
def test_an_unrolled_recurrence_is_as_deep_as_its_sequence_and_starts_from_zero(arch, network, inputs):
    unrolled, start = network(arch).unrolled(inputs)
    assert (unrolled.units, unrolled.depth) == (Units("step", shared=True), STEPS)
    assert unrolled.fans == [(FEATURES + WIDTH, len(CELLS[arch].gates) * WIDTH)] * STEPS
    assert start.shape == (BATCH, CELLS[arch].states * WIDTH)
    assert not start.any()


@every_arch
def test_the_last_step_gives_the_hidden_state_alone_and_the_others_the_whole_state(arch, network, inputs, rng):
    unrolled, start = network(arch).unrolled(inputs)
    *steps, last = forward(unrolled, start, range(1, STEPS + 1))
    states = CELLS[arch].states
    assert {step.output.shape for step in steps} == {(BATCH, states * WIDTH)}
    whole = unrolled.recurrence(unrolled.sequence[-1], steps[-1].output)
    np.testing.assert_array_equal(last.output, whole.output[:, :WIDTH])
    np.testing.assert_array_equal(last.activity, last.output)
    delta = rng.standard_normal((BATCH, WIDTH))
    padded = np.concatenate([delta, np.zeros((BATCH, (states - 1) * WIDTH))], axis=1)
    ours, theirs = last.pullback(delta), whole.pullback(padded)
    for one, other in zip(ours[:2] + ours.products[1], theirs[:2] + theirs.products[1], strict=True):
        np.testing.assert_array_equal(one, other)


@every_kind
def test_the_gradient_agrees_with_autograd_and_differences(
    arch, activation, network, inputs, labels, rng, by_autograd, relative_error, record_error
):
    ours = network(arch, activation)
    phi, loss_of_logits = by_autograd.activations[activation], by_autograd.cross_entropy(labels)

    def loss(arrays):
        W_x, b, W_h, b_h, W_out, b_out = arrays
        state = np.zeros((BATCH, CELLS[arch].states * WIDTH))
        for step in range(STEPS):
            x = inputs[:, step * FEATURES : (step + 1) * FEATURES]
            state = by_autograd.cells[arch](x @ W_x + b, state[:, :WIDTH] @ W_h + b_h, state, phi)
        return loss_of_logits(state[:, :WIDTH] @ W_out + b_out)

    arrays = parameters(ours)
    gradient = ours.gradient(inputs, cross_entropy(labels))
    assert gradient.loss == pytest.approx(float(loss(arrays)), rel=1e-12)
    for part, theirs in zip(gradient.parts, grad(loss)(arrays), strict=True):
        error = relative_error(part, theirs)
        record_error("backpropagation through time against autograd", error)
        assert error < 1e-9

    directions = [rng.standard_normal(array.shape) for array in arrays]
    there, back = (
        with_parameters(ours, [a + sign * STEP * d for a, d in zip(arrays, directions, strict=True)])
        .gradient(inputs, cross_entropy(labels)).loss
        for sign in (1, -1)
    )  # fmt: skip
    along = sum(np.vdot(part, direction) for part, direction in zip(gradient.parts, directions, strict=True))
    assert along == pytest.approx((there - back) / (2 * STEP), rel=1e-6, abs=1e-9)


@every_kind
def test_the_flow_of_all_steps_adds_up_to_the_gradient(arch, activation, network, inputs, labels, relative_error):
    ours, loss = network(arch, activation), cross_entropy(labels)
    unrolled, start = ours.unrolled(inputs)
    steps = list(forward(unrolled, start, range(1, STEPS + 1)))
    logits, through_readout = unrolled.readout(steps[-1].output)
    value, at_logits = loss(logits)
    at_weights = [0.0, 0.0]
    for back in backward(steps, Scaled(through_readout(at_logits))):
        for index, (x, delta) in enumerate(back.products):
            at_weights[index] = at_weights[index] + total(x).T @ total(delta)

    gradient = ours.gradient(inputs, loss)
    assert gradient.loss == pytest.approx(value, rel=1e-13)
    assert relative_error(gradient.logits, logits) < 1e-13
    assert relative_error(at_weights[0], gradient.parts[0]) < 1e-12
    assert relative_error(at_weights[1], gradient.parts[2]) < 1e-12
    assert relative_error(steps[-1].output.T @ at_logits, gradient.parts[4]) < 1e-13


@every_arch
def test_logits_are_those_of_the_gradient(arch, network, inputs, labels):
    ours = network(arch)
    np.testing.assert_array_equal(ours.logits(inputs), ours.gradient(inputs, cross_entropy(labels)).logits)


@every_arch
def test_a_map_without_bias_has_no_gradient_of_one(arch, recurrent_of, inputs, labels):
    ours = recurrent_of(arch=arch, steps=STEPS, width=WIDTH, features=STEPS * FEATURES, forget_bias=None)
    parts = ours.gradient(inputs, cross_entropy(labels)).parts
    present = [array.shape for array in parameters(ours) if array is not None]
    assert [part.shape for part in parts] == present
    assert len(present) == (4 if arch == "lstm" else 3)  # an lstm's forget gate starts open


@every_arch
def test_maps_have_the_names_and_shapes_of_the_contract(arch, network):
    gates = len(CELLS[arch].gates) * WIDTH
    assert [(names, dense.weight.shape) for names, dense in network(arch).maps] == [
        (("W_x", "b"), (FEATURES, gates)),
        (("W_h", "b_h"), (WIDTH, gates)),
        (("W_out", "b_out"), (WIDTH, CLASSES)),
    ]


# ---- beyond the range of floats


@pytest.mark.parametrize(("gain", "steps"), [(0.5, 1200), (1e-3, 150)])
def test_linear_steps_without_end_have_the_gradient_of_the_closed_form(gain, steps, recurrent_flow_of):
    flow = recurrent_flow_of(
        arch="rnn", activation="linear", init="orthogonal", recurrent_gain=gain, steps=steps, width=8, features=steps
    )
    assert flow.reached == steps
    assert np.isfinite(flow.column("log10_gradient_rms")).all()
    assert np.isfinite(flow.column("log10_weight_gradient_norm")).all()
    expected = np.arange(steps - 1, -1, -1) * math.log10(gain)
    np.testing.assert_allclose(flow.log10_gradient_ratio, expected, rtol=1e-10, atol=1e-11)
    assert flow.log10_gradient_ratio[0] == pytest.approx((steps - 1) * math.log10(gain), rel=1e-12)


@pytest.mark.parametrize("at_state", [1e-300, 1e-200, 1e200])
@every_arch
def test_products_are_right_where_squares_leave_the_range(arch, at_state, network, inputs):
    unrolled, start = network(arch).unrolled(inputs)
    step = list(forward(unrolled, start, range(1, STEPS + 1)))[2]
    delta = np.full_like(step.output, 1.0)
    (plain,), (moved,) = (backward([step], Scaled(delta * size)) for size in (1.0, at_state))
    for (x, product), (x_again, product_again) in zip(plain.products, moved.products, strict=True):
        np.testing.assert_allclose(total(x_again), total(x), rtol=1e-14)
        np.testing.assert_allclose(total(product_again) / at_state, total(product), rtol=1e-12)


@every_arch
def test_less_memory_changes_no_number(arch, recurrent_flow_of):
    fields = {"arch": arch, "steps": 30, "width": 9, "features": 60, "bias_std": 0.1}
    whole = recurrent_flow_of(**fields)
    for memory in (0, 10_000, 30_000):
        assert repr(recurrent_flow_of(memory=memory, **fields)) == repr(whole)


def test_a_recurrence_that_overflows_ends_where_it_does(recurrent_flow_of):
    flow = recurrent_flow_of(
        arch="rnn", activation="linear", init="orthogonal", recurrent_gain=1e10, steps=64, width=8, features=64
    )
    assert (flow.obstacle, flow.unit) == ("overflow", "step")
    assert 29 <= flow.reached <= 32  # 1e10**31 is beyond 1.8e308
    assert np.isfinite(flow.column("log10_gradient_rms")[: flow.reached]).all()


def test_recurrence_takes_its_width_from_the_recurrent_matrix(rng):
    weights = rng.standard_normal((3, 8)), rng.standard_normal((2, 8))
    assert Recurrence(CELLS["lstm"], Dense(weights[0]), Dense(weights[1]), ACTIVATIONS["tanh"]).width == 2
