"""The user's model of each size, and what trains it."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn

from gradcheck.errors import GradcheckError, OptionError, at_least, shown
from gradcheck.torch.probing.checks import check_model
from gradcheck.torch.probing.eager import as_written
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.optimizers import make_optimizer

#: Size ↦ a model, or a model and its optimizer.
Build = Callable[[int], Any]

#: A name, or model ↦ optimizer; None where `build` returns it.
Optimizer = Any


def check_sizes(
    widths: Sequence[int] | None, depths: Sequence[int] | None
) -> tuple[Literal["width", "depth"], tuple[int, ...]]:
    """Return what grows, ``width`` or ``depth``, and the sizes in ascending order.

    Raises
    ------
    OptionError
        None or both are given, or they are fewer than two whole numbers above zero.
    """
    if (widths is None) == (depths is None):
        raise OptionError(
            "widths", "or --depths: give one of them, as in widths=(64, 128, 256), for build to be called with"
        )
    axis: Literal["width", "depth"] = "depth" if widths is None else "width"
    sizes = depths if widths is None else widths
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        try:
            sizes = tuple(sizes)  # type: ignore[arg-type]  # a range's or NumPy's
        except TypeError:
            raise OptionError(f"{axis}s", f"{shown(sizes)} is not several numbers, as (64, 128, 256) is") from None
    found = tuple(sorted({at_least(f"{axis}s", one, 1, f"each is a model's {axis}") for one in sizes}))
    if len(found) < 2:
        raise OptionError(f"{axis}s", f"{shown(sizes)} is one {axis}: two at least show what follows from it")
    return axis, found


def build_model(
    build: Build, size: int, axis: str, optimizer: Optimizer, lr: float
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return the user's model of a size and its optimizer.

    Raises
    ------
    GradcheckError
        `build` fails, returns something else, or the optimizer can't train the model.
    """
    with errors_in_one_line(f"build({size}) failed: "):
        built = build(size)
    own = None
    if isinstance(built, tuple | list) and len(built) == 2:
        built, own = built
        if not isinstance(own, torch.optim.Optimizer):
            problem = f"returned a model and {type(own).__name__}, not a torch.optim.Optimizer"
            raise GradcheckError(f"build({size}) {problem}: return (model, optimizer), or the model alone")
        if optimizer is not None:
            raise OptionError("optimizer", f"is what build({size}) returns beside the model: give one of the two")
    elif built is None:
        raise GradcheckError(f"build({size}) returned nothing: end it with return, and the model of that {axis}")
    check_model(built)
    model = as_written(built)
    if own is not None:
        return model, make_optimizer(own, lr, {}, model)
    return model, _optimizer_of(model, "adam" if optimizer is None else optimizer, lr)


def _optimizer_of(model: nn.Module, optimizer: Optimizer, lr: float) -> torch.optim.Optimizer:
    """Return the optimizer of a name, or that the user's function makes of the model."""
    if isinstance(optimizer, torch.optim.Optimizer):
        problem = f"is {type(optimizer).__name__} of one model, and each size has its own"
        raise OptionError("optimizer", f"{problem}: give a function, lambda model: SGD(model.parameters(), lr=0.1)")
    if callable(optimizer):
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        with errors_in_one_line(f"--optimizer {name}, called with the model, failed: "):
            optimizer = optimizer(model)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OptionError("optimizer", f"returned {type(optimizer).__name__}, not a torch.optim.Optimizer")
    return make_optimizer(optimizer, lr, {}, model)
