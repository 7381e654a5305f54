"""Labels that count for nothing: the loss's gradient is exactly zero wherever targets have them, whatever the outputs.

The loss alone is asked, about outputs of one's own, so that a hinge that happens to be satisfied isn't taken for one.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.loss_faults import UNCOUNTED
from gradcheck.torch.probing.loss.losses import Loss

#: More targets, and outputs for each, aren't asked about.
LARGEST, WIDEST = 2**20, 2**10

#: Of more values they are numbers, or classes one of which may well be left out.
MOST = 10

#: Outputs are asked about as they are, of the other sign, and close together, each with another example's targets.
FACTORS = (1.0, -1.0, 1e-3)

#: Outputs that are alike are asked about as they are, and moved by these: numbers that they are compared with may all
#: be larger, or all smaller.
SHIFTS = (0.0, 0.1, -0.1, 0.3, -0.3, 1.0, -1.0, 3.0, -3.0, 10.0, -10.0)


def find_uncounted(chosen: Loss, output: object, targets: object, examples: int) -> Iterator[Cause]:
    """Yield that of all values that the targets have only one changes the loss.

    So it is where the weight of a class is zero, or where a loss of labels -1 and 1 is given 0 and 1. Not of labels
    that stand for "not counted", and not where several values are left that count.
    """
    if not isinstance(targets, Tensor) or not 0 < targets.numel() <= LARGEST or targets.shape[:1] != (examples,):
        return
    values = targets.unique().tolist()
    if not 2 <= len(values) <= MOST or not set(UNCOUNTED).isdisjoint(values):
        return
    heard = torch.zeros_like(targets, dtype=torch.bool)
    with suppress(Exception), torch.enable_grad():  # the user's own loss may have had its one pass
        for factor in FACTORS:
            heard |= _heard(chosen, output, targets, factor)
        counting = [value for value in values if heard[targets == value].any()]
        if len(counting) == 1 and bool(heard[targets == counting[0]].all()) and _one_suits_all(chosen, output, targets):
            share = float((targets != counting[0]).double().mean())
            silent = [value for value in values if value != counting[0]]
            yield Cause("labels-uncounted", None, share, None, {"counts": counting[0], "silent": silent})


def _heard(chosen: Loss, output: object, targets: Tensor, factor: float) -> Tensor:
    """Return of which targets' outputs the loss has a gradient, where these are scaled by a factor."""
    heard = torch.zeros_like(targets, dtype=torch.bool)
    for found in _slopes(chosen, tree_map(lambda one: _leaf(one, factor), output), targets):
        heard |= (found != 0).any(1).reshape(targets.shape)
    return heard


def _one_suits_all(chosen: Loss, output: object, targets: Tensor) -> bool:
    """Whether the loss pulls the outputs of all targets that count to the same side where they are alike.

    Not so where targets are a mask: then what the outputs are compared with is elsewhere.
    """
    for shift in SHIFTS:
        for found in _slopes(chosen, tree_map(partial(_alike, shift=shift), output), targets):
            signs = found[(found != 0).any(1)].sign()
            if bool((signs != signs[:1]).any()):
                return False
    return True


def _slopes(chosen: Loss, asked: object, targets: Tensor) -> Iterator[Tensor]:
    """Yield the loss's gradient by each output that is asked about, one row for each target.

    Raises
    ------
    ValueError
        It isn't known which outputs a target belongs to.
    """
    leaves = [one for one in tree_leaves(asked) if isinstance(one, Tensor) and one.requires_grad]
    if not leaves or any(one.numel() > WIDEST * len(targets) for one in leaves):
        raise ValueError("no outputs, or too many")
    for leaf, found in zip(leaves, torch.autograd.grad(chosen.function(asked, targets), leaves), strict=True):
        if not (targets.numel() == len(targets) == len(leaf) or targets.numel() == leaf.numel()):
            raise ValueError("neither one for each example nor one for each number")
        yield found.reshape(targets.numel(), -1)


def _leaf(one: object, factor: float) -> object:
    if not isinstance(one, Tensor) or not one.requires_grad:
        return one
    turned = one.detach() if factor == 1 else one.detach().roll(1, 0)
    return (factor * turned).requires_grad_()


def _alike(one: object, shift: float) -> object:
    """Return an output that is the same for all examples, moved by a number."""
    if not isinstance(one, Tensor) or not one.requires_grad:
        return one
    return (one.detach()[:1] + shift).expand_as(one).clone().requires_grad_()
