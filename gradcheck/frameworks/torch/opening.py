"""Weights that start at exactly zero: they shut a branch only until the first step of training."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gradcheck.frameworks.torch.measuring import Gradients


def shut_by(model: nn.Module, gradients: Gradients) -> dict[str, Tensor]:
    """Return the weights that are exactly zero and have a gradient, by name, with the gradient; biases shut nothing."""
    found = {}
    for name, parameter in model.named_parameters():
        gradient = gradients.get(parameter)
        if name.rpartition(".")[2] == "bias" or gradient is None or bool(parameter.detach().any()):
            continue
        gradient = gradient.to_dense() if gradient.is_sparse else gradient
        if bool(gradient.any()):
            found[name] = gradient
    return found


@contextmanager
def opened(model: nn.Module, gradients: dict[str, Tensor]) -> Iterator[None]:
    """Let weights have taken a first step against their gradient, as long as usual weights are; then put them back."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, gradient in gradients.items():
            parameter = parameters[name]
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            wide = gradient.double()
            wide = wide / wide.abs().max()
            rms = wide.square().mean().sqrt() * math.sqrt(fan_in)
            parameter.copy_((-wide / rms).to(parameter.dtype))
    try:
        yield
    finally:
        with torch.no_grad():
            for name in gradients:
                parameters[name].zero_()
