"""The families of networks: one record each, of what is done with a network besides describing it.

Their descriptions, which need no NumPy, are those of ``gradcheck.spec``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.base.loading import named
from gradcheck.engine.linear import Dense
from gradcheck.errors import OptionError
from gradcheck.families.family import DrawnNetwork, Family, StoredNetwork, Weights
from gradcheck.spec import NetworkSpec, RecurrentSpec, Spec, TransformerSpec


class _OnDemand(Mapping[str, Family[Any]]):
    """Architecture ↦ its family, whose module is loaded when it is asked for: a command pays for its own."""

    def __init__(self, homes: Mapping[type[Spec], str]) -> None:
        self._homes = {arch: home for spec, home in homes.items() for arch in spec.architectures}

    def __getitem__(self, arch: str) -> Family[Any]:
        family: Family[Any] = named(self._homes[arch])
        return family

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


#: Architecture ↦ its family: where each is.
FAMILIES = _OnDemand(
    {
        NetworkSpec: "gradcheck.families.perceptron:PERCEPTRON",
        RecurrentSpec: "gradcheck.families.recurrent:RECURRENT",
        TransformerSpec: "gradcheck.families.transformer:TRANSFORMER",
    }
)


def drawn_network(
    spec: Spec, features: int, outputs: int, seed: int, dtype: str = "float64", layers: str = "dense"
) -> DrawnNetwork:
    """Return the network that a spec describes and `seed` draws, its layers ``dense`` or ``weightless``."""
    return FAMILIES[spec.arch].draw(spec, features, outputs, seed, dtype, layers == "weightless")


def given_network(spec: Spec, maps: Sequence[Dense], features: int, dtype: str = "float64") -> StoredNetwork:
    """Return the network that a spec describes, with linear maps that are there: first hidden layer to read-out.

    Of a recurrence they are the input's, the hidden state's, the read-out's.
    """
    return stored_weights(spec.arch, "weights", "weights are drawn").network(spec, maps, features, dtype)


def trainable(spec: Spec, network: StoredNetwork, features: int, dtype: str = "float64") -> StoredNetwork:
    """Return a copy of a network that training may change: its own arrays, and a bias in every linear map."""
    maps = []
    for _, (weight, bias) in network.maps:
        zero = np.zeros(weight.shape[1], weight.dtype)
        maps.append(Dense(weight.copy(), zero if bias is None else bias.copy()))
    return given_network(spec, maps, features, dtype)


def stored_weights(arch: str, option: str, because: str) -> Weights[Any]:
    """Return what is done with the weights of an architecture.

    Raises
    ------
    OptionError
        The architecture stores none: `option` asks for them, `because` is said of it.
    """
    weights = FAMILIES[arch].weights
    if weights is None:
        *others, last = (name for name, family in FAMILIES.items() if family.weights)
        raise OptionError(option, f"goes with --arch {', '.join(others)} or {last}; a {arch}'s {because}")
    return weights
