"""Networks: hidden layers and a linear read-out, made when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS, Activation
from gradcheck.engine.blocks import HiddenLayer
from gradcheck.engine.initializers import Law
from gradcheck.engine.layered import Units, forward
from gradcheck.engine.linear import Dense, Gradient, Linear, Names, Weightless
from gradcheck.engine.loss import Loss
from gradcheck.engine.noise import Noise
from gradcheck.engine.normalization import NORMS, none
from gradcheck.engine.types import Array, Block

if TYPE_CHECKING:  # the engine runs without the rest of the package
    from gradcheck.spec import NetworkSpec

#: The linear map of a layer: 1 … depth are hidden, depth + 1 is the read-out.
LinearOf = Callable[[int], Linear]


class Network(NamedTuple):
    """Hidden layers 1 … depth and a read-out.

    A layer is made anew each time it is asked for, the same each time: a deep network's layers need not be held
    all at once.
    """

    widths: tuple[int, ...]  # input features, units of each hidden layer, outputs: depth + 2 numbers
    linear: LinearOf  # layer ↦ its linear map
    activation: Activation
    norm: Block
    # scale of the residual branches from the second layer on; None without skip connections
    skip_scale: float | None = None
    weightless: bool = False  # the linear maps hold no matrix

    @property
    def units(self) -> Units:
        """What its layers are."""
        return Units()

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths) - 2

    @property
    def fans(self) -> list[tuple[int, int]]:
        """fan_in and fan_out of each hidden layer."""
        return list(pairwise(self.widths[:-1]))

    def kept(self, rows: int) -> list[int]:
        """How many numbers each layer holds: its weights, or what it has drawn of them; its output, slope and norm."""
        drawn = [rows * fan_out if self.weightless else fan_in * fan_out for fan_in, fan_out in self.fans]
        of_row = 2 if self.norm is none else 3
        return [numbers + of_row * rows * fan_out for numbers, (_, fan_out) in zip(drawn, self.fans, strict=True)]

    def unrolled(self, inputs: Array) -> tuple["Network", Array]:
        """Return the network laid out in layers, as it is already, and what its first layer is given."""
        return self, inputs

    def hidden(self, layer: int) -> HiddenLayer:
        """Return hidden layer 1 … depth."""
        return HiddenLayer(self.linear(layer), self.norm, self.activation, self.skip_scale if layer > 1 else None)

    @property
    def readout(self) -> Linear:
        """The linear map from the last hidden layer to the outputs."""
        return self.linear(self.depth + 1)

    @property
    def maps(self) -> Iterator[tuple[Names, Dense]]:
        """The stored linear maps, first to last, with the names of their weights and biases: W1, b1, … W_out, b_out."""
        for layer in range(1, self.depth + 2):
            name = str(layer) if layer <= self.depth else "_out"
            yield (f"W{name}", f"b{name}"), self._stored(layer)

    def _stored(self, layer: int) -> Dense:
        """Return the linear map of a layer that holds its matrix."""
        linear = self.linear(layer)
        assert isinstance(linear, Dense), "weights that are read or trained are stored"
        return linear

    def logits(self, inputs: Array) -> Array:
        """Return the read-out (batch, outputs) of inputs (batch, features)."""
        *_, last = forward(self, inputs, range(1, self.depth + 1))
        return self.readout(last.output)[0]

    def gradient(self, inputs: Array, loss: Loss) -> Gradient:
        """Return the loss of one batch (batch, features), and its gradient by backpropagation."""
        passes = list(forward(self, inputs, range(1, self.depth + 1)))
        readout, hidden = self._stored(self.depth + 1), passes[-1].output
        logits, through_readout = readout(hidden)
        value, at_logits = loss(logits)
        at_weights, delta = [readout.gradient(hidden, at_logits)], through_readout(at_logits)
        for layer, layer_pass in zip(range(self.depth, 0, -1), reversed(passes), strict=True):
            _, delta, ((x, at_z),) = layer_pass.pullback(delta)
            at_weights.append(self._stored(layer).gradient(x, at_z))
        return Gradient(value, logits, [part for parts in at_weights[::-1] for part in parts])


def build(spec: "NetworkSpec", widths: tuple[int, ...], linear: LinearOf, weightless: bool = False) -> Network:
    """Return the network that a spec describes, with the widths and linear maps given."""
    return Network(
        widths=widths,
        linear=linear,
        activation=ACTIVATIONS[spec.activation],
        norm=NORMS[spec.norm].block,
        skip_scale=spec.residual_scale if spec.residual else None,
        weightless=weightless,
    )


def drawn_maps(law: Law, widths: tuple[int, ...], seed: int, dtype: str = "float64") -> LinearOf:
    """Return the linear maps that `law` draws from `seed`; each is drawn when it is asked for."""

    def linear(layer: int) -> Dense:
        key = seed, layer, widths[layer - 1], widths[layer], dtype
        return Dense(law.weight(*key), law.bias(*key))

    return linear


def weightless_maps(law: Law, widths: tuple[int, ...], seed: int, dtype: str = "float64") -> LinearOf:
    """Return linear maps of the same law that are never built: only what passes through them is drawn."""

    def linear(layer: int) -> Weightless:
        fans = widths[layer - 1], widths[layer]
        bias = law.bias(seed, layer, *fans, dtype)
        return Weightless(*fans, Noise(seed, layer, dtype), law.std(*fans), law.haar, bias)

    return linear


def given_maps(maps: Sequence[Dense], dtype: str = "float64") -> Callable[[int], Dense]:
    """Return linear maps that are already there, first hidden layer to read-out."""
    given = [Dense(np.asarray(W, dtype), None if b is None else np.asarray(b, dtype)) for W, b in maps]
    return lambda layer: given[layer - 1]
