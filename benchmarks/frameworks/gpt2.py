"""What transformers' GPT-2 draws."""

from __future__ import annotations

from typing import Any

import torch
from transformers import GPT2Config, GPT2Model, GPT2PreTrainedModel
from transformers.pytorch_utils import Conv1D

from frameworks import Array, Framework


def draws() -> Framework:
    """Return what is drawn."""
    torch.manual_seed(0)

    def model(width: int, heads: int, tokens: int) -> Any:
        sizes = {"n_layer": 1, "n_embd": width, "n_head": heads, "vocab_size": tokens, "n_positions": 8}
        ends = {"bos_token_id": 0, "eos_token_id": 0}
        return GPT2Model(GPT2Config(**sizes, **ends))

    def attention(width: int, heads: int) -> tuple[Array, ...]:
        layer = model(width, heads, 2).h[0].attn
        return layer.c_attn.weight.detach().numpy(), layer.c_proj.weight.detach().numpy()

    def embedding(tokens: int, width: int) -> tuple[Array, ...]:
        return (model(width, 1, tokens).wte.weight.detach().numpy(),)

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = Conv1D(outputs, inputs)
        GPT2PreTrainedModel._init_weights(model(8, 1, 2), layer)
        return layer.weight.detach().numpy(), layer.bias.detach().numpy()[None]

    return Framework(dense, attention=attention, embedding=embedding)
