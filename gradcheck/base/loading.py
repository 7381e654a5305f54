"""What is loaded when it is asked for."""

import sys
from importlib import import_module
from typing import Any


def named(reference: str) -> Any:  # noqa: ANN401
    """Return what ``module:name`` names: a function, a class or a record.

    Python's own random numbers stay as they are: rich draws some when it is imported, and whoever prints a report in a
    training would train otherwise from then on.
    """
    module, _, name = reference.partition(":")
    random = sys.modules.get("random")  # who hasn't imported it has drawn none
    state = None if random is None else random.getstate()
    try:
        return getattr(import_module(module), name)
    finally:
        if random is not None:
            random.setstate(state)
