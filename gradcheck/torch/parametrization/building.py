"""The user's model of each size, and what trains it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import signature
from typing import Any, Literal, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.errors import GradcheckError, OptionError, at_least, shown
from gradcheck.torch.probing.checks import check_model
from gradcheck.torch.probing.eager import as_written
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.training.optimizers import make_optimizer

#: Size ↦ a model, or a model and its optimizer.
Build = Callable[[int], Any]

#: A name, a class of optimizers, or model ↦ optimizer; None where `build` returns it.
Optimizer = Any


#: A function that makes an optimizer.
OF_MODEL = "lambda model: SGD(model.parameters(), lr=0.1)"


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
    sizes: Any = depths if widths is None else widths
    if callable(sizes):
        raise OptionError(
            f"{axis}s", "is a function: build comes first, as in transfer(build, (64, 128, 256), batch=…)"
        )
    if isinstance(sizes, Tensor | np.ndarray):
        sizes = sizes.tolist()
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise OptionError(f"{axis}s", f"{shown(sizes)} is not several numbers, as (64, 128, 256) is")
    sizes = tuple(sizes)
    found = tuple(sorted({at_least(f"{axis}s", one, 1, f"each is a model's {axis}") for one in sizes}))
    if len(found) < 2:
        raise OptionError(f"{axis}s", f"{shown(sizes)} is one {axis}: two at least show what follows from it")
    return axis, found


def check_build(build: object, size: int, axis: str) -> None:
    """Raise an error for what can't be called with a size alone."""
    if isinstance(build, nn.Module) or not callable(build):
        raise OptionError("build", f"is {type(build).__name__}: give a function that returns the model of a {axis}")
    try:
        parameters = signature(build)
    except (TypeError, ValueError):  # some builtins have none
        return
    try:
        parameters.bind(size)
    except TypeError as error:
        problem = f"is called with the {axis} alone, and that fails ({error}): give a function of it"
        raise OptionError("build", f"{problem}, as in lambda {axis}: Model({axis}, …)") from None


def takes_parameters(optimizer: object) -> TypeGuard[Callable[..., torch.optim.Optimizer]]:
    """Whether it is a class of optimizers, or one with some of its arguments: called with parameters, not a model."""
    made = optimizer.func if isinstance(optimizer, partial) else optimizer
    return isinstance(made, type) and issubclass(made, torch.optim.Optimizer)


def build_model(
    build: Build, size: int, axis: str, optimizer: Optimizer, lr: float
) -> tuple[nn.Module, torch.optim.Optimizer, str | None]:
    """Return the user's model of a size, its optimizer, and the name of one that is made here.

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
            problem = f"returned {type(built).__name__} and {type(own).__name__}, not a model and its optimizer"
            raise GradcheckError(f"build({size}) {problem}: return (model, optimizer), or the model alone")
        if optimizer is not None:
            raise OptionError("optimizer", f"is what build({size}) returns beside the model: give one of the two")
    elif built is None:
        raise GradcheckError(f"build({size}) returned nothing: end it with return, and the model of that {axis}")
    if not isinstance(built, nn.Module):
        what = (
            f"the class {built.__name__}" if isinstance(built, type) else f"{type(built).__name__}, which is no model"
        )
        raise GradcheckError(f"build({size}) returned {what}: return one torch.nn.Module, or (model, optimizer)")
    check_model(built)
    model = as_written(built)
    if own is not None:
        return model, make_optimizer(own, lr, {}, model), None
    optimizer = "adam" if optimizer is None else optimizer
    return model, _optimizer_of(model, optimizer, lr), optimizer if isinstance(optimizer, str) else None


def _optimizer_of(model: nn.Module, optimizer: Optimizer, lr: float) -> torch.optim.Optimizer:
    """Return the optimizer of a name, or that the user's function makes of the model."""
    if isinstance(optimizer, torch.optim.Optimizer):
        problem = f"is {type(optimizer).__name__} of one model, and each size has its own"
        raise OptionError("optimizer", f"{problem}: give a function, {OF_MODEL}")
    if callable(optimizer) and not takes_parameters(optimizer):
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        with errors_in_one_line(f"--optimizer {name}, called with the model, failed: "):
            try:
                optimizer = optimizer(model)
            except TypeError as error:
                if not any(sign in str(error) for sign in ("can only optimize Tensors", "is not iterable")):
                    raise
                raise OptionError("optimizer", f"{name} is called with the model: give it {OF_MODEL}") from None
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OptionError("optimizer", f"returned {type(optimizer).__name__}, not a torch.optim.Optimizer")
    return make_optimizer(optimizer, lr, {}, model)
