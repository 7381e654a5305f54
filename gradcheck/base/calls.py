"""Calls of public functions: one that doesn't fit raises an error that says what would. Loads no NumPy."""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

from gradcheck.errors import CallError, OptionError, did_you_mean, shown

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function, or a class's ``__init__``, raise a GradcheckError where it isn't called as it has to be."""
    taken, name = signature(function), function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @wraps(function)
    def call(*values: P.args, **options: P.kwargs) -> R:
        __tracebackhide__ = True
        check_call(name, taken, values, options)
        return function(*values, **options)

    return call


def public_class(kind: type[T]) -> type[T]:
    """Let the ``__init__`` that a dataclass writes do the same."""
    kind.__init__ = public(kind.__init__)  # type: ignore[method-assign]
    return kind


def check_call(
    function: str,
    taken: Signature,
    values: tuple[Any, ...],
    options: Mapping[str, Any],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Raise the error that says what a function takes, where it is called with anything else.

    Parameters
    ----------
    function : str
        What it is called.
    taken : Signature
    values, options : tuple, mapping
        What it is called with.
    elsewhere : mapping of str to str
        Options that may be looked for here ↦ where they are.

    Raises
    ------
    CallError
        An option is misspelt, given by place, or missing.
    OptionError
        ``tick`` is no function.
    """
    known = [name for name, one in taken.parameters.items() if name != "self" and one.kind is not Parameter.VAR_KEYWORD]
    allowed = f"allowed: {', '.join(known)}"
    try:
        taken.bind(*values, **options)
    except TypeError as error:
        for name in (one for one in options if one not in known):
            hint = elsewhere.get(name) or did_you_mean(name, known) + allowed
            raise CallError(function, f"has no option {name!r}; {hint}") from None
        verb = "is" if "missing" in str(error) else "has"
        raise CallError(function, f"{verb} {error}; options are given by name, {allowed}") from None
    tick = options.get("tick")
    if tick is not None and not callable(tick):
        raise OptionError("tick", f"{shown(tick)} can't be called; give a function, or None")
