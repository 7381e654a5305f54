"""Gradients that are rounding and nothing else: the loss doesn't depend on these weights."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gradcheck.flow.model_flow import ModelFlow
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.moving import moved

#: A layer is looked at where its part of the loss, ‖W‖·‖∂L/∂W‖, is so small beside the largest one's.
TINY = 1e-5

#: A gradient is true where it points the same way after that: rounding points anywhere.
SAME = 0.5


def find_tiny(layers: Sequence[Layer], flow: ModelFlow) -> list[Layer]:
    """Return the layers whose weights get next to nothing, though not exactly nothing."""
    sizes = flow.log10_elasticity
    largest = np.nanmax(sizes, initial=-np.inf)
    tiny = np.isfinite(sizes) & (sizes < largest + math.log10(TINY))
    return [layer for layer, small in zip(layers, tiny, strict=True) if small]


def find_rounding(tiny: Sequence[Layer], gradients: Gradients, loss: Callable[[], Tensor]) -> tuple[str, ...]:
    """Return those of some layers whose gradient turns when their weights are moved a little.

    The gradients are the model's, of any multiple of the loss, which is the same each time.
    """
    as_it_is = _joined(tiny, [gradients[one] for layer in tiny for one in _trained(layer)])
    with moved([one for layer in tiny for one in layer.matrices]):
        after = _gradients(tiny, loss)
    turned = [layer for layer in tiny if _cosine(as_it_is[layer], after[layer]) < SAME]
    again = _gradients(turned, loss) if turned else {}
    return tuple(layer.name for layer in turned if _cosine(as_it_is[layer], again[layer]) > SAME)


def _gradients(layers: Sequence[Layer], loss: Callable[[], Tensor]) -> dict[Layer, Tensor]:
    """Return the gradient of each layer's weights as one vector."""
    wanted = [one for layer in layers for one in _trained(layer)]
    return _joined(layers, torch.autograd.grad(loss(), wanted, allow_unused=True))


def _trained(layer: Layer) -> list[nn.Parameter]:
    return [one for one in layer.matrices if one.requires_grad]


def _joined(layers: Sequence[Layer], gradients: Iterable[Tensor | None]) -> dict[Layer, Tensor]:
    """Return the gradients of each layer's weights as one vector, given one after the other; zeros where none is."""
    found = iter(gradients)

    def flat(weight: Tensor) -> Tensor:
        gradient = next(found)
        return (torch.zeros_like(weight) if gradient is None else gradient).detach().flatten().double()

    return {layer: torch.cat([flat(one) for one in _trained(layer)]) for layer in layers}


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(functional.cosine_similarity(one, other, dim=0, eps=0.0).nan_to_num())
