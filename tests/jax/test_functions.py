"""Activation functions are found by what they are."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from jax import numpy as jnp  # noqa: E402

from gradcheck.engine.activations import ACTIVATIONS  # noqa: E402
from gradcheck.jax.functions import find_functions  # noqa: E402
from gradcheck.jax.program import traced  # noqa: E402

#: What is an activation ↦ the largest slope that it has.
FOUND = {
    "relu": (jax.nn.relu, 1.0),
    "relu by hand": (lambda x: jnp.maximum(x, 0), 1.0),
    "relu by choice": (lambda x: jnp.where(x > 0, x, 0.0), 1.0),
    "tanh": (jnp.tanh, 1.0),
    "sigmoid": (jax.nn.sigmoid, 0.25),
    "gelu": (lambda x: jax.nn.gelu(x, approximate=False), ACTIVATIONS["gelu"].steepest),
    "silu by hand": (lambda x: x * jax.nn.sigmoid(x), ACTIVATIONS["silu"].steepest),
    "mish": (jax.nn.mish, ACTIVATIONS["mish"].steepest),
    "softplus": (jax.nn.softplus, 1.0),
    "hard_tanh": (jax.nn.hard_tanh, 1.0),
    "relu6": (jax.nn.relu6, 1.0),
    "sine": (lambda x: jnp.sin(30 * x), 30.0),
    "scaled": (lambda x: 3 * jnp.tanh(2 * x + 1), 6.0),
}

#: What is none: a line, what has no bound, what is mixed from several entries, what has no slope anywhere.
NOT_FOUND = {
    "line": lambda x: 3 * x - 1,
    "square": jnp.square,
    "exponential": jnp.exp,
    "logarithm": lambda x: jnp.log1p(jnp.abs(x) * 0 + x),
    "softmax": jax.nn.softmax,
    "norm": lambda x: x - x.mean(-1, keepdims=True),
    "rounding": jnp.round,
}


def steepest(function, shape=(3, 4)):
    program, _ = traced(lambda x: function(x).sum(), jnp.ones(shape))
    functions, _ = find_functions(program, with_numbers=True)
    found = [(one, one.steepest({}, jnp.float32)) for one in functions if one.base == program.inputs[0]]
    return [(one, slope) for one, slope in found if slope is not None]


@pytest.mark.parametrize("name", FOUND)
def test_an_activation_is_found_whatever_it_is_made_of(name):
    function, expected = FOUND[name]
    ((found, slope),) = steepest(function)
    assert slope == pytest.approx(expected, rel=1e-3)
    x = jnp.linspace(-3, 3, 12).reshape(3, 4)
    output, derivative = found.response(x, {})
    np.testing.assert_allclose(output, function(x), rtol=1e-6)
    np.testing.assert_allclose(derivative, jax.vmap(jax.vmap(jax.grad(function)))(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NOT_FOUND)
def test_no_other_function_is_taken_for_one(name):
    assert steepest(NOT_FOUND[name]) == []


def test_the_slope_of_a_prelu_is_a_number_that_counts():
    program, _ = traced(lambda x, slope: jnp.where(x > 0, x, slope * x).sum(), jnp.ones((3, 4)), 0.25)
    (found,) = (one for one in find_functions(program, with_numbers=True)[0])
    _, derivative = found.response(-jnp.ones((3, 4)), {number: jnp.array(0.25) for number in found.numbers})
    assert np.all(np.asarray(derivative) == 0.25)


def test_dropout_is_no_part_of_an_activation():
    kept = jnp.array(np.random.default_rng(0).random((3, 4)) < 0.5)
    ((found, slope),) = steepest(lambda x: jnp.where(kept, jax.nn.relu(x) / 0.5, 0.0))
    assert slope == 2
    assert found.response(jnp.ones((3, 4)), {})[1].min() == 2
