"""Weights that start at zero, and gates next to it: they shut a branch only in the first steps of training."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gradcheck.torch.probing.measuring import Gradients

#: A gate all of whose entries are smaller is nearly shut; LayerScale starts at 1e-4 to 1e-6.
NEARLY = 1e-2


def find_shut(model: nn.Module, gradients: Gradients) -> dict[str, Tensor]:
    """Return the gradients of weights that are exactly zero, by name; biases shut nothing."""
    return {
        name: gradient
        for name, parameter, gradient in _with_gradient(model, gradients)
        if "bias" not in name.rpartition(".")[2] and not bool(parameter.detach().any())
    }


def find_nearly_shut(model: nn.Module, gradients: Gradients, factors: set[Tensor]) -> dict[str, Tensor]:
    """Return the gradients of gates that are next to zero, by name: of all factors those of whole units."""
    return {
        name: gradient
        for name, parameter, gradient in _with_gradient(model, gradients)
        if parameter in factors and _is_gate(parameter) and 0 < float(parameter.detach().abs().max()) < NEARLY
    }


def _with_gradient(model: nn.Module, gradients: Gradients) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield each parameter whose gradient isn't all zero: its name, itself and the gradient."""
    for name, parameter in model.named_parameters():
        gradient = gradients.get(parameter)
        if gradient is not None:
            gradient = gradient.to_dense() if gradient.is_sparse else gradient
            if bool(gradient.any()):
                yield name, parameter, gradient


def _is_gate(parameter: Tensor) -> bool:
    """Whether it is a factor of each unit, of shape C or Cx1x1, or one for all; a matrix of one column isn't."""
    return not parameter.dim() or (parameter.dim() != 2 and parameter.numel() == len(parameter))


@contextmanager
def opened(model: nn.Module, gradients: dict[str, Tensor]) -> Iterator[None]:
    """Give weights a first step against their gradient, as large as usual weights are; then put them back."""
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
