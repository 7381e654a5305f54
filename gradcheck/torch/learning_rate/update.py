"""The optimizer's own step, as a line through the parameters or, where it is none, taken anew for each rate."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gradcheck.learning_rate.search import HIGHEST, LOWEST
from gradcheck.torch.learning_rate.rates import Rates
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.keeping import Kept, keep_optimizer, put_optimizer_back
from gradcheck.torch.probing.state import seed_all

#: The step whose difference is the update moves the parameters by up to this many times their norm: the further, the
#: less of it is lost to rounding.
FAR = 4.0

#: A step is seen where it moves the parameters by so many times their last digit; one that isn't is taken at rates that
#: are higher by the same factor each, so many times at most.
SEEN, FURTHER = 64, 16

#: The share by which steps at two rates may differ in direction or in what the optimizer remembers, beside rounding.
BENT = 0.01


class Update:
    """An optimizer's update by a gradient: where it leads at any rate."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self.rates = optimizer, Rates(optimizer)
        # steps are proportional to their rates; else each rate takes its own, as of Adafactor, whose rate is limited
        self.straight = True
        held = (one for group in optimizer.param_groups for one in group["params"])
        self.parameters = [one for one in dict.fromkeys(held) if one.requires_grad]  # those that it trains
        self._start = [one.detach().clone() for one in self.parameters]
        self._first, self._at_first = [one.clone() for one in self._start], keep_optimizer(optimizer)
        self._drawn = False  # whether the update of these gradients is known
        self._far = 0.0  # the rate of the step whose difference is the update; not known before the first one
        self._moved: list[Tensor] = []
        self._gradients: list[Tensor | None] = []
        self._memory: tuple[Kept, ...] = ()
        self._seed = 0

    def make(self, gradients: Sequence[Tensor | None], seed: int) -> None:
        """Have these gradients for the next update; the optimizer's step is taken when somebody wants to know."""
        self._gradients, self._seed, self._drawn = list(gradients), seed, False

    def _draw(self) -> None:
        """Take the step whose difference is the update, or remember from where each rate takes its own."""
        if self._drawn:
            return
        self._drawn = True
        with torch.no_grad():
            torch._foreach_copy_(self._start, self.parameters)
        if not self._far:
            self._look_how_straight()
        if self.straight:
            self._moved = self._step(self._far, self._moved)
        else:
            self._memory = keep_optimizer(self.optimizer)

    def go(self, rate: float) -> None:
        """Put the parameters where a step at this rate leads."""
        self._draw()
        if not rate:
            self._back()
        elif self.straight:
            with torch.no_grad():
                for parameter, start, moved in zip(self.parameters, self._start, self._moved, strict=True):
                    torch.add(start, moved, alpha=rate / self._far, out=parameter.detach())
        else:
            put_optimizer_back(self.optimizer, self._memory)
            self._back()
            self._take(rate)

    def stay(self, rate: float) -> None:
        """Take the step at this rate: the optimizer's own, unless other rates were looked at before."""
        if self._drawn:
            self.go(rate)
        elif self._gradients:
            self._take(rate, copied=False)

    def restart(self) -> None:
        """Go back to the parameters and the optimizer that were given."""
        put_optimizer_back(self.optimizer, self._at_first)
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self._first)

    def lost(self, rate: float) -> Iterator[tuple[str, float]]:
        """Yield the half-precision types of parameters, and the share of those that rounding lets stay where they are.

        Of the entries that the last update moves, were it made once more at this rate.
        """
        half = any(one.dtype in (torch.bfloat16, torch.float16) for one in self.parameters)
        if not half or not self.straight or not self._gradients:
            return
        self.make(self._gradients, self._seed)
        self._draw()
        for kind in (torch.bfloat16, torch.float16):
            pairs = [pair for pair in zip(self._start, self._moved, strict=True) if pair[0].dtype == kind]
            moving = sum(int(moved.count_nonzero()) for _, moved in pairs)
            away = (torch.add(*pair, alpha=rate / self._far) != pair[0] for pair in pairs)
            if moving:
                yield str(kind).removeprefix("torch."), 1 - sum(int(one.count_nonzero()) for one in away) / moving

    def _back(self) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self._start)

    def _look_how_straight(self) -> None:
        """Find out at which rate a step shows the update best, and whether the update is the same at another one."""
        self._far = min(max(self.rates.first, LOWEST), HIGHEST)
        memory, size = keep_optimizer(self.optimizer), norm(self._start)
        rounding = size * max(torch.finfo(one.dtype).eps for one in self.parameters)
        for _ in range(FURTHER):
            near = self._step(self._far)
            after = [*_numbers(self.optimizer.state, copied=True)]
            put_optimizer_back(self.optimizer, memory)
            length = norm(near)
            if length > SEEN * rounding or not any(one is not None and one.any() for one in self._gradients):
                break
            self._far *= SEEN
        if not 0 < length < math.inf:
            return
        share = 2.0 ** max(0, math.ceil(math.log2(FAR * size / length))) if size else 1.0
        self._far *= share
        far = self._step(self._far)
        memories = zip(after, _numbers(self.optimizer.state), strict=False)
        turned = max((_difference(one, other) for one, other in memories), default=0.0)
        put_optimizer_back(self.optimizer, memory)
        bent = norm(torch._foreach_sub(far, torch._foreach_mul(near, share))) / (share * length)
        self.straight = bent <= BENT + FAR * rounding / length and turned <= BENT

    def _step(self, rate: float, room: Sequence[Tensor] = ()) -> list[Tensor]:
        """Take a step at this rate; return by how much it moves the parameters, which are put back."""
        self._take(rate)
        with torch.no_grad():
            room = room or [torch.empty_like(one) for one in self._start]
            pairs = zip(self.parameters, self._start, room, strict=True)
            moved = [torch.sub(one.detach(), start, out=out) for one, start, out in pairs]
        self._back()
        return moved

    def _take(self, rate: float, *, copied: bool = True) -> None:
        """Let the optimizer take a step from where the parameters are, by copies of gradients that are needed again."""
        self.rates.set(rate)
        for parameter, gradient in zip(self.parameters, self._gradients, strict=True):
            parameter.grad = gradient.clone() if copied and gradient is not None else gradient  # a step may change it
        seed_all(self._seed)
        with errors_in_one_line("the optimizer's step failed: "):
            self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None


def norm(tensors: Iterable[Tensor]) -> float:
    """Return the norm of all tensors as one vector; nan or inf where an entry isn't finite."""
    return math.hypot(*(float(torch.linalg.vector_norm(one.detach(), dtype=_wide(one))) for one in tensors))


def _wide(one: Tensor) -> torch.dtype:
    return torch.complex128 if one.is_complex() else torch.float64


def _numbers(state: Any, *, copied: bool = False) -> Iterator[Tensor]:  # noqa: ANN401
    """Yield the numbers and tensors that an optimizer remembers, in their order."""
    if isinstance(state, Tensor):
        yield state.detach().clone() if copied else state.detach()
    elif isinstance(state, int | float):
        yield torch.tensor(float(state))
    elif isinstance(state, dict | list | tuple):
        for one in state.values() if isinstance(state, dict) else state:
            yield from _numbers(one, copied=copied)


def _difference(one: Tensor, other: Tensor) -> float:
    """Return by which share of itself a tensor differs from another."""
    if one.shape != other.shape or not (one.is_floating_point() or one.is_complex()):
        return 0.0
    return norm([one - other]) / (norm([one]) or 1.0)
