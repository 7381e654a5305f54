import numpy as np
import pytest

from gradcheck import spec
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS

BATCH, WIDTH = 5, 4
every_cell = pytest.mark.parametrize("name", CELLS)
#: Each is held against its own definition in test_activations.py.
some_activations = pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])


@pytest.fixture
def before(rng):
    """A cell's name ↦ what a step is given: x W_x + b, h W_h + b_h, the state."""

    def arrays(name):
        gates, states = len(CELLS[name].gates), CELLS[name].states
        return [rng.standard_normal((BATCH, WIDTH * pieces)) for pieces in (gates, gates, states)]

    return arrays


def logistic(z):
    return 1 / (1 + np.exp(-z))


def test_the_table_and_the_spec_name_the_same_cells():
    assert tuple(CELLS) == spec.RECURRENT
    assert {name for name, cell in CELLS.items() if cell.keeper is not None} == set(spec.USUAL_FORGET_BIAS)


@every_cell
@some_activations
def test_pullback_to_the_preactivations_agrees_with_autograd_and_differences(
    name, activation, before, check_pullback, by_autograd
):
    from_input, from_state, state = before(name)
    phi, again = ACTIVATIONS[activation], by_autograd.cells[name]

    def block(z):
        step = CELLS[name].step(z, from_state, state, phi)
        return step.state, lambda delta: step.pullback(delta)[0]

    check_pullback(block, lambda z: again(z, from_state, state, by_autograd.activations[activation]), from_input)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@some_activations
def test_pullback_around_the_preactivations_agrees_with_autograd_and_differences(
    name, activation, before, check_pullback, by_autograd
):
    from_input, from_state, state = before(name)
    phi, again = ACTIVATIONS[activation], by_autograd.cells[name]

    def block(state):
        step = CELLS[name].step(from_input, from_state, state, phi)
        return step.state, lambda delta: step.pullback(delta)[1]

    def second_definition(state):
        return again(from_input, from_state, state, by_autograd.activations[activation])

    check_pullback(block, second_definition, state)


def test_an_rnn_has_no_path_around_its_preactivations(before):
    step = CELLS["rnn"].step(*before("rnn"), ACTIVATIONS["tanh"])
    assert step.pullback(np.ones((BATCH, WIDTH)))[1] is None


@every_cell
@some_activations
def test_slopes_are_each_gates_derivative_where_it_was_taken(name, activation, before):
    step = CELLS[name].step(*before(name), ACTIVATIONS[activation])
    pieces = np.split(step.preactivation, len(CELLS[name].gates), axis=1)
    assert len(step.slopes) == len(CELLS[name].gates)
    for gate, z, slope in zip(CELLS[name].gates, pieces, step.slopes, strict=True):
        own = ACTIVATIONS[activation].evaluate(z)[1]
        expected = own if gate in ("hidden", "candidate") else logistic(z) * logistic(-z)
        np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_steepest_slopes_are_reached_and_not_passed(name, before):
    gates = len(CELLS[name].gates)
    z = np.linspace(-4, 4, 2001).reshape(-1, 1) * np.ones((1, gates))
    zero = np.zeros((len(z), 1))
    state = np.zeros((len(z), CELLS[name].states))
    step = CELLS[name].step(z, zero * np.ones((1, gates)), state, ACTIVATIONS["tanh"])
    assert [slope.max() for slope in step.slopes] == pytest.approx(CELLS[name].steepest, rel=1e-12)


def test_an_lstms_memory_and_output_are_those_of_its_formulas(before):
    from_input, from_state, state = before("lstm")
    i, f, g, o = np.split(from_input + from_state, 4, axis=1)
    memory = logistic(f) * state[:, WIDTH:] + logistic(i) * np.tanh(g)
    step = CELLS["lstm"].step(from_input, from_state, state, ACTIVATIONS["tanh"])
    np.testing.assert_allclose(step.state[:, WIDTH:], memory, rtol=1e-13)
    np.testing.assert_allclose(step.state[:, :WIDTH], logistic(o) * np.tanh(memory), rtol=1e-13)


def test_a_grus_reset_comes_after_the_product_and_into_the_candidates_preactivation(before):
    from_input, from_state, state = before("gru")
    step = CELLS["gru"].step(from_input, from_state, state, ACTIVATIONS["tanh"])
    reset = logistic(from_input[:, :WIDTH] + from_state[:, :WIDTH])
    candidate = from_input[:, -WIDTH:] + reset * from_state[:, -WIDTH:]
    np.testing.assert_allclose(step.preactivation[:, -WIDTH:], candidate, rtol=1e-13)
    np.testing.assert_array_equal(step.preactivation[:, :-WIDTH], (from_input + from_state)[:, :-WIDTH])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_keeper_that_is_wide_open_keeps_the_memory_and_its_gradient(name, before, rng):
    from_input, from_state, state = before(name)
    keeper = CELLS[name].keeper
    from_input[:, keeper * WIDTH : (keeper + 1) * WIDTH] = 100.0
    if name == "lstm":
        from_input[:, :WIDTH] = -100.0  # nothing new comes in
    step = CELLS[name].step(from_input, from_state, state, ACTIVATIONS["tanh"])
    delta = rng.standard_normal(state.shape)
    delta[:, :-WIDTH] = 0
    np.testing.assert_allclose(step.state[:, -WIDTH:], state[:, -WIDTH:], rtol=1e-13)
    np.testing.assert_allclose(step.pullback(delta)[1][:, -WIDTH:], delta[:, -WIDTH:], rtol=1e-13)
