"""How much the outputs change with all weights, held against weights that are really moved."""

import math

import numpy as np
import pytest

import gradcheck
from gradcheck.engine.loss import loss_of
from gradcheck.families import trainable
from gradcheck.simulation.experiment import Experiment

NETWORK = {"depth": 6, "width": 24, "activation": "tanh", "batch_size": 16}


def test_it_is_how_much_more_moving_the_weights_changes_the_loss_than_moving_the_outputs():
    experiment = Experiment.from_options(NETWORK | {"norm": "layer"}, "they are moved")
    inputs, labels = experiment.batch(0)
    network = trainable(experiment.network, experiment.stored_network("weights", ""), inputs.shape[1])
    hidden = list(network.maps)[:-1]
    loss, logits, size = loss_of(labels), network.logits(inputs), 1e-4
    first, generator = loss(logits)[0], np.random.default_rng(0)
    spread = (logits - logits.mean(0)).std()
    by_outputs, by_weights = [], []
    for _ in range(300):
        moved = logits + size * spread * generator.standard_normal(logits.shape)
        by_outputs.append(loss(moved)[0] - first)
        steps = [(array, size * np.sqrt(np.mean(maps[0] ** 2)) * generator.standard_normal(array.shape))
                 for _, maps in hidden for array in maps]  # fmt: skip
        for array, step in steps:
            array += step
        by_weights.append(loss(network.logits(inputs))[0] - first)
        for array, step in steps:
            array -= step
    expected = 0.01 * math.sqrt(np.mean(np.square(by_weights)) / np.mean(np.square(by_outputs)))
    assert experiment.outcome().summary.sensitivity == pytest.approx(expected, rel=0.15)


def test_no_factor_of_the_loss_and_none_of_the_outputs_alone_makes_a_difference(tmp_path):
    path = tmp_path / "weights.npz"
    whole = gradcheck.simulate(**NETWORK, save_weights=path).summary.sensitivity
    arrays = dict(np.load(path))
    np.savez(path, **arrays | {"W_out": 1e-3 * arrays["W_out"]})
    small = gradcheck.simulate(weights=path, activation="tanh", batch_size=16).summary.sensitivity
    np.savez(path, **arrays | {"W_out": 1e-6 * arrays["W_out"]})
    smaller = gradcheck.simulate(weights=path, activation="tanh", batch_size=16).summary.sensitivity
    assert small == pytest.approx(smaller, rel=1e-2)
    assert small == pytest.approx(whole, rel=0.5)


def test_it_is_the_same_in_law_without_stored_matrices():
    same = NETWORK | {"width": 256, "seeds": 8}
    dense, weightless = (gradcheck.simulate(**same, layers=layers).summary for layers in ("dense", "weightless"))
    assert weightless.sensitivity == pytest.approx(dense.sensitivity, rel=0.15)


def test_a_network_whose_layers_share_their_weights_has_none():
    assert gradcheck.simulate(arch="rnn", width=16).summary.sensitivity is None


def test_deep_layers_behind_norms_lose_nothing_and_yet_are_too_sensitive_to_train():
    report = gradcheck.simulate(depth=70, width=48, activation="leaky_relu", init="he", norm="layer")
    assert (report.verdict.status, report.verdict.trainable) == ("healthy", False)
    assert [one.code for one in report.verdict.causes] == ["span", "rank", "sensitivity"]
