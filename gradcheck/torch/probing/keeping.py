"""What an optimizer remembers, put back into the very objects that held it."""

from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor

#: What can't change, and need not be copied.
PLAIN = (bool, int, float, complex, str, type(None))


class Kept(NamedTuple):
    """An object and what it held: of a tensor its values, of a mapping or list its parts."""

    value: Any
    held: Any


def keep(value: Any, apart: frozenset[Tensor] = frozenset()) -> Kept:  # noqa: ANN401
    """Copy what an object holds, but for tensors that are kept elsewhere."""
    if isinstance(value, Tensor):
        return Kept(value, None if value in apart else value.detach().clone())
    if isinstance(value, dict):
        return Kept(value, {name: keep(one, apart) for name, one in value.items()})
    if type(value) is list:
        return Kept(value, [keep(one, apart) for one in value])
    return Kept(value, value if isinstance(value, PLAIN) else deepcopy(value))


def put_back(kept: Kept) -> Any:  # noqa: ANN401
    """Return the object with what it held; what came since is gone."""
    value, held = kept
    if isinstance(value, Tensor):
        if held is not None:
            give_values(value, held)
    elif isinstance(value, dict):
        parts = {name: put_back(one) for name, one in held.items()}
        value.clear()
        value.update(parts)
    elif type(value) is list:
        value[:] = map(put_back, held)
    else:
        return held if isinstance(held, PLAIN) else deepcopy(held)
    return value


def keep_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Kept, ...]:
    """Keep an optimizer's groups, but for their parameters' values, its state, and numbers that are attributes.

    ``load_state_dict`` would make other groups, and other types of state.
    """
    apart = frozenset(one for group in optimizer.param_groups for one in group["params"])
    numbers = {name: one for name, one in vars(optimizer).items() if isinstance(one, (*PLAIN, Tensor))}
    return keep(optimizer.param_groups, apart), keep(optimizer.state, apart), keep(numbers, apart)


def put_optimizer_back(optimizer: torch.optim.Optimizer, kept: tuple[Kept, ...]) -> None:
    """Put an optimizer's groups, state and numbers back."""
    groups, state, numbers = kept
    put_back(groups)
    put_back(state)
    vars(optimizer).update(put_back(numbers))


def give_values(tensor: Tensor, before: Tensor) -> None:
    """Give a tensor the values that it had; one that still has them is left alone, so that graphs that hold it last."""
    if has_values(tensor, before):
        return
    with torch.no_grad():
        try:
            tensor.copy_(before)
        except RuntimeError:  # another shape, or several entries in one place
            tensor.data = before


def has_values(tensor: Tensor, before: Tensor) -> bool:
    """Whether a tensor has these values, and no others."""
    return tensor.shape == before.shape and bool(torch.equal(tensor.detach(), before))
