"""What a loss of the user's own makes of other outputs and targets: no pass through the model is needed for that."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.first_loss import HUGE_TARGETS, FirstLoss
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.probing.loss.losses import Loss
from gradcheck.torch.probing.tracing import floats

#: A loss whose best answer nobody knows is outsized where, for each number that it is a sum over, it is so many times
#: the mean square of outputs or targets, or 1: squared errors are at 2 and less, terms with weights at some hundred.
OUTSIZED = 1000.0

#: Of numbers that are larger than this nobody knows which of their powers a loss is made of.
LARGE = 10.0

#: What targets are shifted by, in root mean squares; and by which share a loss changes that does.
SHIFT, CHANGED = 0.5, 0.01


def compared_targets(chosen: Loss, output: object, targets: object, value: Tensor) -> Tensor | None:
    """Return targets that are huge beside the output, where the loss is one of their differences.

    Such a loss stays as it is where both are shifted, changes where the targets alone are, and is zero where nothing
    differs: L1, Huber and pinball losses, however they are written, and no likelihood, and none that weighs something
    by its targets.
    """
    tensor = main_tensor(output)
    known = tensor is not None and tensor is output and isinstance(targets, Tensor) and targets.is_floating_point()
    if not known or tensor is None or not isinstance(targets, Tensor):
        return None
    size = _rms([targets])
    if not size > HUGE_TARGETS * max(1.0, _rms([tensor])) or not math.isfinite(size):
        return None
    with suppress(Exception), torch.no_grad():  # the user's own loss may have had its one pass
        wide, aim, by = tensor.detach().double(), targets.detach().double(), SHIFT * size
        asked = (wide, aim), (wide + by, aim + by), (wide, aim + by), (0 * wide, 0 * aim)
        here, there, alone, nothing = (float(chosen.function(*one)) for one in asked)
        is_same = math.isclose(here, float(value), rel_tol=CHANGED) and math.isclose(here, there, rel_tol=CHANGED)
        differs = abs(alone - here) > CHANGED * here > abs(nothing)
        return targets if is_same and differs else None
    return None


def best_number(chosen: Loss, output: object, compared: Tensor, targets: object) -> float:
    """Return what a loss of differences costs where the outputs all are the targets' mean or median; nan if unknown."""
    with suppress(Exception), torch.no_grad():  # the user's own loss may have had its one pass
        made, aim = _sole(output), compared.detach().double()
        answers = (torch.full_like(made, float(one)) for one in (aim.mean(), aim.median()))
        return min(float(chosen.function(one, targets)) for one in answers)
    return math.nan


def _sole(output: object) -> Tensor:
    """Return the output if it is a single tensor.

    Raises
    ------
    TypeError
        It is more, or something else.
    """
    if not isinstance(output, Tensor):
        raise TypeError("not a single tensor")
    return output.detach()


def outsized(chosen: Loss, output: object, targets: object, first: FirstLoss) -> Cause | None:
    """Return that a loss whose best answer nobody knows is far above what the sizes of outputs and targets explain."""
    made, given = floats(output), [one for one in tree_leaves(targets) if isinstance(one, Tensor) and one.numel()]
    if not given or not made or first.classes or not math.isnan(first.constant_answer):
        return None
    outputs, aims = _rms(made), _rms(given)
    usual = OUTSIZED * max(1.0, outputs**2, aims**2)
    if max(outputs, aims) > LARGE or not usual < first.value < math.inf:
        return None
    numbers = _numbers(chosen.function, output, targets, first.value, made)
    usual *= numbers
    sizes = {"outputs": outputs, "targets": aims, "numbers": numbers}
    return Cause("loss-outsized", None, first.value, usual, sizes) if first.value > usual else None


def _numbers(function: Callable[..., Any], output: object, targets: object, value: float, made: list[Tensor]) -> int:
    """Return over how many of the outputs' numbers a loss is a sum at most: an example's, if it is a mean over these.

    Half of the examples have the same mean, and half the sum.
    """
    numbers: int = sum(one.numel() for one in made)
    examples = len(made[0]) if made[0].dim() else 0
    whole = [one for one in tree_leaves((output, targets)) if isinstance(one, Tensor)]
    if examples < 4 or any(one.dim() == 0 or len(one) != examples for one in whole):
        return numbers
    with suppress(Exception), torch.no_grad():
        halves = tuple(
            tree_map(lambda one, start=start: one[start::2] if isinstance(one, Tensor) else one, (output, targets))
            for start in (0, 1)
        )
        apart = [float(function(*half)) for half in halves]
        if min(apart) > 0 and max(apart) > 0.75 * value:  # of sums the two would be the whole
            return numbers // examples if sum(apart) > 1.5 * value else numbers
    return numbers


def _rms(tensors: list[Tensor]) -> float:
    """Return the root mean square of all numbers together."""
    dense = [one.detach().abs().double() for one in tensors]
    count = sum(one.numel() for one in dense)
    return math.sqrt(sum(float(one.square().sum()) for one in dense) / count) if count else math.nan
