"""What Equinox draws."""

from __future__ import annotations

from itertools import count

import jax
import numpy as np
from equinox import nn

from frameworks import Array, Draw, Framework, zeros


def draws() -> Framework:
    """Return what is drawn."""
    keys = (jax.random.key(number) for number in count())

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nn.Linear(inputs, outputs, key=next(keys))
        return np.asarray(layer.weight).T, np.asarray(layer.bias)[None]

    def cell(arch: str) -> Draw:
        def draw(inputs: int, hidden: int) -> tuple[Array, ...]:
            layer = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}[arch](inputs, hidden, key=next(keys))
            second = zeros(arch, hidden)
            if arch == "gru":
                second[2] = layer.bias_n
            first = np.asarray(layer.bias).reshape(-1, hidden)
            return np.asarray(layer.weight_ih).T, first, np.asarray(layer.weight_hh).T, second

        return draw

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = nn.MultiheadAttention(heads, width, key=next(keys))
        parts = [np.asarray(part.weight).T for part in (layer.query_proj, layer.key_proj, layer.value_proj)]
        return np.hstack(parts), np.asarray(layer.output_proj.weight).T

    def embedding(tokens: int, width: int) -> tuple[Array, ...]:
        return (np.asarray(nn.Embedding(tokens, width, key=next(keys)).weight),)

    return Framework(dense, {arch: cell(arch) for arch in ("lstm", "gru")}, attention, embedding)
