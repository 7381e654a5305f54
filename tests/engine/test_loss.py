import numpy as np
import pytest
from autograd import grad

from gradcheck.engine.loss import cross_entropy, mean_square

STEP = 1e-5


@pytest.fixture
def logits(rng):
    return rng.normal(0, 3, (9, 6))


@pytest.fixture
def labels(rng):
    return rng.integers(0, 6, 9)


def check_gradient(loss, second_definition, outputs, relative_error):
    value, delta = loss(outputs)
    assert value == pytest.approx(float(second_definition(outputs)), rel=1e-13)
    assert relative_error(delta, grad(second_definition)(outputs)) < 1e-12
    direction = np.random.default_rng(1).standard_normal(outputs.shape)
    difference = (loss(outputs + STEP * direction)[0] - loss(outputs - STEP * direction)[0]) / (2 * STEP)
    assert np.vdot(delta, direction) == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_cross_entropy_gradient_agrees_with_autograd_and_differences(logits, labels, by_autograd, relative_error):
    check_gradient(cross_entropy(labels), by_autograd.cross_entropy(labels), logits, relative_error)


def test_mean_square_gradient_agrees_with_autograd_and_differences(logits, relative_error):
    check_gradient(mean_square, lambda y: (y**2).sum() / y.size, logits, relative_error)


def test_cross_entropy_of_equal_logits_is_the_log_of_their_number():
    value, delta = cross_entropy(np.array([2, 0]))(np.full((2, 4), 7.0))
    assert value == pytest.approx(np.log(4), abs=1e-15)
    np.testing.assert_allclose(delta, (0.25 - np.eye(4)[[2, 0]]) / 2, rtol=1e-15)


def test_cross_entropy_gradient_of_every_example_sums_to_zero(logits, labels):
    _, delta = cross_entropy(labels)(logits)
    np.testing.assert_allclose(delta.sum(1), 0, atol=1e-16)


def test_cross_entropy_gradient_survives_a_label_that_is_all_but_certain():
    _, delta = cross_entropy(np.array([0]))(np.array([[60.0, 0.0, 0.0]]))
    np.testing.assert_allclose(delta, np.exp(-60) * np.array([[-2, 1, 1]]), rtol=1e-14)


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_cross_entropy_of_huge_logits_is_finite(size):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, delta = cross_entropy(np.array([0, 1]))(np.array([[-size, size], [-size, size]]))
    assert value == pytest.approx(size, rel=1e-15)
    np.testing.assert_array_equal(delta, [[-0.5, 0.5], [0, 0]])


def test_cross_entropy_leaves_the_logits_alone(logits, labels):
    before = logits.copy()
    cross_entropy(labels)(logits)
    np.testing.assert_array_equal(logits, before)
