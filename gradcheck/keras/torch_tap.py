"""Gradients of Keras with PyTorch: computed step by step."""

from collections.abc import Sequence
from typing import Any

from gradcheck.keras.taps import Take, Tap
from gradcheck.torch.recording.scalars import fetch, norms


class TorchTap(Tap):
    """Sees gradients as PyTorch's tensors."""

    def __init__(self, model: Any, every: int, take: Take) -> None:
        super().__init__(model, every, take)
        self._done = self.done  # counted along: to ask a device would mean to wait for it
        self.scale_loss = self.replace(self.outer, "scale_loss", self._loss)

    def _apply(self, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
        super()._apply(gradients, variables)
        self._done += 1

    def _loss(self, loss: Any) -> Any:
        """Note the loss of a batch, before it is scaled."""
        if self._sampled:
            self.take(self._step, "loss", float(loss.detach()))
        return self.scale_loss(loss)

    def see(self, gradients: Sequence[Any], clipped: Sequence[Any] | None) -> None:
        """Measure the gradients of one step, if it is sampled."""
        if self._sampled:
            self.take(self._step, "grad_norm", self.laid_out(self.norms(gradients)))
            if clipped is not None:
                self.take(self._step, "grad_norm_after", self.laid_out(self.norms(clipped)))

    def copied(self) -> list[Any]:
        """Return a copy of the weights."""
        return [variable.value.detach().clone() for variable in self.model.trainable_variables]

    def norms(self, tensors: Sequence[Any]) -> list[float]:
        """Return the Euclidean norms of tensors."""
        lists, _ = fetch({"norm": norms([tensor.detach() for tensor in tensors])}, {}, len(tensors))
        return [0.0 if norm is None else norm for norm in lists["norm"]]

    def wait(self) -> None:
        """Do nothing: numbers are taken as they are computed."""

    @property
    def _step(self) -> int:
        return self._done // self.batches

    @property
    def _sampled(self) -> bool:
        return self._step % self.every == 0
