"""The engine's descent: what it says of a rate is what the network does there."""

from functools import partial
from itertools import repeat

import numpy as np
import pytest

from gradcheck.data.datasets import Batch
from gradcheck.families import drawn_network, trainable
from gradcheck.learning_rate.network_descent import NetworkDescent
from gradcheck.learning_rate.optimizers import OPTIMIZERS
from gradcheck.spec import network_spec

NETWORKS = {
    "mlp": {"depth": 2, "width": 5, "activation": "tanh"},
    "lstm": {"arch": "lstm", "width": 4, "steps": 3},
}


def descent(name, optimizer="sgd", weight_decay=0.0):
    spec = network_spec(NETWORKS[name])
    network = trainable(spec, drawn_network(spec, 6, 3, seed=0), 6)
    generator = np.random.default_rng(0)
    batch = Batch(generator.standard_normal((8, 6)), generator.integers(0, 3, 8))
    return NetworkDescent(network, partial(OPTIMIZERS[optimizer], weight_decay), lambda: repeat(batch))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_along_an_update_is_that_after_a_step_of_it(name, optimizer):
    made = descent(name, optimizer, weight_decay=0.1)
    for rate in (0.3, 0.05):
        made.look()
        expected = made.along(rate)
        made.step(rate)
        assert made.look() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_along_the_gradient_the_loss_falls_by_its_square(name):
    made = descent(name)
    loss, rate = made.look(), 1e-6
    square = sum(float((change**2).sum()) for change in made.change)
    assert (made.along(rate) - loss) / rate == pytest.approx(-square, rel=1e-4)


def test_looking_along_leaves_the_parameters_as_they_are_whatever_comes_of_it():
    made = descent("mlp")
    before = [one.copy() for one in made.parameters]
    made.look()
    for rate in (0.1, 1e300):
        made.along(rate)
        assert all(np.array_equal(one, other) for one, other in zip(made.parameters, before, strict=True))


def test_an_update_that_is_not_finite_is_not_made_by_a_step_of_zero():
    made = descent("mlp")
    made.look()
    made.change = [np.full_like(one, np.inf) for one in made.change]
    made.step(0.0)
    assert np.isfinite(made.look())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_after_a_restart_all_comes_again(optimizer):
    made = descent("mlp", optimizer)

    def losses():
        for _ in range(3):
            yield made.look()
            made.step(0.1)

    first = list(losses())
    made.restart()
    assert list(losses()) == first
