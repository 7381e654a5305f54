"""Where Keras has gradients: within its optimizer, which nothing else sees.

``fit`` has no hook between the gradients and the update, and with JAX the whole step is one compiled function. Two
methods of the optimizer, replaced on the instance, see what is needed at the only right place: after the loss scale was
removed and accumulated batches were added up, before clipping and after it. With JAX they are traced into the compiled
step, and send numbers to the host, in sampled steps only.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

#: Step, name of a quantity, its numbers: how a tap tells what it has seen.
Take = Callable[[int, str, Any], None]


class Tap(ABC):
    """Sees the gradients of the sampled steps of a compiled model's optimizer, and their losses.

    They are taken with the step, the name of a quantity, and its numbers, in the order of the model's trainable
    variables: gradients once a step, the loss once a batch. The optimizer may be wrapped in a ``LossScaleOptimizer``.
    """

    def __init__(self, model: Any, every: int, take: Take) -> None:
        self.model, self.every, self.take = model, every, take
        self.outer = model.optimizer
        self.inner = getattr(self.outer, "inner_optimizer", self.outer)
        self.batches = self.inner.gradient_accumulation_steps or 1
        self.places: list[int] = []
        self._all = {id(variable): place for place, variable in enumerate(model.trainable_variables)}
        self._replaced: list[tuple[Any, str, Any]] = []
        self.apply = self.replace(self.inner, "_backend_apply_gradients", self._apply)
        self.clip = self.replace(self.inner, "_clip_gradients", self._clip)

    @property
    def done(self) -> int:
        """Batches that the optimizer has had, each a step or a part of one."""
        return int(self.inner._iterations.value)  # ``iterations`` counts steps where batches are accumulated

    @property
    def max_norm(self) -> float | None:
        """Threshold of the global norm; None without one."""
        limit = self.inner.global_clipnorm
        return None if limit is None else float(limit)

    def replace(self, owner: Any, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Replace a method of one object, and return the one that was there."""
        old: Callable[..., Any] = getattr(owner, name)
        self._replaced.append((owner, name, method))
        object.__setattr__(owner, name, method)  # Keras's own would look for variables in it
        return old

    def close(self) -> None:
        """Leave everything as it was."""
        for owner, name, method in reversed(self._replaced):
            if vars(owner).get(name) == method:
                object.__delattr__(owner, name)
        self._replaced = []

    def laid_out(self, numbers: Sequence[float]) -> list[float | None]:
        """Return numbers in the order of all trainable variables, None where there is no gradient."""
        found: list[float | None] = [None] * len(self._all)
        for place, number in zip(self.places, numbers, strict=True):
            found[place] = float(number)
        return found

    def _apply(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        """Note whose gradients these are."""
        self.places = [self._all[id(variable)] for variable in variables]
        self.apply(gradients, variables)

    def _clip(self, gradients: Sequence[Any]) -> Any:
        """Measure gradients before and after they are clipped."""
        clipped = self.clip(gradients)
        self.see(gradients, None if clipped is gradients else clipped)
        return clipped

    @abstractmethod
    def see(self, gradients: Sequence[Any], clipped: Sequence[Any] | None) -> None:
        """Measure the gradients of one step, if it is sampled."""

    @abstractmethod
    def copied(self) -> list[Any]:
        """Return a copy of the weights."""

    @abstractmethod
    def norms(self, tensors: Sequence[Any]) -> list[float]:
        """Return the Euclidean norms of tensors."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until all numbers of the steps so far have been taken."""
