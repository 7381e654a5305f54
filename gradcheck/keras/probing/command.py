"""``gradcheck probe --framework keras``: a model, a batch and a loss by the names that a command line gives them."""

from collections.abc import Sequence
from typing import Any

import keras

from gradcheck.diagnosis.report import Report
from gradcheck.errors import GradcheckError, OptionError, at_least
from gradcheck.keras.probing.probe import probe
from gradcheck.probing.command import load_batch, load_loss, with_names
from gradcheck.probing.loading import check_arguments, check_framework, load_attribute, parse_arguments
from gradcheck.probing.user_errors import errors_in_one_line
from gradcheck.probing.users_code import users_code


def probe_target(
    target: str,
    *,
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
        ``module:attribute``, a model or a callable that returns one.
    kwargs : str, optional
        A JSON object of the callable's keyword arguments.
    input : sequence of str, optional
        Shapes of random inputs, one each: ``8x32x32x3``, ``4x128:int32<50257``.
    batch : str, optional
        ``module:function`` that returns (inputs, targets), instead of `input`.
    loss : str, optional
        A name, of Keras or of this package, or ``module:function`` of (targets, output).
    seed : int
        Of the weights, inputs and targets that are drawn.
    options
        As of ``probe``.

    Raises
    ------
    GradcheckError
        Something isn't as it has to be; the message says what would be right.
    """
    at_least("seed", seed, 0, "it seeds the random numbers")
    arguments, shapes = parse_arguments(kwargs), list(input or ())
    keras.utils.set_random_seed(seed % 2**32)
    with users_code():
        model = _load_model(target, arguments)
        given = load_batch(shapes, batch, seed, lambda: f"by the model's inputs it could be {_suggested(model)}")
        report = probe(model, given, load_loss(loss), seed=seed, **options)
    names = {"target": target, "kwargs": arguments or None, "input": shapes or None, "batch": batch}
    return with_names(report, names, loss=loss)


def _load_model(target: str, arguments: dict[str, Any]) -> Any:
    """Return the model that a target is, or returns when it is called with these arguments."""
    found = load_attribute(target, "TARGET")
    if isinstance(found, keras.Layer):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        return found
    check_framework(found, "keras", target)
    if not callable(found):
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither a keras.Model nor callable")
    check_arguments(found, target, arguments)
    with errors_in_one_line(f"TARGET {target} failed: "):
        model = found(**arguments)
    if not isinstance(model, keras.Layer):
        check_framework(model, "keras", target)
        raise GradcheckError(f"TARGET {target} returned {type(model).__name__}, not a keras.Model")
    return model


def _suggested(model: Any) -> str:
    """Return the --input that a model needs, where it says so, or an example."""
    inputs = getattr(model, "inputs", None) or []
    shapes = ["x".join(str(size or 32) for size in (8, *one.shape[1:])) for one in inputs]
    kinds = ["" if "float" in one.dtype else f":{one.dtype}<1000" for one in inputs]
    said = [
        f"--input '{shape}{kind}'" if kind else f"--input {shape}" for shape, kind in zip(shapes, kinds, strict=True)
    ]
    return " ".join(said) or "--input 32x784"
