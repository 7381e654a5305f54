"""Weights that start at zero: they shut layers off only until the first steps of training open them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

from gradcheck.flow.model_flow import ModelFlow
from gradcheck.probing.limits import SMALL_FACTOR
from gradcheck.probing.verdict import silent_layers
from gradcheck.torch.layers import is_zero, own_parameters
from gradcheck.torch.modules import all_modules, named_parameters
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.origins import OF_ROWS
from gradcheck.torch.probing.state import untouched
from gradcheck.torch.probing.training.adam import Adam
from gradcheck.torch.probing.training.lesson import Lesson

#: Steps that a gate has to open, and Adam's learning rate.
STEPS, RATE = 12, 1e-3


class Gates(NamedTuple):
    """Weights that are all zero at the start, by name."""

    opened: dict[str, int]  # ↦ the step of training that changed them first
    shut: tuple[str, ...]  # those that none of the steps changed


def zero_weights(model: nn.Module) -> list[str]:
    """Return the names of the trained weights that are exactly zero; biases shut nothing."""
    return [
        name
        for name, parameter in named_parameters(model)
        if parameter.requires_grad and "bias" not in name.rpartition(".")[2] and is_zero(parameter)
    ]


def may_be_shut(model: nn.Module) -> bool:
    """Whether a layer's own weights, not a token or an offset that is added, are all zero."""
    weights = (one._parameters.get("weight") for one in all_modules(model))
    return any(one is not None and one.requires_grad and is_zero(one) for one in weights)


def has_small_gates(model: nn.Module) -> bool:
    """Whether some branch starts next to nothing: a factor of each unit, or one for all, is far below 1."""
    for module in all_modules(model):
        if isinstance(module, OF_ROWS):  # of a single unit, or to it: a matrix
            continue
        own = [one.detach() for one in own_parameters(module) if one.numel()]
        if all(one.numel() == max(one.shape, default=1) for one in own):  # beside a matrix a vector is a bias
            sizes = [float(one.abs().max()) for one in own]
            if any(0 < size < SMALL_FACTOR for size in sizes):
                return True
    return False


def gated_layers(before: ModelFlow, after: ModelFlow, gates: Gates) -> tuple[str, ...]:
    """Return which layers of a flow are gates that have been opened, and which got no gradient before they were."""
    places = dict.fromkeys((before.labels[layer - 1] for layer in silent_layers(before)), "behind")
    places |= dict.fromkeys((name.rpartition(".")[0] for name in gates.opened), "gate")
    return tuple(places.get(label, "") for label in after.labels)


@contextmanager
def opened(lesson: Lesson, gradients: Gradients) -> Iterator[Gates]:
    """Train until every weight that started at zero has changed, for a dozen steps at most; then put all back.

    The first of them goes against gradients that are known.
    """
    named = dict(named_parameters(lesson.model))
    zero, changed = zero_weights(lesson.model), dict[str, int]()
    with untouched(lesson.model):
        optimizer = Adam(lesson.trained, RATE, fused=True)
        for step in range(1, STEPS + 1):
            if step == 1:
                lesson.take(optimizer, gradients)
            elif not lesson.goes_on(optimizer, step - 1):
                break
            changed |= {name: step for name in zero if name not in changed and not is_zero(named[name])}
            if len(changed) == len(zero):
                break
        used = [name for name in zero if named[name].grad is not None]
        optimizer.zero_grad()
        yield Gates(changed, tuple(name for name in used if name not in changed))
