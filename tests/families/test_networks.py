import math

import numpy as np
import pytest

from gradcheck.engine.cells import CELLS
from gradcheck.engine.network import Network
from gradcheck.engine.recurrence import RecurrentNetwork
from gradcheck.families import FAMILIES, drawn_network, given_network
from gradcheck.spec import NetworkSpec, RecurrentSpec

FEATURES, WIDTH, CLASSES = 120, 80, 10
#: The variance of W_x and of W_h, gate by gate.
VARIANCES = {
    "xavier": (2 / (FEATURES + WIDTH), 1 / WIDTH),
    "xavier_uniform": (2 / (FEATURES + WIDTH), 1 / WIDTH),
    "he": (2 / FEATURES, 2 / WIDTH),
    "he_uniform": (2 / FEATURES, 2 / WIDTH),
    "lecun": (1 / FEATURES, 1 / WIDTH),
    "lecun_uniform": (1 / FEATURES, 1 / WIDTH),
    "torch_default": (1 / (3 * WIDTH), 1 / (3 * WIDTH)),
}
every_arch = pytest.mark.parametrize("arch", CELLS)
gated = pytest.mark.parametrize("arch", ["lstm", "gru"])


@pytest.fixture
def maps():
    """Spec fields ↦ the linear maps of a recurrence of one step: the input's, the hidden state's, the read-out's."""

    def drawn(arch, seed=0, steps=1, features=FEATURES, dtype="float64", **fields):
        spec = RecurrentSpec(arch=arch, steps=steps, **({"width": WIDTH} | fields))
        return [dense for _, dense in drawn_network(spec, features * steps, CLASSES, seed, dtype).maps]

    return drawn


def by_gate(arch, array):
    return np.split(array, len(CELLS[arch].gates), axis=-1)


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)
        np.testing.assert_array_equal(one.bias, other.bias)


# ---- laws


@every_arch
def test_every_gate_is_drawn_from_the_law_of_its_own_fans(arch, maps):
    for init, variances in VARIANCES.items():
        W_x, W_h = (dense.weight for dense in maps(arch, init=init)[:2])
        for weight, expected in zip((W_x, W_h), variances, strict=True):
            for gate in by_gate(arch, weight):
                assert gate.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / gate.size)), init
                assert abs(gate.mean()) < 5 * math.sqrt(expected / gate.size), init


@pytest.mark.parametrize("init", ["normal", "uniform"])
def test_a_given_standard_deviation_is_that_of_every_matrix(init, maps):
    for dense in maps("gru", init=init, weight_std=0.03, gain=2.0):
        assert dense.weight.std() == pytest.approx(0.06, rel=0.1)
        assert (np.abs(dense.weight).max() > 0.06 * math.sqrt(3)) == (init == "normal")


@every_arch
def test_the_gates_are_drawn_apart(arch, maps):
    W_x, W_h, _ = (dense.weight for dense in maps(arch, features=WIDTH))
    matrices = np.array([gate.ravel() for weight in (W_x, W_h) for gate in by_gate(arch, weight)])
    apart = np.corrcoef(matrices) - np.eye(len(matrices))
    assert np.abs(apart).max() < 5 / WIDTH


@every_arch
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal_is_orthogonal_gate_by_gate(arch, gain, maps):
    W_x, W_h, W_out = (dense.weight for dense in maps(arch, init="orthogonal", gain=gain))
    for weight in (W_x, W_h):
        for gate in by_gate(arch, weight):
            np.testing.assert_allclose(gate.T @ gate, gain**2 * np.eye(WIDTH), atol=1e-13)
    np.testing.assert_allclose(W_out.T @ W_out, gain**2 * np.eye(CLASSES), atol=1e-13)


@every_arch
def test_the_recurrent_gain_multiplies_the_recurrent_weights_alone(arch, maps):
    plain, scaled = maps(arch, gain=1.5), maps(arch, gain=1.5, recurrent_gain=0.3)
    np.testing.assert_array_equal(scaled[0].weight, plain[0].weight)
    np.testing.assert_allclose(scaled[1].weight, 0.3 * plain[1].weight, rtol=1e-14)
    np.testing.assert_array_equal(scaled[2].weight, plain[2].weight)


@every_arch
def test_the_gain_multiplies_every_matrix(arch, maps):
    for plain, scaled in zip(maps(arch), maps(arch, gain=2.5), strict=True):
        np.testing.assert_allclose(scaled.weight, 2.5 * plain.weight, rtol=1e-14)


@every_arch
@pytest.mark.parametrize("features", [2, 500])
def test_torchs_default_is_bounded_by_the_width_alone_as_pytorch_has_it(arch, features, maps):
    bound = 1 / math.sqrt(WIDTH)
    (W_x, b), (W_h, b_h), (W_out, b_out) = maps(arch, init="torch_default", features=features, forget_bias=None)
    if arch == "lstm":
        b[WIDTH : 2 * WIDTH] -= 1  # the forget gate's, which starts open
    for array in (W_x, W_h, W_out, b, b_h, b_out):
        assert 0.9 * bound < np.abs(array).max() <= bound * (1 + 1e-12)


# ---- biases


@gated
@pytest.mark.parametrize("value", [3.0, -2.0])
def test_the_forget_bias_is_in_the_gate_that_keeps_the_memory_and_nowhere_else(arch, value, maps):
    (_, b), (_, b_h), (_, b_out) = maps(arch, forget_bias=value)
    expected = {"lstm": [0, value, 0, 0], "gru": [0, value, 0]}[arch]
    np.testing.assert_array_equal(b, np.repeat(expected, WIDTH))
    assert b_h is b_out is None


def test_without_being_asked_an_lstm_starts_with_its_forget_gate_open_and_a_gru_and_an_rnn_without_biases(maps):
    np.testing.assert_array_equal(maps("lstm")[0].bias, np.repeat([0.0, 1.0, 0.0, 0.0], WIDTH))
    assert maps("gru")[0].bias is maps("rnn")[0].bias is None


@gated
def test_the_forget_bias_comes_on_top_of_drawn_biases(arch, maps):
    (_, plain), *others = maps(arch, bias_std=0.2, forget_bias=0.0)
    (_, moved), *same = maps(arch, bias_std=0.2, forget_bias=3.0)
    expected = {"lstm": [0, 3, 0, 0], "gru": [0, 3, 0]}[arch]
    np.testing.assert_allclose(moved - plain, np.repeat(expected, WIDTH), atol=1e-15)
    assert_same(same, others)


@every_arch
def test_bias_std_scales_all_biases(arch, maps):
    (_, b), (_, b_h), _ = maps(arch, bias_std=0.2, width=700, features=2, forget_bias=None if arch == "rnn" else 0.0)
    for bias in (b, b_h):
        assert bias.std() == pytest.approx(0.2, rel=0.1)
    assert abs(np.corrcoef(b, b_h)[0, 1]) < 5 / math.sqrt(b.size)


# ---- draws


@every_arch
def test_the_same_seed_draws_the_same_network_however_many_its_steps(arch, maps):
    fields = {"bias_std": 0.1, "init": "orthogonal"}
    assert_same(maps(arch, seed=5, steps=1, **fields), maps(arch, seed=5, steps=40, **fields))
    one, other = maps(arch, seed=5, **fields), maps(arch, seed=6, **fields)
    assert all(not np.array_equal(a.weight, b.weight) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_arch
def test_a_recurrence_has_the_type_asked_for_and_single_precision_is_the_rounded_double(arch, dtype, maps):
    double, typed = maps(arch, bias_std=0.1), maps(arch, bias_std=0.1, dtype=dtype)
    assert {array.dtype for dense in typed for array in dense} == {np.dtype(dtype)}
    for one, other in zip(double, typed, strict=True):
        np.testing.assert_array_equal(other.weight, one.weight.astype(dtype))


@every_arch
def test_a_recurrence_takes_its_parts_from_the_spec(arch):
    spec = RecurrentSpec(arch=arch, steps=4, width=7)
    network = drawn_network(spec, 12, 5, seed=0)
    assert isinstance(network, RecurrentNetwork)
    assert network.recurrence.cell is CELLS[arch]
    assert (network.steps, network.recurrence.width, network.readout.weight.shape) == (4, 7, (7, 5))


def test_a_perceptron_is_drawn_layer_by_layer():
    network = drawn_network(NetworkSpec(depth=2, width=(7, 3)), 12, 5, seed=0)
    assert isinstance(network, Network)
    assert network.widths == (12, 7, 3, 5)


@every_arch
def test_a_network_of_given_maps_has_them_and_the_logits_of_the_drawn_one(arch, rng):
    spec, inputs = RecurrentSpec(arch=arch, steps=4, width=7, bias_std=0.3), rng.standard_normal((6, 12))
    drawn = drawn_network(spec, 12, 5, seed=3)
    given = given_network(spec, [dense for _, dense in drawn.maps], 12)
    assert_same([dense for _, dense in given.maps], [dense for _, dense in drawn.maps])
    np.testing.assert_array_equal(given.logits(inputs), drawn.logits(inputs))


def test_shapes_name_each_product_of_the_forward_pass():
    assert FAMILIES["mlp"].shapes(NetworkSpec(depth=2, width=(7, 3)), 12, 5) == [(12, 7), (7, 3), (3, 5)]
    spec = RecurrentSpec(arch="lstm", steps=3, width=7)
    assert FAMILIES["lstm"].shapes(spec, 12, 5) == [(4 + 7, 28)] * 3 + [(7, 5)]
