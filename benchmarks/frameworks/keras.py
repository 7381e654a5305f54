"""What Keras draws."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # on torch, truncated normals have weights beyond the limit

import keras
import numpy as np
from keras import initializers as laws
from keras import layers

from frameworks import GATES, Array, Draw, Framework, zeros


def draws() -> Framework:
    """Return what is drawn."""
    keras.utils.set_random_seed(0)
    array = keras.ops.convert_to_numpy

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = layers.Dense(outputs)
        layer.build((None, inputs))
        return array(layer.kernel), array(layer.bias)[None]

    def cell(arch: str) -> Draw:
        def draw(inputs: int, hidden: int) -> tuple[Array, ...]:
            layer = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[arch](hidden)
            layer.build((None, 2, inputs))
            biases = array(layer.cell.bias).reshape(-1, GATES[arch], hidden)  # a GRU has two
            second = biases[1] if len(biases) > 1 else zeros(arch, hidden)
            return array(layer.cell.kernel), biases[0], array(layer.cell.recurrent_kernel), second

        return draw

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = layers.MultiHeadAttention(heads, width // heads)
        layer.build((1, 2, width), (1, 2, width))
        parts = [array(part.kernel).reshape(width, width) for part in (layer.query_dense, layer.key_dense)]
        parts.append(array(layer.value_dense.kernel).reshape(width, width))
        return np.hstack(parts), array(layer.output_dense.kernel).reshape(width, width)

    def embedding(tokens: int, width: int) -> tuple[Array, ...]:
        layer = layers.Embedding(tokens, width)
        layer.build((None,))
        return (array(layer.embeddings),)

    seeds = count()  # an initialiser returns the same numbers at every call

    def named(law: Callable[..., Any], **options: float) -> Draw:
        return lambda n, m: (array(law(**options, seed=next(seeds))((n, m))),)

    return Framework(dense, {arch: cell(arch) for arch in GATES}, attention, embedding, {
        "he_truncated": named(laws.HeNormal), "he_uniform": named(laws.HeUniform),
        "xavier_truncated": named(laws.GlorotNormal), "xavier_uniform": named(laws.GlorotUniform),
        "lecun_truncated": named(laws.LecunNormal), "lecun_uniform": named(laws.LecunUniform),
        "orthogonal": named(laws.Orthogonal), "truncated_normal 0.02": named(laws.TruncatedNormal, stddev=0.02),
    })  # fmt: skip
