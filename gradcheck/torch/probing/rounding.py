"""Gradients that are rounding and nothing else: what is computed doesn't depend on these weights."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.measuring import Gradients

#: A layer is looked at where its part of the loss, ‖W‖·‖∂L/∂W‖, is so small beside the largest one's.
TINY = 1e-5

#: A gradient is rounding where in double precision less than this share of it is left: of a true one nearly all is.
LEFT = 1e-3


def find_tiny(layers: Sequence[Layer], gradients: Gradients) -> list[Layer]:
    """Return the layers whose single-precision weights get next to nothing, though not exactly nothing."""
    sizes = {layer: _elasticity(layer, gradients) for layer in layers}
    largest = max(sizes.values(), default=0.0)
    single = {layer for layer in layers if all(one.dtype == torch.float32 for one in layer.matrices)}
    return [layer for layer, size in sizes.items() if layer in single and 0 < size < TINY * largest]


def _elasticity(layer: Layer, gradients: Gradients) -> float:
    pairs = [(one, gradients.get(one)) for one in layer.matrices]
    return sum(_norm(weight) * _norm(gradient) for weight, gradient in pairs if gradient is not None)


def _norm(tensor: Tensor) -> float:
    return float(tensor.detach().double().norm())


def find_rounding(
    model: nn.Module, tiny: Sequence[Layer], gradients: Gradients, scale: float, run: Callable[[nn.Module], Tensor]
) -> tuple[str, ...]:
    """Return those layers whose gradient isn't there in double precision.

    Parameters
    ----------
    model : nn.Module
    tiny : sequence of Layer
    gradients : mapping
        Those of `scale` times the loss, in single precision.
    scale : float
    run : callable
        A copy of the model in double precision ↦ its loss.
    """
    double = copy.deepcopy(model).double()
    names = {one: name for name, one in model.named_parameters()}
    twins = dict(double.named_parameters())
    wanted = {layer: [one for one in layer.matrices if gradients.get(one) is not None] for layer in tiny}
    flat = [twins[names[one]] for several in wanted.values() for one in several]
    found = iter(torch.autograd.grad(run(double), flat, allow_unused=True))
    exact = {layer: [next(found) for _ in several] for layer, several in wanted.items()}
    return tuple(
        layer.name
        for layer, several in wanted.items()
        if sum(_norm(one) for one in exact[layer] if one is not None) * scale
        < LEFT * sum(_norm(gradient) for one in several if (gradient := gradients[one]) is not None)
    )
