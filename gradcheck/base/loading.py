"""What is loaded when it is asked for."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def function_named(reference: str) -> Callable[..., Any]:
    """Return what ``module:function`` names.

    Python's own random numbers stay as they are: rich draws some when it is imported, and whoever prints a report in a
    training would train otherwise from then on.
    """
    module, _, function = reference.partition(":")
    random = sys.modules.get("random")  # who hasn't imported it has drawn none
    state = None if random is None else random.getstate()
    try:
        found: Callable[..., Any] = getattr(import_module(module), function)
    finally:
        if random is not None:
            random.setstate(state)
    return found
