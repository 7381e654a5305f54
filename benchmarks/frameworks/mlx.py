"""What MLX draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mlx import core as mx
from mlx import nn

from frameworks import Array, Draw, Framework, zeros


def draws() -> Framework:
    """Return what is drawn."""
    mx.random.seed(0)

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nn.Linear(inputs, outputs)
        return np.array(layer.weight).T, np.array(layer.bias)[None]

    def rnn(inputs: int, hidden: int) -> tuple[Array, ...]:
        layer = nn.RNN(inputs, hidden)
        return np.array(layer.Wxh).T, np.array(layer.bias)[None], np.array(layer.Whh).T, zeros("rnn", hidden)

    def gated(arch: str) -> Draw:
        def draw(inputs: int, hidden: int) -> tuple[Array, ...]:
            layer, second = getattr(nn, arch.upper())(inputs, hidden), zeros(arch, hidden)
            if arch == "gru":
                second[2] = layer.bhn
            first = np.array(layer.b if arch == "gru" else layer.bias).reshape(-1, hidden)
            return np.array(layer.Wx).T, first, np.array(layer.Wh).T, second

        return draw

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = nn.MultiHeadAttention(width, heads)
        parts = [np.array(part.weight).T for part in (layer.query_proj, layer.key_proj, layer.value_proj)]
        return np.hstack(parts), np.array(layer.out_proj.weight).T

    def named(law: Callable[..., Any]) -> Draw:
        return lambda n, m: (np.array(law(mx.zeros((m, n)))).T,)

    cells = {"rnn": rnn, "lstm": gated("lstm"), "gru": gated("gru")}
    return Framework(dense, cells, attention, lambda n, m: (np.array(nn.Embedding(n, m).weight),), {
        "lecun": named(nn.init.he_normal()), "lecun_uniform": named(nn.init.he_uniform()),  # at their default gain, 1
        "xavier": named(nn.init.glorot_normal()), "xavier_uniform": named(nn.init.glorot_uniform()),
        "orthogonal": named(nn.init.orthogonal()),
    })  # fmt: skip
