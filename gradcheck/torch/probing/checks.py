"""What can't be probed, reported before anything runs."""

import math

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader

from gradcheck.base.wording import counted
from gradcheck.errors import GradcheckError, OptionError, at_least
from gradcheck.probing.loading import framework_of
from gradcheck.probing.user_errors import error_line, errors_in_one_line
from gradcheck.torch.probing.batches import Batch


def check_model(given: object) -> None:
    """Raise an error for what isn't a model, and for one whose weights or modules can't be reached."""
    model = checked_module(given, "probe")
    name = type(model).__name__
    modules = [*model.modules()]
    tensors = [one for module in modules for part in (module._parameters, module._buffers) for one in part.values()]
    tensors = [one for one in tensors if one is not None]
    if any(is_lazy(one) for one in tensors):
        raise GradcheckError(f"{name} has lazy modules that have no weights yet: call it on a batch once")
    if any(isinstance(one, torch.jit.ScriptModule) for one in modules):
        raise GradcheckError(f"{name} is compiled by torch.jit, which hides its layers: probe it before compiling it")
    if any(one.is_meta for one in tensors):
        raise GradcheckError(f"{name} is on the meta device, where weights have no values: build it on another one")
    if any(one.is_inference() for one in tensors):
        raise GradcheckError(
            f"{name} was built under torch.inference_mode and has no gradient: build it outside of that"
        )


def set_mode(model: nn.Module, train: bool) -> None:
    """Put a model into a mode; raise an error where it refuses, as one that torch.export made does."""
    with errors_in_one_line(f"{type(model).__name__}.train({train}): ", _refusal):
        model.train(train)


def _refusal(error: BaseException) -> str:
    exported = isinstance(error, NotImplementedError)
    why = "; what torch.export made has no modes: give the model it was made from" if exported else ""
    return error_line(error) + why


def checked_module(model: object, purpose: str) -> nn.Module:
    """Return what is a module whose parts PyTorch can list; otherwise raise an error: there is nothing to `purpose`."""
    name = type(model).__name__
    if isinstance(model, type):
        raise GradcheckError(f"{model.__name__} is a class, not a model: give one of it, as in {model.__name__}(…)")
    if framework_of(model) == "keras":
        raise GradcheckError(f"{name} is a model of Keras: gradcheck.keras has what is to {purpose} it")
    if not isinstance(model, nn.Module):
        raise GradcheckError(f"{name} is not a torch.nn.Module: there is nothing to {purpose}")
    try:
        for named in (model.named_parameters, model.named_buffers):  # both go through all modules
            set(named())
    except TypeError as error:
        no_text = "concatenate" in str(error)
        wrong = "part whose name is no text" if no_text else "module that can't be hashed"
        cure = "write add_module('0', layer)" if no_text else "a class with __eq__ needs __hash__ = nn.Module.__hash__"
        raise GradcheckError(f"{name} has a {wrong} ({error}): {cure}") from None
    return model


def check_batch(batch: Batch) -> None:
    """Raise an error for inputs that no model could learn from."""
    values = [*batch.arguments, *batch.keywords.values()]
    if not values:
        raise OptionError("batch", "holds no inputs: give (inputs, targets), or inputs alone")
    for value in values:
        if isinstance(value, DataLoader):
            raise OptionError("batch", "is a DataLoader, not one batch of it: give next(iter(loader))")
        if isinstance(value, Tensor):
            _check_input(value)


def _check_input(value: Tensor) -> None:
    if not value.numel():
        raise OptionError("batch", f"has an input without entries, of shape {'x'.join(map(str, value.shape))}")
    if value.is_meta:
        raise OptionError("batch", "has inputs on the meta device, where they have no values: draw them on another one")
    if value.is_nested:
        raise OptionError("batch", "has a nested tensor, whose examples differ in shape: pad them, and give a mask")
    if value.layout is not torch.strided:
        return
    if value.is_floating_point() and not bool(torch.isfinite(value).all()) and not _is_mask(value):
        raise OptionError("batch", f"has inputs that are not finite, {_where_not_finite(value)}: clean them first")


def _where_not_finite(value: Tensor) -> str:
    """Return what isn't finite and where: ``nan in 3 of 512 numbers, the first in row 5, column 3, counted from 0``."""
    places = (~torch.isfinite(value)).nonzero()
    worst, first = math.nan if bool(torch.isnan(value).any()) else math.inf, places[0].tolist()
    axes = ("row", "column") if value.dim() <= 2 else [f"axis {axis}:" for axis in range(value.dim())]
    at = ", ".join(f"{axis} {place}" for axis, place in zip(axes, first, strict=False))
    beside = value.dim() == 2 and len(places) > 1
    columns = f" in {counted(places[:, 1].unique().numel(), 'column')}" if beside else ""
    return f"{worst} in {len(places):,} of {value.numel():,} numbers{columns}, the first in {at}, counted from 0"


def _is_mask(value: Tensor) -> bool:
    """Whether it is a mask that attention adds: of 0 and −inf only."""
    return bool(((value == 0) | (value == -math.inf)).all())


def check_counts(steps: int, seed: int) -> tuple[int, int]:
    """Return the number of steps and the seed, or raise the error that says what they have to be."""
    steps = at_least("steps", steps, 0, "it counts steps of training")
    seed = at_least("seed", seed, 0, "it seeds the random numbers")
    if seed + steps >= 2**63:
        raise OptionError("seed", f"{seed} is too large for PyTorch, which takes less than 2**63: take a small one")
    return steps, seed
