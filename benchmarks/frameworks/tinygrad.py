"""What tinygrad draws."""

from __future__ import annotations

from tinygrad import Tensor, nn

from frameworks import Array, Framework


def draws() -> Framework:
    """Return what is drawn."""
    Tensor.manual_seed(0)

    def dense(inputs: int, outputs: int) -> tuple[Array, ...]:
        layer = nn.Linear(inputs, outputs)
        return layer.weight.numpy().T, layer.bias.numpy()[None]

    def lstm(inputs: int, hidden: int) -> tuple[Array, ...]:
        layer = nn.LSTMCell(inputs, hidden)
        own, other = (part.numpy().reshape(4, hidden) for part in (layer.bias_ih, layer.bias_hh))
        return layer.weight_ih.numpy().T, own, layer.weight_hh.numpy().T, other

    return Framework(dense, {"lstm": lstm})
