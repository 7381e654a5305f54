"""``gradcheck probe --framework flax|equinox``: a model, a batch and a loss by the names that a command line gives."""

from collections.abc import Sequence
from typing import Any

import jax

from gradcheck.diagnosis.report import Report
from gradcheck.errors import GradcheckError, OptionError, at_least
from gradcheck.jax.probe import probe
from gradcheck.probing.command import load_batch, load_loss, with_names
from gradcheck.probing.loading import check_arguments, check_framework, load_attribute, parse_arguments
from gradcheck.probing.user_errors import errors_in_one_line
from gradcheck.probing.users_code import users_code

#: How --input is given.
EXAMPLE = "it has the examples first, the channels last in Flax: --input 32x784"


def probe_target(
    target: str,
    *,
    framework: str,
    kwargs: str | None = None,
    input: Sequence[str] | None = None,
    batch: str | None = None,
    loss: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Report:
    """Probe what a command line names; this imports and runs the user's own code, whose output goes to stderr.

    Parameters
    ----------
    target : str
        ``module:attribute``, a model or a callable that returns one; a linen module alone is initialised with `seed`.
    framework : str
        ``flax`` or ``equinox``.
    kwargs : str, optional
        A JSON object of the callable's keyword arguments.
    input : sequence of str, optional
        Shapes of random inputs, one each: ``8x32x32x3``, ``4x128:int32<50257``.
    batch : str, optional
        ``module:function`` that returns (inputs, targets), instead of `input`.
    loss : str, optional
        A name, or ``module:function`` of (output, targets).
    seed : int
        Of the inputs and targets that are drawn, and of dropout.
    options
        As of ``probe``.

    Raises
    ------
    GradcheckError
        Something isn't as it has to be; the message says what would be right.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments, shapes = parse_arguments(kwargs), list(input or ())
    with users_code():
        model = _load_model(target, framework, arguments)
        given = load_batch(shapes, batch, seed, lambda: EXAMPLE)
        report = probe(_with_variables(model, given, seed), given, load_loss(loss), seed=seed, **options)
    names = {"target": target, "kwargs": arguments or None, "input": shapes or None, "batch": batch}
    return with_names(report, names, loss=loss)


def _load_model(target: str, framework: str, arguments: dict[str, Any]) -> Any:
    """Return the model that a target is, or returns when it is called with these arguments."""
    found = load_attribute(target, "TARGET")
    if _is_model(found):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        model = found
    elif callable(found):
        check_framework(found, framework, target)
        check_arguments(found, target, arguments)
        with errors_in_one_line(f"TARGET {target} failed: "):
            model = found(**arguments)
    else:
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither a model of {framework} nor callable")
    check_framework(model[0] if isinstance(model, tuple) and model else model, framework, target)
    return model


def _is_model(found: Any) -> bool:
    """Whether this is a model, one with its variables or state, or a state of training."""
    first = found[0] if isinstance(found, tuple) and found else found
    packages = {one.__module__.partition(".")[0] for one in type(first).__mro__}
    return bool(packages & {"flax", "equinox"}) and not isinstance(first, type)


def _with_variables(model: Any, given: Any, seed: int) -> Any:
    """Return a linen module with variables of its own; any other model as it is."""
    if {"linen"}.isdisjoint(part for one in type(model).__mro__ for part in one.__module__.split(".")):
        return model
    from gradcheck.jax.linen import initialised

    inputs = given[0] if isinstance(given, tuple) and len(given) == 2 else given
    with errors_in_one_line("the model's init failed: "):
        return initialised(model, inputs, jax.random.key(seed))
