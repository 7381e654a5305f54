"""The optimizer's own step, as a line through the parameters or, where it is none, taken anew for each rate."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from gradcheck.torch.learning_rate.rates import Rates
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.keeping import keep_optimizer, put_optimizer_back
from gradcheck.torch.probing.state import seed_all

#: The step whose difference is the update moves the parameters by some this many times their norm: the more, the less
#: of it is lost to rounding.
FAR = 4.0

#: A share of a step by which one at another rate may differ in its direction, beside rounding.
BENT = 0.01


class Update:
    """The update of an optimizer: from a gradient to parameters at any rate.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer

    Attributes
    ----------
    parameters : list of Tensor
        Those that the optimizer trains.
    rates : Rates
    straight : bool
        A step is proportional to its rate. Else each rate takes a step of its own, as of Adafactor, whose rate is
        limited.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self.rates, self.straight = optimizer, Rates(optimizer), True
        held = (one for group in optimizer.param_groups for one in group["params"])
        self.parameters = [one for one in dict.fromkeys(held) if one.requires_grad]
        self.start = [one.detach().clone() for one in self.parameters]
        self._far = 0.0  # the rate of the step whose difference is the update
        self._moved, self._gradients = list[Tensor](), list[Tensor | None]()
        self._seed = 0

    def make(self, gradients: Sequence[Tensor | None], seed: int) -> None:
        """Let the optimizer have these gradients, and its momenta move on; parameters stay where they are."""
        self._gradients, self._seed = list(gradients), seed
        if not self._far:
            self._look_how_straight()
        if self.straight:
            self._moved = self._step(self._far)
        else:
            self._memory = keep_optimizer(self.optimizer)

    def go(self, rate: float) -> None:
        """Put the parameters where a step at this rate leads from the start."""
        if not rate:
            self.back()
        elif self.straight:
            self.back()
            with torch.no_grad():
                torch._foreach_add_(self.parameters, self._moved, alpha=rate / self._far)
        else:
            put_optimizer_back(self.optimizer, self._memory)
            self.back()
            self._take(rate)

    def back(self) -> None:
        """Put the parameters back to the start."""
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self.start)

    def stay(self) -> None:
        """Begin the next step where the parameters are."""
        with torch.no_grad():
            torch._foreach_copy_(self.start, self.parameters)

    def share(self, rate: float) -> float:
        """Return the norm of a step as a share of the parameters' norm: inf or nan where it isn't finite."""
        moved = self._moved if self.straight else self._step(rate)
        return norm(moved) * (rate / self._far if self.straight else 1.0) / (norm(self.start) or 1.0)

    def _look_how_straight(self) -> None:
        """Find out at which rate a step shows the update best, and whether another rate has the same one."""
        usual, memory = self.rates.first, keep_optimizer(self.optimizer)
        near, size = self._step(usual), norm(self.start)
        length = norm(near)
        self._far = usual
        put_optimizer_back(self.optimizer, memory)
        if not 0 < length < math.inf or not size or length > FAR * size:
            return
        self._far = usual * 2.0 ** math.ceil(math.log2(FAR * size / length))
        far = self._step(self._far)
        put_optimizer_back(self.optimizer, memory)
        bent = norm(torch._foreach_sub(torch._foreach_mul(far, usual / self._far), near)) / length
        rounding = max(torch.finfo(one.dtype).eps for one in self.parameters) * size / length
        self.straight = bent <= BENT + FAR * rounding

    def _step(self, rate: float) -> list[Tensor]:
        """Take a step at this rate, and return by how much it moves the parameters, which are put back."""
        self._take(rate)
        with torch.no_grad():
            moved = torch._foreach_sub(self.parameters, self.start)
        self.back()
        return list(moved)

    def _take(self, rate: float) -> None:
        self.rates.set(rate)
        for parameter, gradient in zip(self.parameters, self._gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()  # a step may change it
        seed_all(self._seed)
        with errors_in_one_line("the optimizer's step failed: "):
            self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None


def norm(tensors: Iterable[Tensor]) -> float:
    """Return the norm of all tensors as one vector; nothing over- or underflows that floats can hold."""
    return math.hypot(*(float(torch.linalg.vector_norm(one.detach(), dtype=_wide(one))) for one in tensors))


def _wide(one: Tensor) -> torch.dtype:
    return torch.complex128 if one.is_complex() else torch.float64
