"""Layers whose outputs a batch has no use for: they get a gradient of exactly zero, and nothing is wrong with them.

The last block of a joint attention computes queries whose answers are left aside; a detector's head for sizes that no
object has meets no target; where a decoder starts from zeros its first self-attention has nothing to choose from, nor
has one over the single token that is left of a small image; a term of the loss that is below its floor, such as free
bits, waits until the others have been learnt.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck.diagnosis.summary import dead_layers
from gradcheck.probing.verdict import has_faded, silent_layers
from gradcheck.torch.graph import Graph
from gradcheck.torch.layers import Layer, own_parameters
from gradcheck.torch.modules import all_modules
from gradcheck.torch.probing.again import Again
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.rounding import find_tiny
from gradcheck.torch.probing.second_look import UNWATCHED
from gradcheck.torch.probing.state import untouched
from gradcheck.torch.probing.training.adam import Adam
from gradcheck.torch.probing.training.lesson import Lesson

#: Steps of training within which a layer without gradient may get one, and Adam's learning rate.
STEPS, RATE = 40, 1e-3

#: Rounding is told from a gradient of the same layer in another block by so many decades of what it moves.
ABOVE_ROUNDING = 3.0

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
    for question in (_not_chosen, _of_zeros):
        with suppress(*UNWATCHED):
            idle |= question([layer for layer in rest if layer.name not in idle], again)
    return frozenset(idle)


def find_alike(found: ModelPass, again: Again) -> frozenset[str]:
    """Return the names of queries and keys that choose among what is all alike, while their like elsewhere get more.

    Where a map has shrunk to a single token, or each token is still the same, their gradient is zero or rounding,
    whatever their weights are; it is so of one block, and not of the others that hold the same layer.
    """
    if found.untrained or found.flow.obstacle:
        return frozenset()
    if found.opened:
        return found.single
    silent = {found.layers[number - 1].name for number in silent_layers(found.flow)}
    roles = {
        layer: kind.role for layer, kind in zip(found.layers, found.flow.kinds, strict=True) if "of scores" in kind.name
    }
    tiny = [layer for layer in find_tiny(found.layers, found.flow) if layer in roles]
    if len({*roles.values()}) == len(roles) or not (tiny or silent):
        return found.single
    small = silent
    with suppress(*UNWATCHED):
        small = silent.union(again.rounding(tiny, found.gradients) if tiny else ())
    sizes = dict(zip(found.layers, found.flow.log10_elasticity, strict=True))
    heard = dict[str, float]()
    for layer, role in roles.items():
        if layer.name not in small:
            heard[role] = max(heard.get(role, -math.inf), sizes[layer])
    alike = {
        layer.name
        for layer, role in roles.items()
        if layer.name in small and heard.get(role, -math.inf) > sizes[layer] + ABOVE_ROUNDING
    }
    return found.single.union(alike)


def find_waking(found: ModelPass, lesson: Lesson) -> frozenset[str]:
    """Return the names of the layers without gradient that get one within a few steps of training.

    Not where zeros may be underflow: what has faded comes back, and fades again.
    """
    silent = [found.layers[number - 1] for number in silent_layers(found.flow)]
    named = {layer.name: [one for one in layer.parameters.values() if one.requires_grad] for layer in silent}
    if not silent or len(silent) == len(found.layers) or not _may_wake(found) or not all(named.values()):
        return frozenset()
    awake = set[str]()
    with untouched(lesson.model), suppress(*UNWATCHED):
        optimizer = Adam(lesson.trained, RATE, fused=True)
        for number in range(STEPS):
            if len(awake) == len(named) or not lesson.goes_on(optimizer, number):
                break
            heard = [name for name, own in named.items() if any(one.grad is not None and one.grad.any() for one in own)]
            awake.update(heard)
        optimizer.zero_grad()
    return frozenset(awake)


def _may_wake(found: ModelPass) -> bool:
    """Whether nothing else says already why there is no gradient."""
    explained = found.closed or found.untrained or found.cut or found.shut or found.origins
    return not (explained or found.flow.obstacle or dead_layers(found.flow) or has_faded(found.flow))


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


def _of_zeros(silent: Sequence[Layer], again: Again) -> set[str]:
    """Return the names of the layers that would get a gradient, were the zeros that a model starts from not zero.

    Zeros that a batch holds, or a layer gives, stay: they may be what is wrong.
    """
    weights = [one for layer in silent for one in layer.parameters.values() if one.requires_grad]
    if not weights:
        return set()
    with untouched(again.model), ExitStack() as hooks:
        for module in all_modules(again.model):
            hooks.callback(module.register_forward_pre_hook(_from_zeros).remove)
        found = torch.autograd.grad(again.loss_value(), weights, allow_unused=True)
    heard = {one for one, gradient in zip(weights, found, strict=True) if gradient is not None and gradient.any()}
    return {layer.name for layer in silent if heard.intersection(layer.parameters.values())}


def _from_zeros(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what goes into a layer with random numbers in place of zeros that no layer has made."""
    if not own_parameters(module):
        return inputs
    return tuple(torch.randn_like(one) if _is_start(one) else one for one in inputs)


def _is_start(one: object) -> bool:
    """Whether a tensor is zeros that come of no layer and no input, which have a graph, and that aren't trained."""
    if not isinstance(one, Tensor) or isinstance(one, nn.Parameter) or not one.is_floating_point():
        return False
    return one.grad_fn is None and bool(one.numel()) and not bool(one.any())


def _to_ones(gradients: Sequence[Tensor | None], _at_output: object) -> tuple[Tensor | None, ...]:
    """Return the gradient at a choice's inputs as if all of them had been taken."""
    return tuple(None if one is None else torch.ones_like(one) for one in gradients)


def _to_nan(_module: nn.Module, _inputs: tuple[Any, ...], output: object) -> object:
    """Return an output with NaN in place of its floats."""
    return tree_map(lambda one: torch.full_like(one, math.nan) if _has_floats(one) else one, output)


def _has_floats(one: object) -> bool:
    return isinstance(one, Tensor) and one.is_floating_point()
