"""What takes the steps of training: an optimizer by name, the user's own, and the options of either."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck.errors import OptionError, did_you_mean, one_of, printable, shown
from gradcheck.spec.probing import OPTIMIZERS
from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.error_text import errors_in_one_line

#: An optimizer, or parameters ↦ optimizer, or a name.
Optimizer = Any

#: Name ↦ PyTorch's class, and the options that make it what it is called.
NAMED: Mapping[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
}

#: What optimizers call the mean square of a gradient, by whose root a step is divided.
MEAN_SQUARES = ("max_exp_avg_sq", "exp_avg_sq", "square_avg", "sum")


def make_optimizer(
    optimizer: Optimizer, lr: float, options: Mapping[str, Any], model: nn.Module
) -> torch.optim.Optimizer:
    """Return the optimizer of a name, of the user's function of the parameters, or the given one.

    Raises
    ------
    OptionError
        There is no such optimizer, it can't train this model, or it doesn't take an option.
    """
    if not isinstance(options, Mapping):
        raise OptionError(
            "optimizer_option", f"{shown(options)} is no mapping of names to values, as {{'eps': 1e-4}} is"
        )
    parameters = [one for one in model.parameters() if one.requires_grad]
    if not parameters:
        count = sum(1 for _ in model.parameters())
        why = f"all {count} parameters of {type(model).__name__} are frozen" if count else "the model has no parameters"
        raise OptionError("steps", f"train nothing: {why}; set requires_grad on those to be trained, or take no steps")
    if isinstance(optimizer, torch.optim.Optimizer):
        if options:
            made = f"{type(optimizer).__name__} is made already: give them where you make it"
            raise OptionError("optimizer_option", f"are for an optimizer that is made here; {made}")
    elif callable(optimizer):
        name = getattr(optimizer, "__name__", type(optimizer).__name__)
        _check_options(optimizer, options, name)
        said = "".join(f" {option}={shown(value)}" for option, value in options.items())
        with errors_in_one_line(f"--optimizer failed: {name} of the parameters{said and f' with{said}'}: "):
            optimizer = optimizer(parameters, **options)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise OptionError("optimizer", f"returned {type(optimizer).__name__}, not a torch.optim.Optimizer")
    else:
        optimizer = _by_name(one_of("optimizer", optimizer, OPTIMIZERS), lr, options, parameters)
    _check_own(optimizer, parameters)
    return optimizer


def _by_name(name: str, lr: float, options: Mapping[str, Any], parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    kind, usual = NAMED[name]
    _check_options(kind, options, name)
    try:
        return kind(parameters, lr=lr, **{**usual, **options})
    except (
        ValueError,
        TypeError,
        RuntimeError,
        LookupError,
    ) as error:  # PyTorch's own: eps < 0, one beta
        said = " ".join(f"{option}={value!r}" for option, value in options.items())
        raise OptionError("optimizer_option", f"{said} is refused by {kind.__name__}: {error}") from None


def _check_options(function: Callable[..., Any], options: Mapping[str, Any], name: str) -> None:
    """Raise an error for an option that what makes the optimizer doesn't take."""
    if not options:
        return
    try:
        taken = signature(function).parameters
    except (TypeError, ValueError):  # some builtins have none
        return
    if any(one.kind is Parameter.VAR_KEYWORD for one in taken.values()):
        return
    known = [option for option in taken if option not in ("params", "lr")]
    for option in options:
        if option == "lr" and isinstance(function, type):
            raise OptionError("optimizer_option", "lr has an option of its own: --lr")
        if option not in taken or option == "params":
            hint = did_you_mean(option, known)
            raise OptionError("optimizer_option", f"{option!r} is none of {name}; {hint}allowed: {', '.join(known)}")


def _check_own(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """Raise an error for an optimizer that can't train these parameters by their gradients alone."""
    closure = signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is Parameter.empty:
        kind = type(optimizer).__name__
        raise OptionError("optimizer", f"{kind} asks for the loss several times a step: take one that doesn't")
    if not {one for group in optimizer.param_groups for one in group["params"]} & set(parameters):
        raise OptionError("optimizer", "holds no parameter of this model: make it of model.parameters()")


def find_lost_eps(optimizer: torch.optim.Optimizer) -> float | None:
    """Return the eps of an optimizer that is zero in the type of weights which its last step has spoiled, if it did so.

    Of a gradient of zero, or one whose square is zero, Adam then makes 0/0 or worse. Not where a gradient was spoiled
    before, or a weight that isn't divided by zero. A fused kernel computes in float32.
    """
    held = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
    if not all(is_finite(one.grad) for one in held):
        return None
    for group in optimizer.param_groups:
        eps = group.get("eps")
        if not isinstance(eps, int | float) or (eps and group.get("fused")):
            continue
        narrow = (one for one in group["params"] if not torch.tensor(float(eps), dtype=one.dtype))
        spoiled = [one for one in narrow if one.grad is not None and not is_finite(one)]
        if spoiled and all(_divided_by_zero(one, optimizer.state.get(one, {})) for one in spoiled):
            return float(eps)
    return None


def _divided_by_zero(weight: Tensor, state: Mapping[str, Any]) -> bool:
    """Whether the mean square by which a step was divided is zero wherever it left a weight that isn't finite."""
    gradient = weight.grad
    assert gradient is not None
    squares = next((state[name] for name in MEAN_SQUARES if name in state), gradient.to_dense().square())
    return not bool(squares.to_dense()[~weight.detach().isfinite()].any())


def rates_of(optimizer: torch.optim.Optimizer) -> list[float | Tensor | None]:
    """Return the learning rate of each group; None where it has none, as in an optimizer of one's own."""
    given = (group.get("lr") for group in optimizer.param_groups)
    return [one if isinstance(one, int | float | Tensor) else None for one in given]


def known_rates(optimizer: torch.optim.Optimizer) -> set[float]:
    """Return the learning rates that its groups have."""
    return {float(one) for one in rates_of(optimizer) if one is not None}


def find_not_held(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the names of the parameters that want a gradient, and that an optimizer doesn't train."""
    held = {one for group in optimizer.param_groups for one in group["params"]}
    named = model.named_parameters()
    return tuple(printable(name) for name, one in named if one.requires_grad and one not in held)
