"""The learning rates of an optimizer's groups, which keep their proportions whatever the rate."""

import math
from typing import Any

import torch
from torch import Tensor

from gradcheck.errors import OptionError

#: Optimizers whose rate counts at their first step alone.
WITHOUT_RATE = ("ASGD", "Rprop")


class Rates:
    """The rates of an optimizer's groups.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer

    Raises
    ------
    GradcheckError
        It has no rates, or all are zero.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        kind = type(optimizer).__name__
        if kind in WITHOUT_RATE:
            raise OptionError("optimizer", f"{kind} takes a rate for its first step alone: there is none to search for")
        self._groups: list[dict[str, Any]] = optimizer.param_groups
        given = [group.get("initial_lr", group.get("lr")) for group in self._groups]
        if any(not isinstance(one, int | float | Tensor) for one in given):
            raise OptionError("optimizer", f"{kind} sets its own rate: give it one by lr=…")
        # as the optimizer was given: where a scheduler has set them already, those that it began with
        self.usual = tuple(map(float, given))
        self.first = next((one for one in self.usual if one), 0.0)  # what is called the rate: the first that isn't zero
        if not self.first > 0 or not all(map(math.isfinite, self.usual)):
            raise OptionError(
                "optimizer", f"{kind} has the rate {self.usual[0]:g}: give it one above 0, whatever it is"
            )

    def set(self, rate: float) -> None:
        """Set the first rate, and the others in proportion."""
        for group, usual in zip(self._groups, self.usual, strict=True):
            now, before = rate * (usual / self.first), group.get("lr")
            if isinstance(before, Tensor):  # of a captured or fused step, which holds on to it
                before.fill_(now)
            else:
                group["lr"] = now

    def at(self, rate: float) -> tuple[float, ...]:
        """Return the rate of each group."""
        return tuple(rate * (usual / self.first) for usual in self.usual)
