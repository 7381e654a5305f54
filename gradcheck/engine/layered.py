"""What a flow is measured on: layers that pass a batch forward and its gradient back, whatever is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from gradcheck.engine.linear import Dense
from gradcheck.engine.magnitude import Scaled, rescaled
from gradcheck.engine.types import Array


class Way(Protocol):
    """One batch's way through a layer or a time step, and the way back: what a measurement looks at."""

    @property
    def preactivation(self) -> Array:
        """z, (batch, fan_out)."""

    @property
    def output(self) -> Array:
        """What the next layer is given."""

    @property
    def activity(self) -> Array:
        """What the next layer sees of it, (batch, units)."""

    @property
    def slopes(self) -> tuple[tuple[Array, float], ...]:
        """The activations' derivatives where they were taken, and their largest anywhere."""

    @property
    def maps(self) -> tuple[Dense, ...]:
        """The linear maps whose outputs make z."""

    @property
    def pullback(self) -> Callable[[Array], tuple[Array, Array]]:
        """∂𝓛/∂output ↦ (∂𝓛/∂z, ∂𝓛/∂input)."""

    def products(self, at_z: Scaled) -> tuple[tuple[Scaled, Scaled], ...]:
        """Return (input X, ∂𝓛/∂(X W) D) of each linear map: Xᵀ D is its weights' gradient."""


class Layer(Protocol):
    """A layer, or a time step, of one batch."""

    def __call__(self, x: Array, /) -> Way:
        """Pass x forward."""


class Layered(Protocol):
    """What a flow can be measured on: layers 1 … depth, each made when it is asked for, and a read-out."""

    @property
    def unit(self) -> str:
        """What a layer is called: ``layer``, or ``step`` of time."""

    @property
    def depth(self) -> int:
        """Number of layers."""

    @property
    def fans(self) -> Sequence[tuple[int, int]]:
        """fan_in and fan_out of each layer."""

    def hidden(self, layer: int) -> Layer:
        """Return layer 1 … depth."""

    def readout(self) -> Dense:
        """Return the linear map from the last layer to the outputs."""


def walk(network: Layered, x: Array, layers: range) -> Iterator[Way]:
    """Pass x forward through some of the layers."""
    for layer in layers:
        way = network.hidden(layer)(x)
        yield way
        x = way.output


def backward(passages: Sequence[Way], delta: Scaled) -> Iterator[tuple[Scaled, Scaled]]:
    """Apply the chain rule through `passages`, from the last to the first.

    Parameters
    ----------
    passages : sequence of Way
    delta : Scaled
        ∂𝓛/∂output of the last passage.

    Yields
    ------
    (∂𝓛/∂z, ∂𝓛/∂x) of each layer, last to first, renormalised: they neither under- nor overflow at any depth.
    """
    for passage in reversed(passages):
        at_z, at_x = passage.pullback(delta.mantissa)
        exponent = delta.exponent
        delta = rescaled(at_x, exponent)
        yield rescaled(at_z, exponent), delta
