"""PyTorch's recurrent modules run once more by the engine's cells, one step after the other."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS, CellStep
from gradcheck.engine.types import Array
from gradcheck.torch.probing.sequences.traces import weights_of

#: Kinds as PyTorch has them ↦ the engine's cell and activation.
KINDS = {"LSTM": ("lstm", "tanh"), "GRU": ("gru", "tanh"), "RNN_TANH": ("rnn", "tanh"), "RNN_RELU": ("rnn", "relu")}


class Unrolled(NamedTuple):
    """A pass through all steps, in the order of processing."""

    part: str
    kind: str
    weights: Mapping[str, Array]  # by PyTorch's names, without the layer's number
    steps: list[CellStep]
    hidden: list[Array]  # h after each step, (examples, units)
    from_inputs: Array  # x W, (steps, examples, gates × units)
    kept: Array | float = 1.0  # what dropout has multiplied its inputs by, in the order of time


def unrolled(module: nn.RNNBase, x: Array, start: Sequence[Array]) -> Iterator[Unrolled]:
    """Go through a module's layers and directions, given its inputs and, of each, the first states."""
    directions = 2 if module.bidirectional else 1
    share, random = module.dropout if module.training else 0.0, np.random.default_rng(0)
    kept: Array | float = 1.0
    for layer in range(module.num_layers):
        if layer and share:
            kept = (random.random(x.shape) >= share) / max(1 - share, 1e-12)
        x, outputs = x * kept, []
        for direction in range(directions):
            at = layer * directions + direction
            own = {name.partition("_l")[0]: getattr(module, name) for name in module._all_weights[at]}
            inputs, order = (x[::-1], -1) if direction else (x, 1)
            one = unroll(module.mode, weights_of(own), inputs, [states[at] for states in start])
            outputs.append(np.stack(one.hidden[::order]))
            yield one._replace(part=f"l{layer}" + "_reverse" * direction, kept=kept)
        x = np.concatenate(outputs, -1)


def unroll(kind: str, weights: Mapping[str, Array], x: Array, start: Sequence[Array]) -> Unrolled:
    """Go through the steps of one layer in one direction."""
    cell, activation = CELLS[KINDS[kind][0]], ACTIVATIONS[KINDS[kind][1]]
    width = len(weights["weight_hh"]) // len(cell.gates)
    hidden: Array = start[0] if start else np.zeros((x.shape[1], weights["weight_hh"].shape[1]))
    state: Array = np.zeros((x.shape[1], cell.states * width))
    if "weight_hr" not in weights:
        state[:, :width] = hidden
    if len(start) > 1:
        state[:, width:] = start[1]
    steps, every = list[CellStep](), list[Array]()
    from_inputs = x @ weights["weight_ih"].T
    for along in from_inputs + weights.get("bias_ih", 0.0):
        across = hidden @ weights["weight_hh"].T + weights.get("bias_hh", 0.0)
        steps.append(cell.step(along, across, state, activation))
        state = steps[-1].state
        hidden = state[:, :width] @ weights["weight_hr"].T if "weight_hr" in weights else state[:, :width]
        every.append(hidden)
    return Unrolled("", kind, weights, steps, every, from_inputs)
