"""What a loss returned, as a tensor of one number; and the modules whose state is the loss's."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import getclosurevars
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.base.wording import the_loss
from gradcheck.errors import GradcheckError
from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.checkpoints import why_no_gradient
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.loss.losses import Loss, cannot_compute
from gradcheck.torch.probing.route import Route


def loss_of(chosen: Loss, output: object, targets: object, route: Route, record: Recording) -> tuple[Any, Route]:
    """Return the loss, and the route, on which it may be an obstacle; no loss where the signal isn't finite."""
    if route.obstacle:
        return None, route
    with errors_in_one_line(cannot_compute(chosen, targets), record):
        value = chosen.function(output, targets)
    value = as_number(value, chosen.name)
    if not value.requires_grad and record.starved:
        problem = f"{the_loss(chosen.name)} doesn't depend on any parameter"
        raise GradcheckError(f"{problem}: {why_no_gradient(record)}")
    if not is_finite(value):
        return None, route._replace(obstacle="nan" if bool(torch.isnan(value).any()) else "overflow")
    return (value if value.dtype == torch.float64 else value.float()).reshape(()), route


def as_number(value: object, name: str) -> Tensor:
    """Return a loss as a tensor of one number; one of Python's or NumPy's has no graph.

    Raises
    ------
    GradcheckError
        It is no number, or a complex one.
    """
    if isinstance(value, bool | int | float | np.number) or (isinstance(value, np.ndarray) and value.size == 1):
        return torch.tensor(np.asarray(value).item(), dtype=torch.float64)
    if not isinstance(value, Tensor):
        raise GradcheckError(f"{the_loss(name)} returned {_described(value)}")
    if value.numel() != 1:
        raise GradcheckError(f"{the_loss(name)} returned {tuple(value.shape)}, not one number: take its mean")
    if value.is_complex():
        raise GradcheckError(
            f"{the_loss(name)} returned a complex number, of which none is the least: take its .abs() or its .real"
        )
    return value.to_dense() if value.layout is not torch.strided else value


def _described(value: object) -> str:
    """Say what isn't a number, and what would be."""
    if value is None:
        return "nothing: end it with return, and one number"
    if isinstance(value, Mapping):
        keys = ", ".join(repr(one) for one in list(value)[:5])
        return f"a {type(value).__name__} of {keys or 'nothing'}, not one number: return their sum, or the one to train"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}, not one number: return the loss alone"
    return f"{type(value).__name__}, not one number"


def modules_of(loss: object) -> tuple[nn.Module, ...]:
    """Return the modules that a loss is, is a method of, or is made with: their state is the loss's."""
    if isinstance(loss, nn.Module):
        return (loss,)
    if isinstance(loss, partial):
        return (*modules_of(loss.func), *(one for part in (*loss.args, *loss.keywords.values()) for one in _own(part)))
    owner = getattr(loss, "__self__", None)
    found: list[nn.Module] = [
        *_own(owner),
        *(one for part in getattr(owner, "__dict__", {}).values() for one in _own(part)),
    ]
    if callable(loss) and hasattr(loss, "__closure__"):
        found += [one for part in _enclosed(loss) for one in _own(part)]
    return tuple(dict.fromkeys(found))


def _own(value: object) -> tuple[nn.Module, ...]:
    return (value,) if isinstance(value, nn.Module) else ()


def _enclosed(function: Callable[..., Any]) -> list[object]:
    """Return what a function uses of the names around it."""
    try:
        names = getclosurevars(function)
    except (TypeError, ValueError):
        return []
    return [*names.nonlocals.values(), *names.globals.values()]
