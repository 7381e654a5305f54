"""Means over pairs of tokens against those of one pair, which have references of their own, and against draws."""

import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.mean_field.kernels import kernel_of
from gradcheck.mean_field.token_kernels import Pairs
from gradcheck.spec import ACTIVATIONS as NAMES

#: Variances and correlations of four rows, the last two the same.
KERNEL = np.array([[1.0, 0.3, 0.5, 0.5], [0.3, 0.4, 0.1, 0.1], [0.5, 0.1, 2.0, 2.0], [0.5, 0.1, 2.0, 2.0]])


@pytest.mark.parametrize("activation", [name for name in NAMES if name != "step"])
def test_rows_of_one_variance_have_the_means_of_a_pair(activation):
    q, cosines = 1.7, [0.9, 0.5, 0.0]
    kernel = q * np.array(
        [
            [1.0, *cosines],
            *([[one, *[1.0 if at == row else 0.2 for at in range(3)]] for row, one in enumerate(cosines)]),
        ]
    )
    found = Pairs(activation, kernel)
    for column, cosine in enumerate(cosines, start=1):
        expected = kernel_of(activation).pair(q, cosine)
        assert found.product[0, column] == pytest.approx(expected.product, rel=2e-4, abs=1e-9)
        assert q * found.slopes[0, column] == pytest.approx(expected.rate, rel=2e-3)
    alone = kernel_of(activation).moments(q)
    assert found.product[0, 0] == pytest.approx(alone.square, rel=1e-4)
    assert found.slopes[0, 0] == pytest.approx(alone.slope_square, rel=1e-4)


@pytest.mark.parametrize(
    "activation", ["gelu", "relu", *(pytest.param(one, marks=pytest.mark.slow) for one in ("leaky_relu", "selu"))]
)
def test_rows_of_several_variances_have_the_means_of_draws(activation):
    root = np.linalg.cholesky(KERNEL[:3, :3])
    z = root @ np.random.default_rng(0).standard_normal((3, 400_000))
    value, slope = ACTIVATIONS[activation].evaluate(z)
    found = Pairs(activation, KERNEL[:3, :3])
    expected = {"product": value, "slopes": slope, "both": value * slope}
    for name, function in expected.items() if activation == "relu" else (expected | {"fourth": value**2}).items():
        if name != "fourth" or activation in ("gelu", "selu"):
            ours = getattr(found, name)
            np.testing.assert_allclose(ours, function @ function.T / z.shape[1], rtol=0.03, atol=0.01)


def test_rows_that_are_the_same_have_the_same_means():
    found = Pairs("tanh", KERNEL)
    assert found.product[2, 3] == pytest.approx(found.product[2, 2], rel=1e-6)
