"""What PyTorch draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from frameworks import GATES, Array, Draw, Framework


def draws() -> Framework:
    """Return what is drawn."""
    torch.manual_seed(0)

    def array(tensor: Any) -> Array:
        return tensor.detach().numpy().copy()

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nn.Linear(inputs, outputs)
        return array(layer.weight).T, array(layer.bias)[None]

    def cell(arch: str) -> Draw:
        def draw(inputs: int, hidden: int) -> tuple[Array, ...]:
            parts = [array(part) for part in getattr(nn, arch.upper())(inputs, hidden).parameters()]
            biases = [part.reshape(GATES[arch], hidden) for part in parts[2:]]
            return parts[0].T, biases[0], parts[1].T, biases[1]

        return draw

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = nn.MultiheadAttention(width, heads)
        return array(layer.in_proj_weight).T, array(layer.out_proj.weight).T

    def filled(law: Callable[..., Any], **options: float) -> Draw:
        return lambda n, m: (array(law(torch.empty(m, n), **options)).T,)

    named = {
        "he": filled(nn.init.kaiming_normal_), "he_uniform": filled(nn.init.kaiming_uniform_),
        "xavier": filled(nn.init.xavier_normal_), "xavier_uniform": filled(nn.init.xavier_uniform_),
        "orthogonal": filled(nn.init.orthogonal_), "trunc_normal 0.02": filled(nn.init.trunc_normal_, std=0.02),
        "trunc_normal 1.5": filled(nn.init.trunc_normal_, std=1.5),
    }  # fmt: skip
    cells = {arch: cell(arch) for arch in GATES}
    return Framework(dense, cells, attention, lambda n, m: (array(nn.Embedding(n, m).weight),), named)
