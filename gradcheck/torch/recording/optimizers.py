"""Which optimizers update what is recorded: asked before each of their steps, the steps between samples included."""

from collections.abc import Sequence, Set
from typing import NamedTuple
from weakref import ref

from torch.optim import Optimizer


class _Known(NamedTuple):
    """Which of the parameters that are recorded an optimizer with so many groups updates."""

    optimizer: ref[Optimizer]
    groups: int
    places: frozenset[int]


class Concerned:
    """Remembers what was found out of each optimizer, as long as its groups are the same."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def look_up(self, optimizer: Optimizer) -> frozenset[int] | None:
        """Return the places of the parameters that an optimizer updates; None where that has to be found out."""
        known = self._known.get(id(optimizer))
        if known is None or known.groups != len(optimizer.param_groups) or known.optimizer() is not optimizer:
            return None
        return known.places

    def learn(self, optimizer: Optimizer, places: frozenset[int]) -> None:
        """Remember which of the parameters that are recorded an optimizer updates."""
        self._known[id(optimizer)] = _Known(ref(optimizer), len(optimizer.param_groups), places)

    def waiting(self, stepped: Sequence[Set[int]]) -> frozenset[int]:
        """Return the places of optimizers that took no step while others did, whose places these are.

        Their gradients are old ones, or no optimizer's: of a step that they don't take part in.
        """
        if not stepped or len(self._known) < 2:
            return frozenset()
        alive = (known.places for known in self._known.values() if known.optimizer() is not None)
        return frozenset().union(*alive).difference(*stepped)

    def forget(self) -> None:
        """Forget all: other parameters are recorded."""
        self._known.clear()
