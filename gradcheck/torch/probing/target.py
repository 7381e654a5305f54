"""What a command line names: an attribute of a module, imported from the current folder."""

import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from torch import nn

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.torch.probing.checks import checked_module
from gradcheck.torch.probing.error_text import error_line, errors_in_one_line

#: A module's name, and what parts the names of a path.
NAME, NO_NAME = re.compile(r"\w+(\.\w+)*"), re.compile(r"\W+")


def load_attribute(text: str, what: str) -> Any:  # noqa: ANN401
    """Return what ``module:attribute`` names; errors call it ``TARGET``, ``--loss``.

    Raises
    ------
    GradcheckError
        It is not such a name, can't be imported, or doesn't exist.
    """
    module_name, colon, path = text.partition(":")
    if not colon or not path or not NAME.fullmatch(module_name) or module_name.endswith(".py"):
        parts = [part for part in NO_NAME.split(module_name.removesuffix(".py")) if part]
        like = f"{'.'.join(parts) or 'package.module'}:{path or 'build'}"
        raise GradcheckError(f"{what} {text!r} is not module:attribute; write {like}, from the folder it is in")
    found = _import(module_name, what)
    for name in path.split("."):
        if not hasattr(found, name):
            hint = _nearest(name, dir(found))
            if module_name.partition(".")[0] in sys.stdlib_module_names:
                hint = f"; it is Python's own {module_name}: give your module another name{hint}"
            raise GradcheckError(f"{what} {text!r}: {module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def _import(name: str, what: str) -> Any:  # noqa: ANN401
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            there = [path.stem for path in Path(here).iterdir() if path.suffix == ".py" or path.is_dir()]
            raise GradcheckError(
                f"{what}: no module {name!r} in {here}, nor installed{_nearest(name, there)}"
            ) from error
        raise GradcheckError(f"{what}: importing {name} failed: {error_line(error)}") from error


def _nearest(name: str, there: Iterable[str]) -> str:
    """Return a question after the nearest of the names that are there, or the one that begins so; nothing for none."""
    there = [one for one in there if not one.startswith("_")]
    near = get_close_matches(name, there, n=1) or [one for one in there if one.startswith(name)]
    return f"; did you mean {near[0]!r}?" if near else ""


def load_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the model that a target is, or returns when it is called with these arguments.

    Raises
    ------
    GradcheckError
        It is neither, fails, or doesn't take the arguments.
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
    return checked_module(model, "probe")


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
