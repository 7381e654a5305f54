"""What a learning rate is searched on: a network, its optimizer and its batches, whoever computes them."""

from typing import Protocol


class Descent(Protocol):
    """A network, its optimizer and its batches.

    Where the network isn't a copy, whoever makes the descent puts its parameters back in the end.
    """

    def look(self) -> float:
        """Take the next batch, and let the optimizer make its update Δ for rate 1; return the loss at θ.

        The optimizer's moments move on, the parameters θ don't.
        """

    def fades(self) -> bool:
        """Whether the gradients of most matrices are a far smaller share of the whole than at the first update."""

    def along(self, rate: float) -> float:
        """Return the loss of the same batch at θ + rate·Δ, finite or not; θ stays as it is."""

    def restart(self) -> None:
        """Put parameters, moments and the stream of batches back to where they began."""

    def step(self, rate: float) -> None:
        """Move: θ ← θ + rate·Δ."""
