"""Layers whose outputs a batch has no use for: they get a gradient of exactly zero, and nothing is wrong with them.

The last block of a joint attention computes queries whose answers are left aside; a detector's head for sizes that no
object has meets no target.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gradcheck.probing.verdict import silent_layers
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.second_look import UNWATCHED, Again
from gradcheck.torch.probing.state import untouched


def find_idle(found: ModelPass, again: Again) -> frozenset[str]:
    """Return the names of the layers without gradient whose values never reach the loss.

    Whatever they gave were NaN, the loss would be what it is: NaN passes through all that shuts a gradient off but a
    choice, an activation that is shut or a factor of zero among it.
    """
    silent = [found.layers[number - 1] for number in silent_layers(found.flow)]
    if not silent or len(silent) == len(found.layers) or found.closed or found.untrained or found.flow.obstacle:
        return frozenset()
    try:
        value = _loss_with([], again)
        if _loss_with(silent, again) == value:
            return frozenset(layer.name for layer in silent)
        return frozenset(layer.name for layer in silent if _loss_with([layer], again) == value)
    except UNWATCHED:  # the user's code may not bear NaN
        return frozenset()


def _loss_with(ill: Sequence[Layer], again: Again) -> float:
    """Return the loss where some layers give NaN."""
    with untouched(again.model), ExitStack() as hooks:
        for layer in ill:
            handle = layer.module.register_forward_hook(_to_nan)
            hooks.callback(handle.remove)
        return float(again.loss_value().detach())


def _to_nan(_module: nn.Module, _inputs: tuple[Any, ...], output: object) -> object:
    """Return an output with NaN in place of its floats."""
    return tree_map(lambda one: torch.full_like(one, math.nan) if _has_floats(one) else one, output)


def _has_floats(one: object) -> bool:
    return isinstance(one, Tensor) and one.is_floating_point()
