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
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (
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


def test_numbers_beyond_floats_are_not_predicted():
    spec = RecurrentSpec(arch="rnn", activation="linear", steps=40, width=8, gain=1e20)
    assert predict_recurrence(spec) == Unknown("float_range")


def test_a_prediction_is_the_same_each_time():
    spec = RecurrentSpec(arch="lstm", steps=3, width=8)
    found = predict_recurrence(spec)
    assert found == predict_recurrence(spec)
    assert all(math.isfinite(one.log10_gradient_ratio) for one in found.layers)


def test_all_products_are_those_of_one_matrix(rng):
    product = DrawnProduct((2, 5, 512), 64, 1.5, rng)
    one, other = rng.standard_normal((2, 2, 512))
    of_one, of_other = product(one), product(other)
    np.testing.assert_allclose(product(one - 3 * other), of_one - 3 * of_other, atol=1e-12)
    np.testing.assert_allclose(product(other), of_other, atol=1e-12)
    np.testing.assert_array_equal(product(np.zeros((2, 512))), 0)


def test_products_have_the_covariances_of_states(rng):
    product = DrawnProduct((1, 2, 512), 40_000, 1.5, rng)
    one = rng.standard_normal((1, 512))
    states = np.array([one, one + 0.1 * rng.standard_normal((1, 512))])[:, 0]
    products = np.array([product(state[None]) for state in states])[:, 0]
    np.testing.assert_allclose(products @ products.T / 40_000, 1.5 * states @ states.T / 512, rtol=0.03)
