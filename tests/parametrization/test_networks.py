"""The networks and their first updates, by closed forms and differences."""

import numpy as np
import pytest

from gradcheck.data.datasets import Batch
from gradcheck.engine.loss import cross_entropy
from gradcheck.parametrization.laws import PARAMETRIZATIONS
from gradcheck.parametrization.networks import NETWORKS, Maker
from gradcheck.parametrization.training import train
from gradcheck.spec.transfer import transfer_specs

PARAMS = tuple(PARAMETRIZATIONS)


@pytest.fixture
def maker():
    """A width and options ↦ what draws the network of that width, in double precision."""

    def make(n, **options):
        spec, _ = transfer_specs({"width": (8, 32), "dtype": "float64", "steps": 1, **options})
        return Maker(spec, n, spec.depth[-1], 0)

    return make


@pytest.fixture
def batch(rng):
    return Batch(rng.standard_normal((6, 5)), rng.integers(0, 3, 6))


@pytest.mark.parametrize("arch", NETWORKS)
def test_at_the_base_width_all_parametrisations_are_one_network(arch, maker, batch, rng):
    tokens = {"arch": "transformer", "heads": 2, "tokens": 5}
    inputs = batch if arch == "mlp" else Batch(rng.integers(0, 7, (2, 5)), None)
    subjects = [
        NETWORKS[arch](maker(8, param=one, **(tokens if arch == "transformer" else {})), inputs, 7) for one in PARAMS
    ]
    logits = [subject.pass_batch()[1] for subject in subjects]
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-12)
    np.testing.assert_allclose(logits[2], logits[0], rtol=1e-12)
    assert [{factor for one in subject.maps.values() for factor in one.factors} for subject in subjects] == [{1.0}] * 3


@pytest.mark.parametrize("param", PARAMS)
def test_the_first_step_of_sgd_is_that_of_weights_with_explicit_multipliers(param, maker, batch):
    """Of a linear network of one hidden layer, W₂ = c₂ w₂: ∂𝓛/∂w₂ = c₂ hᵀ δ, ∂𝓛/∂W₁ = xᵀ δ W₂ᵀ."""
    n, options = 4.0, {"param": param, "optimizer": "sgd", "lr": 0.3, "activation": "linear", "depth": 1}
    subject = NETWORKS["mlp"](maker(32, **options), batch, 3)
    first, second = (one.dense.weight.copy() for one in subject.maps.values())
    laws, (inputs, labels) = PARAMETRIZATIONS[param].laws, batch
    multiplier = n ** laws["output"].multiplier
    hidden = inputs @ first
    _, delta = cross_entropy(labels)(hidden @ second)
    stepped_first = first - 0.3 * n ** laws["input"].sgd * inputs.T @ (delta @ second.T)
    own = second / multiplier - 0.3 * n ** laws["output"].sgd * multiplier * hidden.T @ delta
    biases = [-0.3 * n ** laws["bias"].sgd * (delta @ second.T).sum(0), -0.3 * delta.sum(0)]
    expected = (inputs @ stepped_first + biases[0]) @ (multiplier * own) + biases[1]
    found = train(maker(32, **options), batch, 3)
    assert found.losses[-1] == pytest.approx(cross_entropy(labels)(expected)[0], rel=1e-12)
    logits = found.coordinates[-1]
    assert logits.change.rms == pytest.approx(np.sqrt(np.square(expected - hidden @ second).mean()), rel=1e-9)
    gained = (inputs @ stepped_first + biases[0]) @ (multiplier * own - second)
    assert logits.update.rms == pytest.approx(np.sqrt(np.square(gained).mean()), rel=1e-9)


def test_a_transformers_gradients_are_those_of_central_differences(maker, rng):
    inputs = Batch(rng.integers(0, 7, (2, 5)), rng.integers(0, 7, 10))
    options = {"arch": "transformer", "heads": 2, "tokens": 5, "depth": 1, "norm_placement": "both"}
    subject = NETWORKS["transformer"](maker(32, **options), inputs, 7)
    loss = cross_entropy(inputs.labels)
    _, logits, back = subject.pass_batch()
    back(loss(logits)[1])
    for one in subject.maps.values():
        weight, gradient = one.dense.weight, one.gradients[0].copy()
        direction = rng.standard_normal(weight.shape)
        ends = []
        for sign in (1, -1):
            weight += sign * 1e-6 * direction
            ends.append(loss(subject.pass_batch()[1])[0])
            weight -= sign * 1e-6 * direction
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx((gradient * direction).sum(), rel=1e-4), one.name


def test_scores_are_divided_by_the_width_of_a_head_in_mup_and_by_its_root_else(maker, rng):
    inputs = Batch(rng.integers(0, 7, (2, 5)), None)
    scales = {}
    for param in PARAMS:
        options = {"arch": "transformer", "heads": 2, "tokens": 5, "param": param, "width": (8, 128)}
        subject = NETWORKS["transformer"](maker(128, **options), inputs, 7)
        scales[param] = next(iter(subject.heads.values())).scale
    assert scales["standard"] == scales["ntk"] == pytest.approx(1 / np.sqrt(64))
    assert scales["mup"] == pytest.approx(2 / 64)  # √4 at the base, where a head has 4


def test_in_depth_branches_and_adams_rate_in_them_fall_as_one_over_the_root(maker, batch):
    spec, _ = transfer_specs({"depth": (2, 8), "width": 16, "dtype": "float64"})
    subject = NETWORKS["mlp"](Maker(spec, 16, 8, 0), batch, 3)
    assert subject.layers.skip_scale == pytest.approx(0.5)
    assert [one.factors[0] for one in subject.maps.values()] == pytest.approx([1, *[0.5] * 8, 1])
