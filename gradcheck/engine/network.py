"""Networks: hidden layers and a linear read-out, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS, Activation
from gradcheck.engine.blocks import HiddenLayer, Passage
from gradcheck.engine.initializers import Law
from gradcheck.engine.linear import Dense
from gradcheck.engine.magnitude import Scaled, rescaled
from gradcheck.engine.normalization import NORMS
from gradcheck.engine.types import Array, Block

if TYPE_CHECKING:  # the engine runs without the rest of the package
    from gradcheck.spec import NetworkSpec

#: The linear map of a layer: 1 … depth are hidden, depth + 1 is the read-out.
LinearOf = Callable[[int], Dense]


class Network(NamedTuple):
    """Hidden layers 1 … depth and a read-out.

    A layer is made anew each time it is asked for, the same each time: a deep network's layers need not be held
    all at once.

    Attributes
    ----------
    widths : tuple of int
        Input features, units of each hidden layer, outputs: depth + 2 numbers.
    linear : callable
        Layer ↦ its linear map.
    activation : Activation
    norm : Block
    skip_scale : float or None
        Scale of the residual branches from the second layer on; None without skip connections.
    """

    widths: tuple[int, ...]
    linear: LinearOf
    activation: Activation
    norm: Block
    skip_scale: float | None = None

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.widths) - 2

    def hidden(self, layer: int) -> HiddenLayer:
        """Return hidden layer 1 … depth."""
        return HiddenLayer(self.linear(layer), self.norm, self.activation, self.skip_scale if layer > 1 else None)

    def readout(self) -> Dense:
        """Return the linear map from the last hidden layer to the outputs."""
        return self.linear(self.depth + 1)


def build(spec: NetworkSpec, widths: tuple[int, ...], linear: LinearOf) -> Network:
    """Return the network that a spec describes, with the widths and linear maps given."""
    return Network(
        widths=widths,
        linear=linear,
        activation=ACTIVATIONS[spec.activation],
        norm=NORMS[spec.norm].block,
        skip_scale=spec.residual_scale if spec.residual else None,
    )


def drawn(law: Law, widths: tuple[int, ...], seed: int, dtype: str = "float64") -> LinearOf:
    """Return the linear maps that `law` draws from `seed`; each is drawn when it is asked for."""

    def linear(layer: int) -> Dense:
        fans = widths[layer - 1], widths[layer]
        bias = law.bias(seed, layer, *fans)
        return Dense(
            law.weight(seed, layer, *fans).astype(dtype, copy=False),
            None if bias is None else bias.astype(dtype, copy=False),
        )

    return linear


def given(maps: Sequence[Dense], dtype: str = "float64") -> LinearOf:
    """Return linear maps that are already there, first hidden layer to read-out."""

    def cast(array: Array | None) -> Array | None:
        return None if array is None else array.astype(dtype, copy=False)

    cast_maps = [Dense(np.asarray(one.weight, dtype), cast(one.bias)) for one in maps]
    return lambda layer: cast_maps[layer - 1]


def backward(passages: Sequence[Passage], delta: Scaled) -> Iterator[tuple[Scaled, Scaled]]:
    """Apply the chain rule through `passages`, from the last to the first.

    Parameters
    ----------
    passages : sequence of Passage
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
