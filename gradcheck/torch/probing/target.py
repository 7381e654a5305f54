"""What a command line names: a module and what stands in it, imported from the current folder."""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from torch import nn

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.torch.probing.error_text import complaint


def loaded(text: str, what: str) -> Any:  # noqa: ANN401
    """Return what ``module:attribute`` names; what the user's modules print goes to stderr.

    Parameters
    ----------
    text : str
    what : str
        What it is for, as errors say it: ``TARGET``, ``--loss``.

    Raises
    ------
    GradcheckError
        It is no such name, can't be imported, or isn't there.
    """
    module_name, colon, path = text.partition(":")
    if not colon or not path or "/" in module_name or module_name.endswith(".py"):
        like = f"{'.'.join(Path(module_name).with_suffix('').parts) or 'package.module'}:{path or 'build'}"
        raise GradcheckError(f"{what} {text!r} is not module:attribute; write {like}, from the folder it stands in")
    module = _imported(module_name, what)
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            near = get_close_matches(name, dir(found), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise GradcheckError(f"{what} {text!r}: {module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def _imported(name: str, what: str) -> Any:  # noqa: ANN401
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise GradcheckError(f"{what}: no module {name!r} in {here}, nor installed") from error
        raise GradcheckError(f"{what}: importing {name} failed: {complaint(error)}") from error
    except (Exception, SystemExit) as error:
        raise GradcheckError(f"{what}: importing {name} failed: {complaint(error)}") from error


def called(function: Callable[..., Any], what: str, **arguments: Any) -> Any:  # noqa: ANN401
    """Call a function of the user's; whatever it raises is one line.

    Raises
    ------
    GradcheckError
        It raised something.
    """
    try:
        with redirect_stdout(sys.stderr):
            return function(**arguments)
    except GradcheckError:
        raise
    except (Exception, SystemExit) as error:
        raise GradcheckError(f"{what} failed: {complaint(error)}") from error


def loaded_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or makes.

    Raises
    ------
    GradcheckError
        It is none, and makes none.
    """
    found = loaded(target, "TARGET")
    if isinstance(found, nn.Module):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        return found
    if not callable(found):
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither a torch.nn.Module nor callable")
    _check_arguments(found, target, arguments)
    model = called(found, f"TARGET {target}", **arguments)
    if not isinstance(model, nn.Module):
        raise GradcheckError(f"TARGET {target} returned {type(model).__name__}, no torch.nn.Module")
    return model


def _check_arguments(function: Callable[..., Any], target: str, arguments: dict[str, Any]) -> None:
    """Refuse keyword arguments that a callable doesn't take, and their absence where it needs some."""
    try:
        taken = signature(function)
    except (TypeError, ValueError):  # some builtins don't tell
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
        The text is no such object.
    """
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OptionError("kwargs", f"is no JSON ({error}); write '{{\"depth\": 50}}'") from None
    if not isinstance(value, dict):
        raise OptionError("kwargs", f"is {type(value).__name__}, no JSON object; write '{{\"depth\": 50}}'")
    return value
