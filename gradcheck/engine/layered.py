"""What a flow is measured on: layers that pass a batch forward and its gradient back, whatever is in them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from gradcheck.engine.linear import Linear
from gradcheck.engine.magnitude import Scaled, rescaled
from gradcheck.engine.types import Array

A = TypeVar("A", Array, Scaled)


class Cotangents(NamedTuple, Generic[A]):
    """What a pullback returns: arrays, or renormalised ones."""

    # at_z, at_x: ∂𝓛/∂z and ∂𝓛/∂input
    at_z: A
    at_x: A
    products: tuple[tuple[A, A], ...]  # (input X, ∂𝓛/∂(X W) D) of each linear map: Xᵀ D is its weights' gradient


class LayerPass(NamedTuple):
    """One batch's pass through a layer, a time step or to a flow point, forward and back."""

    # z, (batch, fan_out); of a transformer what a branch adds to the stream, or the stream, (rows, width)
    preactivation: Array
    output: Array  # what the next layer is given
    activity: Array  # what the next layer sees of it, (batch, units)
    # ∂𝓛/∂output ↦ ∂𝓛/∂z, ∂𝓛/∂input and what gives the weights' gradients
    pullback: Callable[[Array], Cotangents[Array]]
    maps: tuple[Linear, ...] = ()  # the linear maps whose outputs make z
    # the activations' derivatives where they were taken, and their largest anywhere
    slopes: tuple[tuple[Array, float], ...] = ()


class Layer(Protocol):
    """A layer, or a time step, of one batch."""

    def __call__(self, x: Array, /) -> LayerPass:
        """Pass x forward."""


class Units(NamedTuple):
    """What the layers of a network are."""

    name: str = "layer"  # what a unit is called: ``layer``, or ``step`` of time; of a transformer, ``block``
    points: tuple[str, ...] = ()  # the flow points of each unit, one layer each; none where a unit is one layer
    # the units share their weights, and each is given its own input: the last alone depends on them all
    shared: bool = False

    def carries(self, layer: int, depth: int) -> bool:
        """Whether all of the signal goes through a layer: the last time step, of a transformer the stream."""
        return layer == depth if self.shared else layer % max(1, len(self.points)) == 0


class Layered(Protocol):
    """What a flow can be measured on: layers 1 … depth, each made when it is asked for, and a read-out."""

    @property
    def units(self) -> Units:
        """What its layers are."""

    @property
    def depth(self) -> int:
        """Number of layers."""

    @property
    def fans(self) -> Sequence[tuple[int, int]]:
        """fan_in and fan_out of each layer."""

    @property
    def weightless(self) -> bool:
        """Whether its linear maps hold no matrix, so that a layer costs little until a batch is passed through it."""

    def kept(self, rows: int) -> Sequence[int]:
        """How many numbers each layer holds from the forward pass to the backward pass, its weights among them."""

    def hidden(self, layer: int) -> Layer:
        """Return layer 1 … depth."""

    @property
    def readout(self) -> Linear:
        """The linear map from the last layer to the outputs."""


#: Layers ahead whose random numbers are begun; a transformer has no numbers at every third point.
AHEAD = 2


def forward(network: Layered, x: Array, layers: range) -> Iterator[LayerPass]:
    """Pass x forward through some of the layers."""
    coming = deque[Layer]()
    for layer in layers:
        last = min(layer + AHEAD, layers.stop - 1) if network.weightless else layer
        for ahead in range(layer + len(coming), last + 1):
            coming.append(network.hidden(ahead))
            for one in getattr(coming[-1], "maps", ()):
                one.begin(len(x))
        layer_pass = coming.popleft()(x)
        yield layer_pass
        x = layer_pass.output


def backward(passes: Sequence[LayerPass], delta: Scaled) -> Iterator[Cotangents[Scaled]]:
    """Apply the chain rule to ∂𝓛/∂output of the last of `passes`, on to the first, and yield what comes back to each.

    It is renormalised: it neither under- nor overflows at any depth.
    """
    coming = list(passes)  # those of which nothing has been begun
    for at in range(len(passes) - 1, -1, -1):
        while len(coming) > max(0, at - AHEAD):
            for one in coming.pop().maps:
                one.begin(len(delta.mantissa), back=True)
        cotangents, exponent = passes[at].pullback(delta.mantissa), delta.exponent
        delta = rescaled(cotangents.at_x, exponent)
        at_z = rescaled(cotangents.at_z, exponent)
        products = tuple(
            (rescaled(x), at_z if one is cotangents.at_z else rescaled(one, exponent)) for x, one in cotangents.products
        )
        yield Cotangents(at_z, delta, products)
