import math

import numpy as np
import pytest
from autograd import grad

from gradcheck.engine.linear import Dense, log10_weight_gradient_norm
from gradcheck.engine.magnitude import Scaled, rescaled


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(("batch", "fan_in", "fan_out"), [(1, 1, 1), (3, 8, 5), (10, 2, 7)])
def test_pullback_agrees_with_autograd_and_differences(with_bias, batch, fan_in, fan_out, check_pullback, rng):
    weight, bias = rng.standard_normal((fan_in, fan_out)), rng.standard_normal(fan_out)
    dense = Dense(weight, bias if with_bias else None)
    check_pullback(dense, lambda x: x @ weight + with_bias * bias, rng.standard_normal((batch, fan_in)))


def test_forward_leaves_input_weight_and_bias_alone(rng):
    arrays = rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    before = [array.copy() for array in arrays]
    Dense(*arrays[1:])(arrays[0])
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_weight_norm_is_frobenius_at_any_size():
    weight = np.array([[1.0, 2.0], [2.0, 4.0]])  # norm 5
    for size in (1e-300, 1.0, 1e300):
        assert Dense(size * weight).log10_weight_norm == pytest.approx(math.log10(5 * size), rel=1e-13)


@pytest.mark.parametrize(
    ("batch", "fan_in", "fan_out"),
    [(1, 1, 1), (1, 50, 60), (4, 30, 40), (64, 8, 6), (20, 40, 40), (2, 3, 90)],
)
def test_weight_gradient_norm_agrees_with_autograd(batch, fan_in, fan_out, rng):
    X, weight, D = (rng.standard_normal(s) for s in [(batch, fan_in), (fan_in, fan_out), (batch, fan_out)])
    gradient = grad(lambda w: ((X @ w) * D).sum())(weight)
    norm = log10_weight_gradient_norm(rescaled(X), rescaled(D))
    assert norm == pytest.approx(math.log10(np.linalg.norm(gradient)), abs=1e-12)


@pytest.mark.parametrize("spread", [1.0, 0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-5, 1e-9])
def test_weight_gradient_norm_survives_examples_that_cancel(spread, rng):
    """Rows of X that are all but alike, against rows of D that sum to exactly zero."""
    half = rng.integers(-9, 10, (4, 60)).astype(float)
    D = np.concatenate([half, -half])
    common = rng.uniform(1, 2, 50)
    X = common + spread * rng.standard_normal((8, 50))
    truth = math.log10(np.linalg.norm((X - common).T @ D))  # commonᵀ ΣD is exactly zero
    norm = log10_weight_gradient_norm(Scaled(X), Scaled(D))
    assert norm == pytest.approx(truth, abs=max(1e-10, 1e-14 / spread))


def test_weight_gradient_norm_of_a_single_precision_batch_survives_cancellation(rng):
    half = rng.integers(-9, 10, (4, 60)).astype(np.float32)
    D = np.concatenate([half, -half])
    for spread in (1.0, 0.1, 0.01, 1e-3):
        X = (1.5 + spread * rng.standard_normal((8, 50))).astype(np.float32)
        truth = math.log10(np.linalg.norm((X - np.float32(1.5)).astype(float).T @ D.astype(float)))
        assert log10_weight_gradient_norm(Scaled(X), Scaled(D)) == pytest.approx(truth, abs=1e-4)


def test_weight_gradient_norm_carries_the_exponents(rng):
    X, D = rng.standard_normal((3, 20)), rng.standard_normal((3, 30))
    norm = log10_weight_gradient_norm(Scaled(X), Scaled(D))
    shifted = log10_weight_gradient_norm(Scaled(X, 5000), Scaled(D, -20_000))
    assert shifted == pytest.approx(norm - 15_000 * math.log10(2), rel=1e-14)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(20, 30), (2, 2)])
def test_weight_gradient_of_a_zero_signal_is_exactly_zero(fan_in, fan_out, rng):
    D = rng.standard_normal((3, fan_out))
    assert log10_weight_gradient_norm(Scaled(np.zeros((3, fan_in))), Scaled(D)) == -math.inf
