"""What Paddle draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.nn import initializer as laws

from frameworks import GATES, Array, Draw, Framework


def draws() -> Framework:
    """Return what is drawn."""
    paddle.seed(1)

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nn.Linear(inputs, outputs)
        return layer.weight.numpy(), layer.bias.numpy()[None]

    def cell(arch: str) -> Draw:
        def draw(inputs: int, hidden: int) -> tuple[Array, ...]:
            layer = {"rnn": nn.SimpleRNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[arch](inputs, hidden)
            own, other = (part.numpy().reshape(GATES[arch], hidden) for part in (layer.bias_ih, layer.bias_hh))
            return layer.weight_ih.numpy().T, own, layer.weight_hh.numpy().T, other

        return draw

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = nn.MultiHeadAttention(width, heads)
        parts = [part.weight.numpy() for part in (layer.q_proj, layer.k_proj, layer.v_proj)]
        return np.hstack(parts), layer.out_proj.weight.numpy()

    def named(law: Any) -> Draw:
        return lambda n, m: (paddle.create_parameter([n, m], "float32", default_initializer=law).numpy(),)

    return Framework(
        dense, {arch: cell(arch) for arch in GATES}, attention, lambda n, m: (nn.Embedding(n, m).weight.numpy(),),
        {
            "he": named(laws.KaimingNormal()), "he_uniform": named(laws.KaimingUniform()),
            "xavier": named(laws.XavierNormal()), "xavier_uniform": named(laws.XavierUniform()),
            "orthogonal": named(laws.Orthogonal()), "trunc_normal 0.02": named(laws.TruncatedNormal(std=0.02)),
            "trunc_normal 1.5": named(laws.TruncatedNormal(std=1.5)),
        },
    )  # fmt: skip
