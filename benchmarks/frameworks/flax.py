"""What Flax (nnx), and the initialisers of JAX draws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.nn import initializers as laws

from frameworks import Array, Draw, Framework, zeros


def draws() -> Framework:
    """Return what is drawn."""
    rngs, keys = nnx.Rngs(0), count()

    def array(parameter: Any) -> Array:
        return np.asarray(parameter[...])

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nnx.Linear(inputs, outputs, rngs=rngs)
        return array(layer.kernel), array(layer.bias)[None]

    def rnn(inputs: int, hidden: int) -> tuple[Array, ...]:
        cell = nnx.SimpleCell(inputs, hidden, rngs=rngs)
        return (
            array(cell.dense_i.kernel),
            array(cell.dense_i.bias)[None],
            array(cell.dense_h.kernel),
            zeros("rnn", hidden),
        )

    def lstm(inputs: int, hidden: int) -> tuple[Array, ...]:
        cell = nnx.LSTMCell(inputs, hidden, rngs=rngs)
        own, other = (cell.ii, cell.if_, cell.ig, cell.io), (cell.hi, cell.hf, cell.hg, cell.ho)
        kernels = [np.hstack([array(gate.kernel) for gate in gates]) for gates in (own, other)]
        return kernels[0], zeros("lstm", hidden), kernels[1], np.stack([array(gate.bias) for gate in other])

    def gru(inputs: int, hidden: int) -> tuple[Array, ...]:
        cell = nnx.GRUCell(inputs, hidden, rngs=rngs)
        return (
            array(cell.dense_i.kernel),
            array(cell.dense_i.bias).reshape(3, hidden),
            array(cell.dense_h.kernel),
            zeros("gru", hidden),
        )

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        parts = [array(part.kernel).reshape(width, width) for part in (layer.query, layer.key, layer.value)]
        return np.hstack(parts), array(layer.out.kernel).reshape(width, width)

    def named(law: Callable[..., Any]) -> Draw:
        return lambda n, m: (np.asarray(law(jax.random.key(next(keys)), (n, m))),)

    return Framework(
        dense, {"rnn": rnn, "lstm": lstm, "gru": gru}, attention,
        lambda n, m: (array(nnx.Embed(n, m, rngs=rngs).embedding),),
        {
            "he_truncated": named(laws.he_normal()), "he_uniform": named(laws.he_uniform()),
            "xavier_truncated": named(laws.glorot_normal()), "xavier_uniform": named(laws.glorot_uniform()),
            "lecun_truncated": named(laws.lecun_normal()), "lecun_uniform": named(laws.lecun_uniform()),
            "orthogonal": named(laws.orthogonal()), "truncated_normal 0.02": named(laws.truncated_normal(0.02)),
        },
    )  # fmt: skip
