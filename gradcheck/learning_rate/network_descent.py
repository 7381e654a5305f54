"""A described network, drawn and trained by the engine: what its learning rate is searched on."""

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.data.datasets import Batch
from gradcheck.engine.loss import loss_of
from gradcheck.engine.types import Array
from gradcheck.families.family import StoredNetwork
from gradcheck.learning_rate.optimizers import Update


class NetworkDescent:
    """A network of its own (``families.trainable``) whose arrays are changed, an optimizer, and batches.

    What makes the optimizer's update (``learning_rate.optimizers``) starts it with moments at zero; what makes the
    stream of batches makes the same one each time.
    """

    def __init__(
        self, network: StoredNetwork, optimizer: Callable[[], Update], batches: Callable[[], Iterator[Batch]]
    ) -> None:
        self.network, self.optimizer, self.batches = network, optimizer, batches
        self.parameters = [array for _, one in network.maps for array in one if array is not None]
        self.first = [one.copy() for one in self.parameters]
        self.restart()

    def restart(self) -> None:
        """Put parameters, moments and the stream of batches back to where they began."""
        self.start = [one.copy() for one in self.first]  # θ
        self.change: list[Array] = []  # Δ
        self.update, self.stream = self.optimizer(), self.batches()
        for parameter, first in zip(self.parameters, self.first, strict=True):
            parameter[...] = first

    def look(self) -> float:
        """Take the next batch, and let the optimizer make its update for rate 1; return the loss."""
        self.batch = next(self.stream)
        with np.errstate(all="ignore"):  # what isn't finite is one of the answers
            loss, _, gradients = self.network.gradient(self.batch.inputs, loss_of(self.batch.labels))
            self.change = self.update(gradients, self.parameters)
        return loss

    def fades(self) -> bool:
        """Not judged: what a described network's rules were found with are runs that count by their losses alone."""
        return False

    def along(self, rate: float) -> float:
        """Return the loss of the same batch at θ + rate·Δ."""
        with np.errstate(all="ignore"):
            self._move(rate)
            loss, _ = loss_of(self.batch.labels)(self.network.logits(self.batch.inputs))
            self._move(0.0)
        return loss

    def step(self, rate: float) -> None:
        """Move: θ ← θ + rate·Δ."""
        with np.errstate(all="ignore"):
            self._move(rate)
        self.start = [one.copy() for one in self.parameters]

    def _move(self, rate: float) -> None:
        """Set the network's parameters to θ + rate·Δ; to θ itself for 0, whatever Δ is."""
        for parameter, start, change in zip(self.parameters, self.start, self.change, strict=True):
            parameter[...] = start + rate * change if rate else start
