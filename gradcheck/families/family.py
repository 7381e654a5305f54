"""A family of networks: one record, which every command uses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy.typing as npt

from gradcheck.data.datasets import Dataset
from gradcheck.data.tokens import TokenSet
from gradcheck.engine.layered import Layered
from gradcheck.engine.linear import Dense, Gradient, Names
from gradcheck.engine.loss import Loss
from gradcheck.engine.types import Array
from gradcheck.spec import FREE_SCALE, Spec
from gradcheck.spec.data import DataSpec

#: Numbers (batch, features), or token ids (batch, tokens).
Inputs = npt.NDArray[Any]

#: Options and their new values.
Change = dict[str, Any]

S = TypeVar("S", bound=Spec)


class DrawnNetwork(Protocol):
    """A network that a batch can be passed through."""

    def unrolled(self, inputs: Inputs, /) -> tuple[Layered, Array]:
        """Return its layers for a batch, and what the first of them is given."""


class StoredNetwork(DrawnNetwork, Protocol):
    """A network whose weights are stored: they can be written to a file, and trained."""

    @property
    def maps(self) -> Iterator[tuple[Names, Dense]]:
        """The linear maps, first to last, with the names of their weights and biases."""

    def logits(self, inputs: Array, /) -> Array:
        """Return the read-out (batch, outputs) of inputs (batch, features)."""

    def gradient(self, inputs: Array, loss: Loss, /) -> Gradient:
        """Return the loss of one batch and its gradient by backpropagation."""


class Given(NamedTuple):
    """Weights that a file gives: linear maps, first hidden layer to read-out."""

    path: Path
    maps: Sequence[Dense]


class Weights(NamedTuple, Generic[S]):
    """What is done with stored weights."""

    # (file, architecture) ↦ its linear maps; an InputError if it can't hold them
    load: Callable[[Path, str], Sequence[Dense]]
    sizes: Callable[[Sequence[Dense]], dict[str, Any]]  # linear maps ↦ the options that say how large their network is
    draw: Callable[[S, int, int, int, str], StoredNetwork]  # as that of ``Family``, dense
    # (spec, linear maps, features, dtype) ↦ the network that has them
    network: Callable[[S, Sequence[Dense], int, str], StoredNetwork]


class Family(NamedTuple, Generic[S]):
    """A family of networks."""

    spec: type[S]  # its description
    # (spec, features, outputs) ↦ fan_in and fan_out of each product of one row's forward pass, the read-out's last
    shapes: Callable[[S, int, int], list[tuple[int, int]]]
    # (spec, features, outputs) ↦ how many numbers training would change, a bias in every linear map among them
    parameters: Callable[[S, int, int], int]
    # (spec, features, outputs, seed, dtype, weightless) ↦ the network that the seed draws
    draw: Callable[[S, int, int, int, str, bool], DrawnNetwork]
    # (spec, data, options that the user gave, given weights) ↦ the spec with as many steps or tokens as the data has,
    # and the data; an OptionError or InputError where they don't fit
    fit: Callable[[S, DataSpec, frozenset[str], Given | None], tuple[S, Dataset | TokenSet]]
    # (spec, batch size, whether less depth may help) ↦ the single changes worth a simulation, each of which alters one
    # thing that a theorem or a paper names
    changes: Callable[[S, int, bool], Iterator[Change]]
    # options of a small, smooth network that has every part: the one whose gradient is verified
    small: Mapping[str, Any]
    weights: Weights[S] | None = None  # None where weights are never stored


def initialisations(spec: Spec) -> Iterator[Change]:
    """Yield the usual initialisations that a network doesn't have, then the gain that they were derived for."""
    for init in ("he", "lecun", "orthogonal"):
        if init != spec.init:
            yield {"init": init, "gain": 1.0, "weight_std": None}
    yield from plain_gain(spec)


def plain_gain(spec: Spec) -> Iterator[Change]:
    """Yield a gain of 1 where there is another."""
    if spec.gain != 1 and spec.init not in FREE_SCALE:
        yield {"gain": 1.0}
