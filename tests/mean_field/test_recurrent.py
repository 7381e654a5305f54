"""The prediction of recurrent networks against networks that were really drawn."""

import math

import numpy as np
import pytest

from gradcheck.mean_field.recurrent import DrawnProduct, predict_recurrence
from gradcheck.mean_field.unknown import Unknown
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import RecurrentSpec

SMALL = {"width": 256, "batch_size": 8, "shuffle": False, "steps": 16}


@pytest.mark.parametrize(
    "options",
    [
        {"arch": "lstm"},
        {"arch": "gru", "recurrent_gain": 1.5},
        {"arch": "rnn", "data": "gaussian"},
        {"arch": "lstm", "init": "keras"},  # one frame over all gates
        {"arch": "rnn", "init": "orthogonal", "steps": 64},
        {"arch": "rnn", "init": "torch", "activation": "hard_tanh", "recurrent_gain": 2.0, "width": 512},
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (
                {"arch": "rnn", "init": "orthogonal", "activation": "relu", "width": 512},
                {"arch": "rnn", "init": "lecun", "activation": "linear", "width": 512},
                {"arch": "lstm", "steps": 64, "forget_bias": 4.0},
                {"arch": "gru", "steps": 64},
                {"arch": "gru", "init": "torch", "steps": 64},
            )
        ),
    ],
    ids=str,
)
def test_wide_recurrences_have_the_predicted_gradient_and_pre_activations_at_each_step(options):
    experiment = Experiment.from_options(SMALL | options)
    flows = [experiment.flow(seed) for seed in range(3)]
    gradients = np.mean([flow.column("log10_gradient_rms") for flow in flows], axis=0)
    layers = predict_recurrence(experiment.network, experiment.batch(0)[0]).layers
    ratios = np.array([one.log10_gradient_ratio for one in layers])
    assert np.abs(ratios - (gradients - gradients[-1])).max() < 0.1 + 0.03 * np.abs(ratios).max()
    stds = np.mean([flow.column("log10_preactivation_std") for flow in flows], axis=0)
    np.testing.assert_allclose(np.log10([one.preactivation_std for one in layers]), stds, atol=0.04)


@pytest.mark.parametrize("steps", [64, 200])
@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({"activation": "linear", "init": "orthogonal"}, 1.0),  # any such matrix keeps lengths
        ({"activation": "linear", "init": "orthogonal", "recurrent_gain": 1.1}, 1.1),
        ({"activation": "linear", "init": "lecun"}, 1.0),
        ({"activation": "linear", "init": "torch_default"}, 3**-0.5),
        ({"activation": "relu", "init": "he"}, 1.0),
        ({"activation": "relu", "init": "orthogonal"}, 2**-0.5),
    ],
    ids=str,
)
def test_the_gradient_of_a_homogeneous_recurrence_has_a_closed_form(options, factor, steps):
    predicted = predict_recurrence(RecurrentSpec(arch="rnn", steps=steps, width=64, **options))
    ratios = [one.log10_gradient_ratio for one in predicted.layers]
    np.testing.assert_allclose(ratios, math.log10(factor) * np.arange(steps)[::-1], atol=1e-10)


@pytest.mark.parametrize("init", ["orthogonal", "lecun"])
def test_a_tanh_recurrence_follows_the_variance_map(init, rng):
    inputs, sigma = rng.standard_normal((3, 10)), 1.3
    spec = RecurrentSpec(arch="rnn", activation="tanh", init=init, steps=10, width=64, recurrent_gain=sigma)
    z = np.linspace(-12, 12, 4001)
    weights = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()  # the trapezoidal rule, exact for what is smooth
    variances, square = [], np.zeros(3)
    for x in inputs.T:  # one number a step, which one weight of variance 1, or 1/64 within a frame, multiplies
        variances.append(x**2 * (1 / 64 if init == "orthogonal" else 1) + sigma**2 * square)
        square = np.tanh(np.sqrt(variances[-1])[:, None] * z) ** 2 @ weights
    slopes = [np.cosh(np.sqrt(q)[:, None] * z) ** -4.0 @ weights for q in variances]
    squares = [slopes[-1]]
    for slope in slopes[-2::-1]:
        squares.append(slope * sigma**2 * squares[-1])
    levels = np.log10(np.mean(squares, axis=1))[::-1] / 2
    layers = predict_recurrence(spec, inputs).layers
    np.testing.assert_allclose([one.log10_gradient_ratio for one in layers], levels - levels[-1], atol=1e-9)
    stds = np.sqrt(np.mean(variances, axis=1))
    np.testing.assert_allclose([one.preactivation_std for one in layers], stds, rtol=1e-9)


def test_numbers_beyond_floats_are_not_predicted():
    spec = RecurrentSpec(arch="rnn", activation="linear", steps=40, width=8, gain=1e20)
    assert predict_recurrence(spec) == Unknown("float_range")


def test_a_prediction_is_the_same_each_time():
    spec = RecurrentSpec(arch="lstm", steps=3, width=8)
    found = predict_recurrence(spec)
    assert found == predict_recurrence(spec)
    assert all(math.isfinite(one.log10_gradient_ratio) for one in found.layers)


def test_all_products_are_those_of_one_matrix(rng):
    product = DrawnProduct((2, 5, 512), 1, 1.5, rng)
    one, other = rng.standard_normal((2, 2, 512))
    of_one, of_other = product(one), product(other)
    np.testing.assert_allclose(product(one - 3 * other), of_one - 3 * of_other, atol=1e-12)
    np.testing.assert_allclose(product(other), of_other, atol=1e-12)
    np.testing.assert_array_equal(product(np.zeros((2, 512))), 0)


def test_products_have_the_covariances_of_states(rng):
    product = DrawnProduct((1, 2, 512), 80, 1.5, rng)
    one = rng.standard_normal((1, 512))
    states = np.array([one, one + 0.1 * rng.standard_normal((1, 512))])[:, 0]
    products = np.array([product(state[None]) for state in states])[:, 0]
    np.testing.assert_allclose(products @ products.T / (80 * 512), 1.5 * states @ states.T / 512, rtol=0.03)


def test_products_of_unlike_states_don_t_overlap_by_chance(rng):
    product = DrawnProduct((2, 9, 512), 3, 1.0, rng)
    directions = np.linalg.qr(rng.standard_normal((512, 9)))[0].T * math.sqrt(512)
    images = np.array([product(np.stack([one, one])) for one in directions])  # (9, examples, gates·512)
    for gate in images.reshape(9, 2, 3, 512).transpose(1, 2, 0, 3).reshape(6, 9, 512):
        np.testing.assert_allclose(gate @ gate.T / 512, np.eye(9), atol=1e-9)


def test_more_steps_than_are_kept_apart_are_drawn(rng):
    product = DrawnProduct((1, 200, 512), 1, 1.0, rng)
    states = rng.standard_normal((200, 1, 512))
    products = np.array([product(state) for state in states])[:, 0]
    np.testing.assert_allclose(np.square(products).mean(axis=1), np.square(states[:, 0]).mean(axis=1), rtol=0.3)
