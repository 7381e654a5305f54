"""What a command line names: an attribute of a module, imported from the current folder, and a model that it is."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from difflib import SequenceMatcher, get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.probing.user_errors import error_line, errors_in_one_line

#: Package of a model's class ↦ the framework, as it is typed.
FRAMEWORKS = {"keras": "keras", "flax": "flax", "equinox": "equinox", "torch": "torch"}

#: A module's name, and what parts the names of a path.
NAME, NO_NAME = re.compile(r"\w+(\.\w+)*"), re.compile(r"[/\\.:\s]+")

#: Endings of files that hold no code ↦ what they are, and what to give instead.
_WEIGHTS = "holds weights and no code: give a function that builds the model and loads them, as in models:build"
_PICTURE = "is a picture: give module:attribute of your code, as in models:build"
NO_CODE = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".npz", ".onnx", ".pkl"), _WEIGHTS),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".svg", ".pdf"), _PICTURE),
    ".ipynb": "is a notebook: save its code as a .py file, and give module:attribute of that, as in models:build",
}

#: So many of a module's own names are listed where one isn't there.
LISTED = 6


def load_attribute(text: str, what: str) -> Any:  # noqa: ANN401
    """Return what ``module:attribute`` names; errors call it ``TARGET``, ``--loss``.

    Raises
    ------
    GradcheckError
        It is not such a name, can't be imported, or doesn't exist.
    """
    module_name, path = parted(text, what)
    found = _import(module_name, what)
    for name in path.split("."):
        if not hasattr(found, name):
            hint = _nearest(name, dir(found))
            if module_name.partition(".")[0] in sys.stdlib_module_names:
                hint = f"; it is Python's own {module_name}: give your module another name{hint}"
            elif isinstance(found, ModuleType):
                listed = _listed(name, found)
                hint = f"{hint or ';'} {listed}" if listed else hint
            raise GradcheckError(f"{what} {text!r}: {module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def parted(text: str, what: str) -> tuple[str, str]:
    """Return the module and the attribute that ``module:attribute`` names, without importing anything.

    A file below the current folder stands for its module: ``src/models.py`` for ``src.models``.

    Raises
    ------
    GradcheckError
        It is not such a name.
    """
    module_name, colon, path = text.partition(":")
    held = NO_CODE.get(Path(module_name).suffix.lower())
    if held and (not colon or Path(module_name).is_file()):  # a module may be called pt
        raise GradcheckError(f"{what} {text!r} {held}")
    file = Path(module_name)
    if path and file.suffix == ".py" and file.is_file() and not file.is_absolute():
        named = ".".join(file.with_suffix("").parts)
        module_name = named if NAME.fullmatch(named) else module_name
    if not colon or not path or not NAME.fullmatch(module_name) or module_name.endswith(".py"):
        parts = _importable(module_name.removesuffix(".py"))
        like = f"{'.'.join(parts) or 'package.module'}:{path or 'build'}"
        if not colon and len(parts) > 1 and not module_name.endswith(".py"):  # a dot may stand for the colon
            like = f"{'.'.join(parts[:-1])}:{parts[-1]}, or {like} of a module {'.'.join(parts)}"
        raise GradcheckError(f"{what} {text!r} is not module:attribute; write {like}, from the folder it is in")
    return module_name, path


def _importable(path: str) -> list[str]:
    """Return the names at the end of a path that Python can import: of ``my-code/src/models`` the last two."""
    names = [name for name in NO_NAME.split(path) if name]
    last = max((at for at, name in enumerate(names) if not name.isidentifier()), default=-1)
    return names[last + 1 :]


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


def _listed(name: str, module: ModuleType) -> str:
    """Return what a module has of its own that may have been meant, the nearest names first; nothing for none."""
    own = module.__name__.partition(".")[0]
    there = [one for one, value in vars(module).items() if not one.startswith("_") and _may_be_meant(value, own)]
    there.sort(key=lambda one: -SequenceMatcher(None, name.lower(), one.lower()).ratio())
    more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
    return f"it has {', '.join(there[:LISTED])}{more}" if there else ""


def _may_be_meant(value: object, package: str) -> bool:
    """Whether a value is a model, or a callable of a package."""
    own = str(getattr(value, "__module__", "")).partition(".")[0] == package
    return callable(value) and (own or framework_of(value) is not None)


def load_model(
    target: str,
    arguments: dict[str, Any],
    framework: str,
    what: str,
    is_model: Callable[[object], bool],
    errors: Callable[[str], AbstractContextManager[None]] = errors_in_one_line,
) -> Any:  # noqa: ANN401
    """Return the model that a target is, or returns when it is called with these arguments.

    Parameters
    ----------
    target : str
        ``module:attribute``.
    arguments : dict
        Keyword arguments of a callable.
    framework : str
        What the model is made with, as it is typed.
    what : str
        What such a model is called, with its article.
    is_model : callable
        Whether an object is one.
    errors : callable
        Says in one line what the user's own code raises, after the words that it is given.

    Raises
    ------
    GradcheckError
        It is neither, fails, is made with another framework, or doesn't take the arguments.
    """
    found = load_attribute(target, "TARGET")
    check_framework(found, framework, target)
    if is_model(found):
        if arguments:
            raise OptionError("kwargs", f"go to a callable, and {target} is a model already: drop them")
        return found
    if not callable(found):
        raise GradcheckError(f"TARGET {target} is {type(found).__name__}: neither {what} nor callable")
    check_arguments(found, target, arguments)
    with errors(f"TARGET {target} failed: "):
        model = found(**arguments)
    check_framework(model, framework, target)
    if not is_model(model):
        raise GradcheckError(f"TARGET {target} returned {type(model).__name__}, not {what}")
    return model


def framework_of(model: object) -> str | None:
    """Return the framework that a model, or the first of a tuple, is made with; Keras's classes may be PyTorch's."""
    first = model[0] if isinstance(model, tuple) and model else model
    packages = (one.__module__.partition(".")[0] for one in type(first).__mro__)
    return next((FRAMEWORKS[one] for one in packages if one in FRAMEWORKS), None)


def check_framework(model: object, asked: str, target: str) -> None:
    """Raise an error where a model is made with another framework than was asked for."""
    found = framework_of(model)
    if found is not None and found != asked:
        say = "drop --framework" if found == "torch" else f"say --framework {found}"
        raise GradcheckError(f"TARGET {target} is {type(model).__name__}, a model of {found}, not of {asked}: {say}")


def check_arguments(function: Callable[..., Any], target: str, arguments: dict[str, Any]) -> None:
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
    """Return the keyword arguments that a JSON object holds."""
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError("kwargs", f"is not JSON ({error}); write '{{\"depth\": 50}}'") from None
    if not isinstance(value, dict):
        raise OptionError("kwargs", f"is {type(value).__name__}, not a JSON object; write '{{\"depth\": 50}}'")
    return value
