"""The blocks written a second time, in HIPS autograd, which differentiates them by itself."""

import math
from types import SimpleNamespace

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import make_vjp
from autograd.extend import defvjp, primitive

STEP = 1e-5  # of central differences


@primitive
def erfc(x):
    return np.array([math.erfc(entry) for entry in x.ravel()]).reshape(x.shape)


defvjp(erfc, lambda _answer, x: lambda g: -2 / math.sqrt(math.pi) * anp.exp(-x * x) * g)

SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATIONS = {
    "linear": lambda z: z + 0,
    "step": lambda z: (anp.sign(z) + 1) / 2 + 0 * z,  # tied to z, or autograd warns
    "sigmoid": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
    "hard_tanh": lambda z: anp.minimum(anp.maximum(z, -1.0), 1.0),
    "relu": lambda z: anp.maximum(z, 0.0),
    "leaky_relu": lambda z: anp.where(z > 0, z, 0.01 * z),
    "elu": lambda z: anp.where(z > 0, z, anp.exp(z) - 1),
    "selu": lambda z: SCALE * anp.where(z > 0, z, ALPHA * (anp.exp(z) - 1)),
    "gelu": lambda z: z * erfc(-z / math.sqrt(2)) / 2,
    "silu": lambda z: z / (1 + anp.exp(-z)),
    "softplus": lambda z: anp.logaddexp(z, 0.0),
    "mish": lambda z: z * anp.tanh(anp.logaddexp(z, 0.0)),
}


def standardized(z, axis):
    return (z - anp.mean(z, axis, keepdims=True)) / anp.sqrt(anp.var(z, axis, keepdims=True) + 1e-5)


NORMS = {
    "none": lambda z: z + 0,
    "batch": lambda z: standardized(z, 0),
    "layer": lambda z: standardized(z, 1),
    "rms": lambda z: z / anp.sqrt(anp.mean(z**2, 1, keepdims=True) + 1e-5),
}


def piece(z, index, pieces):
    """One of so many equal pieces of the columns."""
    width = z.shape[1] // pieces
    return z[:, index * width : (index + 1) * width]


def elman(from_input, from_state, state, phi):
    return phi(from_input + from_state)


def lstm(from_input, from_state, state, phi):
    i, f, g, o = (piece(from_input + from_state, index, 4) for index in range(4))
    logistic = ACTIVATIONS["sigmoid"]
    memory = logistic(f) * piece(state, 1, 2) + logistic(i) * phi(g)
    return anp.concatenate([logistic(o) * phi(memory), memory], axis=1)


def gru(from_input, from_state, state, phi):
    (x_r, x_u, x_n), (h_r, h_u, h_n) = ([piece(z, index, 3) for index in range(3)] for z in (from_input, from_state))
    r, u = ACTIVATIONS["sigmoid"](x_r + h_r), ACTIVATIONS["sigmoid"](x_u + h_u)
    return (1 - u) * phi(x_n + r * h_n) + u * state


CELLS = {"rnn": elman, "lstm": lstm, "gru": gru}


def turn(vector, position):
    """Turn the pairs (i, i + half) of a vector by position · 10000^(−2i/width)."""
    width, half = len(vector), len(vector) // 2
    rotation = np.zeros((width, width))
    for i in range(half):
        angle = position / 10_000 ** (2 * i / width)
        rotation[i, i] = rotation[i + half, i + half] = math.cos(angle)
        rotation[i, i + half], rotation[i + half, i] = -math.sin(angle), math.sin(angle)
    return anp.dot(rotation, vector)


def attention(rows, tokens, queries, keys, width, causal, rotary, scale=None):
    """Self-attention, one sequence, one head and one token after the other."""

    def head(sequence, index):
        return sequence[:, index * width : (index + 1) * width]

    def turned(vectors):
        return anp.stack([turn(vectors[token], token) for token in range(tokens)]) if rotary else vectors

    def read(sequence, query):
        key = queries + query // (queries // keys)
        q, k, v = turned(head(sequence, query)), turned(head(sequence, key)), head(sequence, key + keys)
        outputs = []
        for token in range(tokens):
            seen = token + 1 if causal else tokens
            scores = anp.dot(k[:seen], q[token]) * (width**-0.5 if scale is None else scale)
            powers = anp.exp(scores)
            outputs.append(anp.dot(powers, v[:seen]) / anp.sum(powers))
        return anp.stack(outputs)

    sequences = [rows[start : start + tokens] for start in range(0, len(rows), tokens)]
    return anp.concatenate(
        [anp.concatenate([read(one, query) for query in range(queries)], axis=1) for one in sequences], axis=0
    )


def cross_entropy(labels):
    chosen = np.eye(labels.max() + 1)[labels]

    def loss(logits):
        probability = anp.exp(logits) / anp.sum(anp.exp(logits), 1, keepdims=True)
        return -anp.mean(anp.log(anp.sum(probability[:, : chosen.shape[1]] * chosen, 1)))

    return loss


@pytest.fixture(scope="session")
def by_autograd():
    return SimpleNamespace(
        activations=ACTIVATIONS, norms=NORMS, cells=CELLS, attention=attention, cross_entropy=cross_entropy
    )


@pytest.fixture
def check_pullback(relative_error, record_error):
    """Hold a block's output and pullback against its second definition and against central differences."""

    def check(block, second_definition, x, seed=0):
        generator = np.random.default_rng(seed)
        output, pullback = block(x)
        vjp, value = make_vjp(second_definition)(x)
        delta, direction = generator.standard_normal(output.shape), generator.standard_normal(x.shape)
        gradient = pullback(delta)

        against_autograd = relative_error(gradient, vjp(delta))
        there, back = block(x + STEP * direction)[0], block(x - STEP * direction)[0]
        difference = np.vdot(there - back, delta) / (2 * STEP)
        against_differences = abs(np.vdot(gradient, direction) - difference) / (np.linalg.norm(gradient) or 1)

        record_error("pullbacks against autograd", against_autograd)
        record_error("pullbacks against central differences", against_differences)
        assert relative_error(output, value) < 1e-12
        assert against_autograd < 1e-9
        assert against_differences < 1e-6

    return check
