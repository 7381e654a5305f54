"""What frameworks draw by default, as arrays in gradcheck's order: the other side of ``initialisations.py``.

A matrix is (fan_in, fan_out); that of a recurrent layer has its gates side by side: input, forget, candidate, output of
an LSTM; reset, update, candidate of a GRU. Biases are (gates, hidden), one row for each gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Two sizes ↦ arrays.
Draw = Callable[[int, int], tuple[Array, ...]]

GATES = {"rnn": 1, "lstm": 4, "gru": 3}

NONE: Mapping[str, Draw] = MappingProxyType({})


class Framework(NamedTuple):
    """What a framework draws.

    Attributes
    ----------
    dense : callable
        (inputs, outputs) ↦ weights, biases (1, outputs).
    cells : dict
        Architecture ↦ (inputs, hidden) ↦ weights and biases of the input, then of the hidden state.
    attention : callable or None
        (width, heads) ↦ weights of queries, keys and values side by side, those of the output.
    embedding : callable or None
        (tokens, width) ↦ (weights,).
    named : dict
        Name of a law in gradcheck, perhaps with its deviation ↦ (fan_in, fan_out) ↦ (weights,).
    logistic : callable or None
        As ``dense`` for layers with the logistic function, where they have another law.
    """

    dense: Draw
    cells: Mapping[str, Draw] = NONE
    attention: Draw | None = None
    embedding: Draw | None = None
    named: Mapping[str, Draw] = NONE
    logistic: Draw | None = None


#: Names of --init, each that of a module here.
NAMES = ("torch", "keras", "flax", "haiku", "equinox", "paddle", "sklearn", "mlx", "tinygrad", "gpt2")


def framework(name: str) -> Framework:
    """Import a framework and return what it draws."""
    drawn: Framework = import_module(f"frameworks.{name}").draws()
    return drawn


def zeros(arch: str, hidden: int) -> Array:
    """Return biases that a framework doesn't have."""
    return np.zeros((GATES[arch], hidden))
