"""From a description to a network: its weights drawn, or given."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gradcheck.building.transformers import TransformerNetwork, drawn_transformer
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS, Cell
from gradcheck.engine.initializers import Draw, Law
from gradcheck.engine.linear import Dense
from gradcheck.engine.network import Network, build, drawn, given, weightless
from gradcheck.engine.recurrence import Recurrence, RecurrentNetwork
from gradcheck.spec import NetworkSpec, RecurrentSpec, Spec, TransformerSpec

#: What describes a network whose weights can be given.
StoredSpec = NetworkSpec | RecurrentSpec

#: A network whose weights are stored: they can be written to a file, and trained.
StoredNetwork = Network | RecurrentNetwork

#: A network of whichever family.
AnyNetwork = StoredNetwork | TransformerNetwork


def drawn_network(
    spec: Spec, features: int, outputs: int, seed: int, dtype: str = "float64", layers: str = "dense"
) -> AnyNetwork:
    """Return the network that a spec describes and `seed` draws.

    Parameters
    ----------
    spec : NetworkSpec, RecurrentSpec or TransformerSpec
    features, outputs : int
        Numbers of an example, of the read-out.
    seed : int
    dtype : str
        ``float64`` or ``float32``.
    layers : str
        ``dense`` or ``weightless``.
    """
    assert spec.init is not None
    law, without = Law(spec.init, spec.gain * (spec.weight_std or 1.0), spec.bias_std), layers == "weightless"
    if isinstance(spec, TransformerSpec):
        return drawn_transformer(spec, law, seed, dtype, without)
    if isinstance(spec, NetworkSpec):
        widths = (features, *spec.widths, outputs)
        linear = weightless(law, widths, seed, dtype) if without else drawn(law, widths, seed, dtype)
        return build(spec, widths, linear, without)
    maps = _drawn_recurrence(spec, law, features // spec.steps, outputs, seed)
    return given_network(spec, maps, features, dtype)


def given_network(spec: StoredSpec, maps: Sequence[Dense], features: int, dtype: str = "float64") -> StoredNetwork:
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


def trainable(spec: StoredSpec, network: StoredNetwork, features: int, dtype: str = "float64") -> StoredNetwork:
    """Return a copy of a network that training may change: its own arrays, and a bias in every linear map."""
    maps = []
    for _, (weight, bias) in network.maps:
        zero = np.zeros(weight.shape[1], weight.dtype)
        maps.append(Dense(weight.copy(), zero if bias is None else bias.copy()))
    return given_network(spec, maps, features, dtype)


def shapes(spec: Spec, features: int, outputs: int) -> list[tuple[int, int]]:
    """Return fan_in and fan_out of each product of one example's forward pass, the read-out's last.

    Of a transformer they are those of one token's.
    """
    if isinstance(spec, NetworkSpec):
        return list(pairwise((features, *spec.widths, outputs)))
    if isinstance(spec, TransformerSpec):
        width, expanded = spec.model_width, spec.mlp_width * (2 if spec.gated else 1)
        a_block = (width, width + 2 * spec.key_width), (width, width), (width, expanded), (spec.mlp_width, width)
        return [*a_block * spec.blocks, (width, spec.vocabulary)]
    a_step = features // spec.steps + spec.width, len(CELLS[spec.arch].gates) * spec.width
    return [*[a_step] * spec.steps, (spec.width, outputs)]


def parameters(spec: Spec, features: int, outputs: int) -> int:
    """Return how many numbers training would change, a bias in every linear map among them."""
    if isinstance(spec, NetworkSpec):
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in shapes(spec, features, outputs))
    if isinstance(spec, TransformerSpec):
        return _of_blocks(spec) + _of_ends(spec)
    pre_activations = len(CELLS[spec.arch].gates) * spec.width
    within = (features // spec.steps + spec.width + 2) * pre_activations  # as in PyTorch, a bias for each matrix
    return within + (spec.width + 1) * outputs


def _of_blocks(spec: TransformerSpec) -> int:
    """Return the parameters of a transformer's blocks, and of the norm behind them."""
    maps = shapes(spec, 0, 0)[:-1]
    of_norm = spec.model_width * {"layer": 2, "rms": 1, "none": 0}[spec.norm]
    norms = spec.blocks * (4 if spec.norm_placement == "both" else 2) + (spec.norm_placement != "post")
    return sum((fan_in + spec.biases) * fan_out for fan_in, fan_out in maps) + norms * of_norm


def _of_ends(spec: TransformerSpec) -> int:
    """Return the parameters of a transformer's embeddings and its read-out."""
    width, outputs = spec.model_width, spec.vocabulary
    positions = (spec.context or spec.tokens) * width if spec.positions == "learned" else 0
    readout = 0 if spec.tied else width * outputs + (outputs if spec.patch else 0)
    embedding = outputs * width if spec.patch is None else (spec.patch + 1) * width + width  # and a class token
    return positions + embedding + readout


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
