"""Gradients of Keras with JAX: traced into the compiled step, which sends numbers to the host in sampled steps."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from gradcheck.keras.taps import Take, Tap


class JaxTap(Tap):
    """Sees gradients while the step is traced."""

    def __init__(self, model: Any, every: int, take: Take) -> None:
        self._sampled: tuple[Any, Any] | None = None
        super().__init__(model, every, take)
        self.stateless_apply = self.replace(self.outer, "stateless_apply", self._stateless_apply)
        self.update_loss = self.replace(model._loss_tracker, "update_state", self._update_loss)
        model.make_train_function(force=True)  # one that was compiled before sees nothing

    def close(self) -> None:
        """Leave everything as it was; the step is compiled again when it is needed."""
        super().close()
        self.model.train_function = None

    def _stateless_apply(self, optimizer_variables: Sequence[Any], gradients: Any, variables: Any) -> Any:
        """Note whether this step is sampled, for its loss, which follows in the same trace."""
        place = next(at for at, one in enumerate(self.outer.variables) if one is self.inner._iterations)
        self._sampled = self._due(optimizer_variables[place])
        return self.stateless_apply(optimizer_variables, gradients, variables)

    def _update_loss(self, loss: Any, *values: Any, **options: Any) -> Any:
        """Send the loss of a batch of a sampled step; one of an evaluation has no step."""
        sampled, self._sampled = self._sampled, None
        if sampled is not None:
            self._send(*sampled, "loss", lambda: jnp.mean(loss))
        return self.update_loss(loss, *values, **options)

    def see(self, gradients: Sequence[Any], clipped: Sequence[Any] | None) -> None:
        """Measure the gradients of one step, if it is sampled, and all its batches are there."""
        iterations = self.inner._iterations.value
        step, due = self._due(iterations)
        due = due & ((iterations + 1) % self.batches == 0)
        self._send(step, due, "grad_norm", lambda: _norms(gradients))
        if clipped is not None:
            self._send(step, due, "grad_norm_after", lambda: _norms(clipped))

    def copied(self) -> list[Any]:
        """Return a copy of the weights; those of the last step were handed over to it."""
        self.model.jax_state_sync()
        return [jnp.copy(variable.value) for variable in self.model.trainable_variables]

    def norms(self, tensors: Sequence[Any]) -> list[float]:
        """Return the Euclidean norms of tensors."""
        return list(map(float, _norms(tensors)))

    def wait(self) -> None:
        """Wait until all numbers of the steps so far have been taken."""
        jax.effects_barrier()

    def _due(self, iterations: Any) -> tuple[Any, Any]:
        """Return the number of the step, and whether it is sampled."""
        step = iterations // self.batches
        return step, step % self.every == 0

    def _send(self, step: Any, due: Any, name: str, compute: Any) -> None:
        """Let the compiled step compute numbers and send them, if they are due."""
        arrive = partial(self._arrive, name)
        jax.lax.cond(due, lambda: jax.debug.callback(arrive, step, compute()), lambda: None)

    def _arrive(self, name: str, step: Any, numbers: Any) -> None:
        values = np.asarray(numbers, dtype=np.float64)
        self.take(int(step), name, float(values) if values.ndim == 0 else self.laid_out(values.tolist()))


def _norms(tensors: Sequence[Any]) -> Any:
    """Return the Euclidean norms of tensors, (tensors,)."""
    return jnp.stack([jnp.linalg.norm(jnp.ravel(tensor).astype(jnp.float32)) for tensor in tensors])
