"""Targets that a loss has no use for: it is exactly what it was where they are those of other examples."""

from collections.abc import Iterator
from contextlib import suppress

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from gradcheck.torch.probing.loss.losses import ForwardResult


def ignored_targets(result: ForwardResult) -> Iterator[Tensor]:
    """Yield the targets that make no difference to the loss; not where it can't be asked once more.

    One that is the same for all examples can't be told.
    """
    if result.value is None:
        return
    with suppress(Exception), torch.no_grad():  # the user's own loss may have had its one pass
        leaves, tree = tree_flatten(result.targets)
        for place, one in enumerate(leaves):
            if not isinstance(one, Tensor) or torch.equal(other := one.roll(1), one):
                continue
            targets = tree_unflatten([*leaves[:place], other, *leaves[place + 1 :]], tree)
            if float(result.loss.function(result.output, targets)) == float(result.value):
                yield one


def may_be_for(target: Tensor, output: Tensor) -> bool:
    """Whether a target is as large as an output, or has classes of one; examples' numbers and lengths hardly are."""
    if target.numel() == output.numel():
        return True
    whole = not (target.is_floating_point() or target.is_complex())
    classes = output.numel() // target.numel()
    return whole and target.numel() * classes == output.numel() and int(target.max()) < classes
