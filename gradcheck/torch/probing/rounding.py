"""Gradients that are rounding and nothing else: the loss doesn't depend on these weights."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.moving import moved

#: A layer is looked at where its part of the loss, ‖W‖·‖∂L/∂W‖, is so small beside the largest one's.
TINY = 1e-5

#: A gradient is true where it points the same way after that: rounding points anywhere.
SAME = 0.5


def find_tiny(layers: Sequence[Layer], gradients: Gradients) -> list[Layer]:
    """Return the layers whose weights get next to nothing, though not exactly nothing."""
    sizes = {layer: _elasticity(layer, gradients) for layer in layers}
    largest = max(sizes.values(), default=0.0)
    return [layer for layer, size in sizes.items() if 0 < size < TINY * largest]


def _elasticity(layer: Layer, gradients: Gradients) -> float:
    pairs = [(one, gradients.get(one)) for one in layer.matrices]
    return sum(_norm(weight) * _norm(gradient) for weight, gradient in pairs if gradient is not None)


def _norm(tensor: Tensor) -> float:
    return float(tensor.detach().abs().double().norm())


def find_rounding(tiny: Sequence[Layer], loss: Callable[[], Tensor]) -> tuple[str, ...]:
    """Return those of some layers whose gradient turns when their weights are moved a little.

    Parameters
    ----------
    tiny : sequence of Layer
    loss : callable
        Returns the model's loss, the same each time.
    """
    as_it_is, again = _gradients(tiny, loss), _gradients(tiny, loss)
    with moved([one for layer in tiny for one in layer.matrices]):
        after = _gradients(tiny, loss)
    return tuple(
        layer.name
        for layer in tiny
        if _cosine(as_it_is[layer], again[layer]) > SAME > _cosine(as_it_is[layer], after[layer])
    )


def _gradients(layers: Sequence[Layer], loss: Callable[[], Tensor]) -> dict[Layer, Tensor]:
    """Return the gradient of each layer's weights as one vector."""
    wanted = {layer: [one for one in layer.matrices if one.requires_grad] for layer in layers}
    flat = [one for several in wanted.values() for one in several]
    found = iter(torch.autograd.grad(loss(), flat, materialize_grads=True))
    return {layer: torch.cat([next(found).flatten().double() for _ in several]) for layer, several in wanted.items()}


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one, other, dim=0, eps=0.0).nan_to_num())
