"""Whole networks whose layers hold no matrix, held against the same networks with matrices."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

import gradcheck
from gradcheck.engine.layered import forward
from gradcheck.engine.loss import loss_of
from gradcheck.engine.threads import BLAS_THREADS, OWN_THREADS
from gradcheck.errors import OptionError
from gradcheck.flow.gradient_flow import measure
from gradcheck.simulation.experiment import Experiment

QUANTITIES = "log10_gradient_rms", "log10_weight_gradient_norm"
NETWORK = {"width": 32, "depth": 6, "batch_size": 8, "data": "gaussian"}
DRAWS = 70

#: The second proves what the first does, by a law of its own.
every_init = pytest.mark.parametrize("init", ["he", pytest.param("orthogonal", marks=pytest.mark.slow)])

#: Of single maps tests/engine proves the same in each run.
every_init_slowly = pytest.mark.parametrize(
    "init", [pytest.param(one, marks=pytest.mark.slow) for one in ("he", "orthogonal")]
)

#: Activation, norm, skip connections, init: each with each other at least once.
COMBINATIONS = [
    ("tanh", "none", False, "he"),
    ("tanh", "layer", True, "orthogonal"),
    ("tanh", "batch", False, "orthogonal"),
    ("relu", "none", False, "orthogonal"),
    ("relu", "layer", False, "he"),
    ("relu", "batch", True, "he"),
    ("gelu", "none", True, "he"),
    ("gelu", "batch", False, "he"),
]


@pytest.fixture(scope="module")
def flows():
    """Options ↦ many draws' flows, weightless and dense, of seeds that they don't share."""

    def measured(draws, **options):
        return [
            [Experiment.from_options(options | {"layers": layers}).flow(first + draw) for draw in range(draws)]
            for layers, first in (("weightless", 0), ("dense", 10_000))
        ]

    return measured


@pytest.fixture(scope="module")
def check_same_law(flows, ks_p_value):
    """Hold the gradients of the first, the middle and the last layer against those of dense networks."""

    def check(family, draws=DRAWS, **options):
        ours, theirs = flows(draws, **NETWORK | options)
        for name in QUANTITIES:
            one, other = (np.array([flow.column(name) for flow in found]) for found in (ours, theirs))
            for layer in (0, NETWORK["depth"] // 2, NETWORK["depth"] - 1):
                assert ks_p_value(one[:, layer], other[:, layer]) > 1e-3 / (6 * family), (name, layer + 1)

    return check


@pytest.fixture(scope="module")
def check_same_means(means_p_value):
    """Hold each layer's mean, in standard errors, against that of dense networks."""

    def check(ours, theirs, layers, of):
        one, other = (np.array([of(flow)[layers] for flow in found]) for found in (ours, theirs))
        assert np.isfinite(one).all()
        assert means_p_value(one, other) > 1e-4  # the largest of all: about four standard errors

    return check


@pytest.fixture
def twice(tmp_path, rng):
    """A file of eight examples, two of them identical."""
    examples = rng.standard_normal((8, 20))
    examples[5] = examples[2]
    np.save(tmp_path / "twice.npy", examples)
    return tmp_path / "twice.npy"


# ---- the law


@pytest.mark.parametrize(
    ("activation", "norm", "residual", "init"),
    [COMBINATIONS[0], *(pytest.param(*one, marks=pytest.mark.slow) for one in COMBINATIONS[1:])],
)
def test_gradients_are_distributed_as_those_of_stored_matrices(activation, norm, residual, init, check_same_law):
    check_same_law(len(COMBINATIONS), activation=activation, norm=norm, residual=residual, init=init)


@every_init_slowly
def test_a_batch_nearly_as_large_as_the_layers_is_no_exception(init, check_same_law):
    check_same_law(2, activation="tanh", init=init, batch_size=24)


@every_init_slowly
def test_a_batch_larger_than_the_layers_is_no_exception(init, check_same_law):
    """Of positive outputs, that are alike: their directions are known to fewer digits."""
    check_same_law(2, draws=60, activation="sigmoid", init=init, gain=3.0, width=16, batch_size=50)


@every_init_slowly
def test_an_example_that_is_there_twice_is_no_exception(init, twice, check_same_law):
    check_same_law(2, activation="tanh", init=init, data=str(twice))


@every_init_slowly
def test_a_single_example_is_no_exception(init, check_same_law):
    check_same_law(2, activation="relu", init=init, batch_size=1)


@every_init
def test_an_example_that_has_died_stays_dead(init):
    """Narrow layers of relus, where some examples die and others don't."""
    one = Experiment.from_options(
        NETWORK | {"width": 5, "depth": 12, "batch_size": 6, "activation": "relu", "init": init, "layers": "weightless"}
    )
    seen = 0
    for seed in range(40):
        network, start = one.draw(seed).unrolled(one.batch(seed).inputs)
        dead = np.array([~one.output.any(axis=1) for one in forward(network, start, range(1, 13))])
        assert not (dead[:-1] & ~dead[1:]).any()
        seen += bool((dead[-1] & ~dead[-1].all()).any())
    assert seen > 3


@pytest.mark.slow
def test_hundreds_of_layers_of_relus_lose_and_keep_what_those_of_stored_matrices_do(flows, check_same_means):
    """The examples have long collapsed into one direction by then, up to rounding."""
    options = NETWORK | {"activation": "relu", "init": "he", "depth": 200, "batch_size": 4}
    ours, theirs = flows(12, **options)
    for name in QUANTITIES:
        check_same_means(ours, theirs, [0, 50, 100, 199], lambda flow, name=name: flow.column(name))
    for flow in ours:
        assert all(np.isfinite(flow.column(name)).all() for name in (*QUANTITIES, "effective_rank", "input_cosine"))


@pytest.mark.slow
@pytest.mark.parametrize("init", ["xavier", "orthogonal"])
def test_examples_that_collapse_do_so_at_the_same_pace(init, flows, check_same_means):
    """A sigmoid leaves about a quarter of their differences, 15 of them no more than 1e-9."""
    ours, theirs = flows(20, **NETWORK | {"activation": "sigmoid", "init": init, "depth": 15})
    check_same_means(ours, theirs, range(15), lambda flow: np.log(flow.column("effective_rank")))
    check_same_means(ours, theirs, range(6), lambda flow: np.log(1 - flow.column("input_cosine")[:6]))
    for name in QUANTITIES:
        check_same_means(ours, theirs, range(15), lambda flow, name=name: flow.column(name))


@every_init
def test_gradients_far_below_the_smallest_float_are_as_small_as_those_through_stored_matrices(init):
    """Large biases, the same in both, saturate every unit: their slopes say how small it gets."""
    options = NETWORK | {"activation": "tanh", "bias_std": 1500.0, "init": init, "width": 8, "depth": 4}
    differences = []
    for seed in range(40):
        ours, theirs = (
            Experiment.from_options(options | {"layers": layers}).flow(seed).column("log10_gradient_rms")
            for layers in ("weightless", "dense")
        )
        if np.isfinite([ours, theirs]).all() and theirs[0] < -300:
            differences.append(ours - theirs)
    assert len(differences) > 15
    standard_errors = np.std(differences, axis=0, ddof=1) / math.sqrt(len(differences))
    assert (np.abs(np.mean(differences, axis=0)) < 3 * standard_errors).all()
    assert np.max(np.abs(differences)) < 12  # of 300 decades and more


# ---- the same numbers


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("init", ["he", "orthogonal"])
def test_what_passes_forward_and_back_keeps_its_type(init, dtype):
    options = {"layers": "weightless", "init": init, "bias_std": 0.1, "dtype": dtype}
    one = Experiment.from_options(NETWORK | options)
    network, start = one.draw(0).unrolled(one.batch(0).inputs)
    *_, last = forward(network, start, range(1, 7))
    cotangents = last.pullback(last.output)
    assert last.preactivation.dtype == last.output.dtype == cotangents.at_z.dtype == cotangents.at_x.dtype == dtype


@pytest.mark.parametrize("options", [{}, {"init": "orthogonal", "residual": True}, {"dtype": "float32"}])
def test_a_seed_has_one_flow_and_less_memory_changes_no_number(options):
    one = Experiment.from_options(NETWORK | {"layers": "weightless", "activation": "gelu", "bias_std": 0.1} | options)
    inputs, labels = one.batch(3)
    first = one.flow(3)
    network, start = one.draw(3).unrolled(inputs)
    assert network.weightless
    for memory in (1, 3 * 8 * max(network.kept(len(inputs))), 2**40):
        assert measure(network, start, loss_of(labels), memory=memory) == first
    assert one.flow(3) == first
    assert one.flow(4) != first


@pytest.fixture
def simulated():
    """Environment ↦ what ``gradcheck simulate`` writes there."""

    def run(**environment):
        silent = {name: value for name, value in os.environ.items() if name not in (OWN_THREADS, *BLAS_THREADS)}
        command = [sys.executable, "-m", "gradcheck", "simulate", "--width", "1024", "--batch-size", "32"]
        ended = subprocess.run([*command, "--depth", "2", "--json"], env=silent | environment, capture_output=True)
        assert (ended.returncode, ended.stderr) == (0, b"")
        return ended.stdout

    return run


def test_a_command_writes_the_same_bytes_on_any_number_of_threads(simulated):
    alone = simulated(GRADCHECK_NUM_THREADS="1")
    assert b'"layers": "weightless"' in alone
    assert simulated(GRADCHECK_NUM_THREADS="3", OPENBLAS_NUM_THREADS="1") == alone
    assert simulated(OPENBLAS_NUM_THREADS="2") == alone


# ---- the choice


@pytest.fixture
def chosen(tmp_path):
    """Options ↦ how a report says that layers are represented, of a wide network."""
    np.savez(tmp_path / "given.npz", W1=np.eye(64, 1024), W_out=np.eye(1024, 10))

    def layers(*, weights=False, save_weights=False, **options):
        files = {"weights": tmp_path / "given.npz"} if weights else {"width": 1024, "depth": 1, "init": "he"}
        files |= {"save_weights": tmp_path / "drawn.npz"} if save_weights else {}
        return gradcheck.simulate(**files | {"batch_size": 32} | options).config.layers

    return layers


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({}, "weightless"),
        ({"layers": "weightless"}, "weightless"),
        ({"layers": "dense"}, "dense"),
        ({"init": "he_uniform"}, "dense"),
        ({"batch_size": 129}, "dense"),
        ({"save_weights": True}, "dense"),
        ({"weights": True}, "dense"),
    ],
)
def test_the_report_says_how_layers_were_represented(options, layers, chosen):
    assert chosen(**options) == layers


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"init": "he_uniform"}, "init he_uniform is not normal"),
        ({"arch": "rnn", "depth": None}, "the steps of arch rnn share their weights"),
        ({"weights": True}, "weights gives the matrices"),
        ({"save_weights": True}, "save_weights writes the matrices"),
    ],
)
def test_weightless_layers_are_refused_where_there_can_be_none(options, reason, chosen, tmp_path):
    with pytest.raises(OptionError, match=reason) as caught:
        chosen(layers="weightless", **options)
    assert caught.value.option == "layers"
    assert not (tmp_path / "drawn.npz").exists()
