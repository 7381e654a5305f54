"""Methods of one object that are replaced for a while, by several who don't know of each other."""

from collections.abc import Callable
from typing import Any


class Replacement:
    """Stands in place of a method of an object until ``end`` is called.

    Several may replace the same method and end in any order: one that isn't on top passes its calls on from then on,
    and goes with the one above it.

    Parameters
    ----------
    owner : object
    name : str
        Of the method.
    around : callable
        Called in its place, with what it replaces and then with the arguments.
    """

    def __init__(self, owner: object, name: str, around: Callable[..., Any]) -> None:
        self._owner, self._name, self._around = owner, name, around
        self._before, self._method = vars(owner).get(name), getattr(owner, name)
        self._over = False
        setattr(owner, name, self)

    def __call__(self, *values: Any, **options: Any) -> Any:
        """Do what is done in place of the method."""
        return self._method(*values, **options) if self._over else self._around(self._method, *values, **options)

    def end(self) -> None:
        """Give the method back."""
        self._over = True
        while isinstance(top := vars(self._owner).get(self._name), Replacement) and top._over:
            if top._before is None:
                delattr(self._owner, self._name)
            else:
                setattr(self._owner, self._name, top._before)
