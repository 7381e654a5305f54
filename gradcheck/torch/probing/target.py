"""What a command line names: an attribute of a module, imported from the current folder."""

import json
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from torch import nn

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.torch.probing.error_text import error_line, errors_in_one_line


def load_attribute(text: str, what: str) -> Any:  # noqa: ANN401
    """Return what ``module:attribute`` names.

    Parameters
    ----------
    text : str
    what : str
        What it is for, as errors call it: ``TARGET``, ``--loss``.

    Raises
    ------
    GradcheckError
        It is not such a name, can't be imported, or doesn't exist.
    """
    module_name, colon, path = text.partition(":")
    if not colon or not path or "/" in module_name or module_name.endswith(".py"):
        like = f"{'.'.join(Path(module_name).with_suffix('').parts) or 'package.module'}:{path or 'build'}"
        raise GradcheckError(f"{what} {text!r} is not module:attribute; write {like}, from the folder it is in")
    found = _import(module_name, what)
    for name in path.split("."):
        if not hasattr(found, name):
            near = get_close_matches(name, dir(found), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise GradcheckError(f"{what} {text!r}: {module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def _import(name: str, what: str) -> Any:  # noqa: ANN401
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise GradcheckError(f"{what}: no module {name!r} in {here}, nor installed") from error
        raise GradcheckError(f"{what}: importing {name} failed: {error_line(error)}") from error


def load_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or makes.

    Raises
    ------
    GradcheckError
        It isn't one, and doesn't make one.
    """
    found = load_attribute(target, "TARGET")
    if isinstance(found, nn.Module):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        return found
    if not callable(found):
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither a torch.nn.Module nor callable")
    _check_arguments(found, target, arguments)
    with errors_in_one_line(f"TARGET {target} failed: "):
        model = found(**arguments)
    if not isinstance(model, nn.Module):
        raise GradcheckError(f"TARGET {target} returned {type(model).__name__}, not a torch.nn.Module")
    return model


def _check_arguments(function: Callable[..., Any], target: str, arguments: dict[str, Any]) -> None:
    """Raise an error for keyword arguments that a callable doesn't take, and where it needs others."""
    try:
        taken = signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return
    try:
        taken.bind(**arguments)
    except TypeError as error:
        raise OptionError("kwargs", f"don't fit {target}{taken}: {error}; write '{{\"depth\": 50}}'") from None


def parse_arguments(text: str | None) -> dict[str, Any]:
    """Return the keyword arguments that a JSON object holds.

    Raises
    ------
    OptionError
        The text isn't such an object.
    """
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OptionError("kwargs", f"is not JSON ({error}); write '{{\"depth\": 50}}'") from None
    if not isinstance(value, dict):
        raise OptionError("kwargs", f"is {type(value).__name__}, not a JSON object; write '{{\"depth\": 50}}'")
    return value
