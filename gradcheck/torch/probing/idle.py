"""Layers whose outputs a batch has no use for: they get a gradient of exactly zero, and nothing is wrong with them.

The last block of a joint attention computes queries whose answers are left aside; a detector's head for sizes that no
object has meets no target.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck.probing.verdict import silent_layers
from gradcheck.torch.graph import Graph
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.second_look import UNWATCHED, Again
from gradcheck.torch.probing.state import untouched

#: Operations that take some entries, and leave others.
CHOICES = ("Index", "IndexSelect", "Gather", "Take", "MaskedSelect")


def find_idle(found: ModelPass, again: Again) -> frozenset[str]:
    """Return the names of the layers without gradient whose values never reach the loss.

    Whatever they gave were NaN, the loss would be what it is: NaN passes through all that shuts a gradient off but a
    choice, an activation that is shut or a factor of zero among it. Where a choice depends on the values, as of the
    hardest examples, NaN may be chosen: then the gradient would arrive if all were.
    """
    silent = [found.layers[number - 1] for number in silent_layers(found.flow)]
    if not silent or len(silent) == len(found.layers) or found.closed or found.untrained or found.flow.obstacle:
        return frozenset()
    try:
        value = _loss_with([], again)
        if _loss_with(silent, again) == value:
            return frozenset(layer.name for layer in silent)
        idle = {layer.name for layer in silent if _loss_with([layer], again) == value}
        rest = [layer for layer in silent if layer.name not in idle]
    except UNWATCHED:  # the user's code may not bear NaN
        idle, rest = set(), silent
    with suppress(*UNWATCHED):
        idle |= _not_chosen(rest, again)
    return frozenset(idle)


def _loss_with(ill: Sequence[Layer], again: Again) -> float:
    """Return the loss where some layers give NaN."""
    with untouched(again.model), ExitStack() as hooks:
        for layer in ill:
            handle = layer.module.register_forward_hook(_to_nan)
            hooks.callback(handle.remove)
        return float(again.loss_value().detach())


def _not_chosen(silent: Sequence[Layer], again: Again) -> set[str]:
    """Return the names of the layers that would get a gradient, were every entry taken where the batch chooses some."""
    weights = [one for layer in silent for one in layer.parameters.values() if one.requires_grad]
    with untouched(again.model):
        value = again.loss_value()
        graph = Graph([value.grad_fn])
        choices = [node for node, name in graph.names.items() if name.removesuffix("Backward0") in CHOICES]
        if not weights or not choices:
            return set()
        for node in choices:
            node.register_hook(_to_ones)
        found = torch.autograd.grad(value, weights, allow_unused=True)
    heard = {one for one, gradient in zip(weights, found, strict=True) if gradient is not None and gradient.any()}
    return {layer.name for layer in silent if heard.intersection(layer.parameters.values())}


def _to_ones(gradients: Sequence[Tensor | None], _at_output: object) -> tuple[Tensor | None, ...]:
    """Return the gradient at a choice's inputs as if all of them had been taken."""
    return tuple(None if one is None else torch.ones_like(one) for one in gradients)


def _to_nan(_module: nn.Module, _inputs: tuple[Any, ...], output: object) -> object:
    """Return an output with NaN in place of its floats."""
    return tree_map(lambda one: torch.full_like(one, math.nan) if _has_floats(one) else one, output)


def _has_floats(one: object) -> bool:
    return isinstance(one, Tensor) and one.is_floating_point()
