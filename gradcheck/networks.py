"""From a description to a network: its weights drawn, or given."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS, Cell
from gradcheck.engine.initializers import Draw, Law
from gradcheck.engine.linear import Dense
from gradcheck.engine.network import Network, build, drawn, given
from gradcheck.engine.recurrence import Recurrence, RecurrentNetwork
from gradcheck.spec import NetworkSpec, RecurrentSpec, Spec

#: A network of whichever family.
AnyNetwork = Network | RecurrentNetwork


def drawn_network(spec: Spec, features: int, outputs: int, seed: int, dtype: str = "float64") -> AnyNetwork:
    """Return the network that a spec describes and `seed` draws.

    Parameters
    ----------
    spec : NetworkSpec or RecurrentSpec
    features, outputs : int
        Numbers of an example, of the read-out.
    seed : int
    dtype : str
        ``float64`` or ``float32``.
    """
    assert spec.init is not None
    law = Law(spec.init, spec.gain * (spec.weight_std or 1.0), spec.bias_std)
    if isinstance(spec, NetworkSpec):
        widths = (features, *spec.widths, outputs)
        return build(spec, widths, drawn(law, widths, seed, dtype))
    maps = _drawn_recurrence(spec, law, features // spec.steps, outputs, seed)
    return given_network(spec, maps, features, dtype)


def given_network(spec: Spec, maps: Sequence[Dense], features: int, dtype: str = "float64") -> AnyNetwork:
    """Return the network that a spec describes, with linear maps that are already there.

    Parameters
    ----------
    spec : NetworkSpec or RecurrentSpec
    maps : sequence of Dense
        First hidden layer to read-out; of a recurrence the input's, the hidden state's, the read-out.
    features : int
        Numbers of an example.
    dtype : str
        ``float64`` or ``float32``.
    """
    linear = given(maps, dtype)
    if isinstance(spec, NetworkSpec):
        return build(spec, (features, *spec.widths, maps[-1].weight.shape[1]), linear)
    recurrence = Recurrence(CELLS[spec.arch], linear(1), linear(2), ACTIVATIONS[spec.activation])
    return RecurrentNetwork(recurrence, linear(3), spec.steps)


def trainable(spec: Spec, network: AnyNetwork, features: int, dtype: str = "float64") -> AnyNetwork:
    """Return a copy of a network that training may change: its own arrays, and a bias in every linear map."""
    maps = []
    for _, (weight, bias) in network.maps:
        zero = np.zeros(weight.shape[1], weight.dtype)
        maps.append(Dense(weight.copy(), zero if bias is None else bias.copy()))
    return given_network(spec, maps, features, dtype)


def shapes(spec: Spec, features: int, outputs: int) -> list[tuple[int, int]]:
    """Return fan_in and fan_out of each product of one example's forward pass, the read-out's last."""
    if isinstance(spec, NetworkSpec):
        return list(pairwise((features, *spec.widths, outputs)))
    a_step = features // spec.steps + spec.width, len(CELLS[spec.arch].gates) * spec.width
    return [*[a_step] * spec.steps, (spec.width, outputs)]


def _drawn_recurrence(spec: RecurrentSpec, law: Law, features: int, outputs: int, seed: int) -> list[Dense]:
    """Draw the input's, the hidden state's and the read-out's linear map; each gate has matrices of its own."""
    cell, width = CELLS[spec.arch], spec.width
    gates = len(cell.gates)

    def stacked(law: Law, first: int, fan_in: int) -> tuple[Draw, Draw | None]:
        weights = [law.weight(seed, first + gate, fan_in, width) for gate in range(gates)]
        # PyTorch bounds all biases of a recurrent layer by 1/√width
        biases = [law.bias(seed, first + gate, width, width) for gate in range(gates)]
        return np.hstack(weights), None if biases[0] is None else np.hstack(biases)  # type: ignore[arg-type]

    # … and all its weights, those of the input too
    as_wide = math.sqrt(features / width) if law.init == "torch_default" else 1.0
    weight, bias = stacked(law._replace(scale=law.scale * as_wide), 1, features)
    recurrent = stacked(law._replace(scale=law.scale * spec.recurrent_gain), 1 + gates, width)
    last = 1 + 2 * gates
    readout = law.weight(seed, last, width, outputs), law.bias(seed, last, width, outputs)
    return [Dense(weight, _keeping(cell, width, bias, spec.forget_bias)), Dense(*recurrent), Dense(*readout)]


def _keeping(cell: Cell, width: int, bias: Draw | None, forget_bias: float | None) -> Draw | None:
    """Add the initial bias of the gate that keeps the memory."""
    if cell.keeper is None or not forget_bias:
        return bias
    bias = np.zeros(len(cell.gates) * width) if bias is None else bias
    bias[cell.keeper * width : (cell.keeper + 1) * width] += forget_bias
    return bias
