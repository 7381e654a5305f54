"""Sequences that a recurrence reads in a way that nobody means: along the examples, or with its state cut off."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.probing.hooks import Call, Recording, states_of
from gradcheck.torch.probing.parts import ModelParts
from gradcheck.torch.probing.sequences import several

#: Of fewer steps a state that is cut off may be the start of a part, as in training on parts of a sequence.
STEPS = 3


def judge_states(record: Recording, layers: Mapping[str, int]) -> ModelParts:
    """Return which recurrences get a state without a graph at each step, given the numbers of layers by name."""
    causes = tuple(
        Cause(
            "state-detached", (layers[layer.name],) * 2 if layer.name in layers else None, len(record.of(layer)),
            details={"name": layer.name},
        )
        for layer in record.layers()
        if isinstance(layer.module, nn.RNNCellBase | nn.RNNBase) and _is_cut_throughout(record.of(layer))
    )  # fmt: skip
    return ModelParts("vanishing" if causes else None, causes)


def _is_cut_throughout(calls: Sequence[Call]) -> bool:
    """Whether each call gets what the one before left, without its graph."""
    if len(calls) < STEPS:
        return False
    pairs = ((_left(before), _given(after)) for before, after in pairwise(calls))
    return all(
        left is not None and given is not None and left.requires_grad and not given.requires_grad
        and left.numel() == given.numel() and torch.equal(left.flatten(), given.flatten())
        for left, given in pairs
    )  # fmt: skip


def _left(call: Call) -> Tensor | None:
    """Return the state that a call left."""
    return call.output if call.returned is None else next(iter(states_of(call.returned)), None)


def _given(call: Call) -> Tensor | None:
    """Return the state that a call was given."""
    return next(iter(several(call.inputs[1] if len(call.inputs) > 1 else None)), None)


def find_swapped_axes(record: Recording, output: object, targets: object, examples: int) -> Iterator[Cause]:
    """Yield that a recurrence goes along the examples, which outputs and targets have a row for each of.

    Not of a single sequence, whose steps may well be what is to be told apart.
    """
    tensor = main_tensor(output)
    if tensor is None or tensor.dim() != 2 or not isinstance(targets, Tensor) or targets.dim() > 2:
        return
    if not len(tensor) == examples == (targets.shape[0] if targets.dim() else 0):
        return
    for call in record.calls:
        given = call.inputs[0] if call.inputs else None
        if not isinstance(call.layer.module, nn.RNNBase) or call.layer.module.batch_first:
            continue
        if isinstance(given, Tensor) and given.dim() == 3 and given.shape[0] == examples != given.shape[1] > 1:
            yield Cause("axes-swapped", None, examples, given.shape[1], {"name": call.layer.name})
            return
