"""Weights that start at zero, and gates next to it: they shut a branch in the first steps of training only."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gradcheck.torch.probing.measuring import Gradients

#: A gate is nearly shut where all of it is smaller; LayerScale starts at 1e-4 to 1e-6.
NEARLY = 1e-2


def shut_by(model: nn.Module, gradients: Gradients) -> dict[str, Tensor]:
    """Return the weights that are exactly zero and have a gradient, by name, with the gradient; biases shut nothing."""
    found = {}
    for name, parameter in model.named_parameters():
        gradient = gradients.get(parameter)
        if "bias" in name.rpartition(".")[2] or gradient is None or bool(parameter.detach().any()):
            continue
        gradient = gradient.to_dense() if gradient.is_sparse else gradient
        if bool(gradient.any()):
            found[name] = gradient
    return found


def nearly_shut_by(model: nn.Module, gradients: Gradients, factors: set[Tensor]) -> dict[str, Tensor]:
    """Return the gates that are next to zero, by name, with the gradient: of all factors those of whole units."""
    found = {}
    for name, parameter in model.named_parameters():
        gradient, values = gradients.get(parameter), parameter.detach()
        if parameter not in factors or not _is_gate(values) or gradient is None or not bool(gradient.any()):
            continue
        if 0 < float(values.abs().max()) < NEARLY:
            found[name] = gradient
    return found


def _is_gate(parameter: Tensor) -> bool:
    """Whether it is a factor of each unit, of shape C or Cx1x1, or one for all; a matrix of one column is none."""
    return not parameter.dim() or (parameter.dim() != 2 and parameter.numel() == len(parameter))


@contextmanager
def opened(model: nn.Module, gradients: dict[str, Tensor]) -> Iterator[None]:
    """Let weights have taken a first step against their gradient, as long as usual weights are; then put them back."""
    parameters = dict(model.named_parameters())
    kept = {name: parameters[name].detach().clone() for name in gradients}
    with torch.no_grad():
        for name, gradient in gradients.items():
            parameter = parameters[name]
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            wide = gradient.to(torch.promote_types(gradient.dtype, torch.float64))
            wide = wide / wide.abs().max()
            rms = wide.abs().square().mean().sqrt() * math.sqrt(fan_in)
            parameter.copy_((-wide / rms).to(parameter.dtype))
    try:
        yield
    finally:
        with torch.no_grad():
            for name, before in kept.items():
                parameters[name].copy_(before)
