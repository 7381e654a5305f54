"""Sequences that a recurrence reads in a way that nobody means: along the examples, or with its state cut off."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import nodes
from gradcheck.torch.layers import is_zero, main_tensor
from gradcheck.torch.probing.hooks import Call, Recording, states_of
from gradcheck.torch.probing.parts import ModelParts
from gradcheck.torch.probing.sequences.traces import several

#: Of fewer steps a state that is cut off may be the start of a part, as in training on parts of a sequence.
STEPS = 3


def judge_states(record: Recording, layers: Mapping[str, int]) -> ModelParts:
    """Return which recurrences get a state without a graph at each step, or none, given layers' numbers by name.

    Where the loss hears of most steps each is trained by itself, which may be meant: backpropagation through time that
    is truncated to one step. Where it hears of the last one alone, what the others kept is never learnt.
    """
    causes = []
    for layer in record.layers():
        calls = record.of(layer)
        if isinstance(layer.module, nn.RNNCellBase | nn.RNNBase) and len(calls) >= STEPS:
            code = "state-detached" if _is_cut_throughout(calls) else "state-not-passed"
            if code == "state-detached" or (all(map(_starts_anew, calls)) and not _passes_by_input(calls)):
                place = (layers[layer.name],) * 2 if layer.name in layers else None
                heard = sum(call.heard for call in calls) > len(calls) / 2
                causes.append(Cause(code, place, len(calls), details={"name": layer.name, "heard": heard}))
    lost = any(one.code == "state-detached" and not one.details["heard"] for one in causes)
    return ModelParts("vanishing" if lost else None, tuple(causes))


def _starts_anew(call: Call) -> bool:
    """Whether a call has a single step and no state, so that a recurrent weight has nothing to act on."""
    module, given = call.layer.module, call.inputs[0] if call.inputs else None
    if isinstance(module, nn.RNNBase):
        if not isinstance(given, Tensor) or given.shape[1 if module.batch_first and given.dim() == 3 else 0] != 1:
            return False
        if module.bidirectional:
            return False
    state = _given(call)
    return state is None or (not state.requires_grad and is_zero(state))


def _passes_by_input(calls: Sequence[Call]) -> bool:
    """Whether a call's input comes of an earlier call's output, so that the state goes on within it."""
    left = {node for call in calls for one in several(call.output) if (node := one.grad_fn) is not None}
    return any(node in left for node in nodes(one.grad_fn for call in calls for one in several(call.inputs[:1])))


def _is_cut_throughout(calls: Sequence[Call]) -> bool:
    """Whether each call gets what the one before left, without its graph."""
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


def find_swapped_tokens(record: Recording, output: object, examples: int) -> Iterator[Cause]:
    """Yield that attention may go along the examples, of a model that answers for each token: (examples, tokens, …).

    A batch of (tokens, examples, …) looks alike, where all of that is meant: further passes have to tell.
    """
    tensor = main_tensor(output)
    if tensor is None or tensor.dim() != 3 or tensor.shape[0] != examples or tensor.shape[1] in (1, examples):
        return
    for call in record.calls:
        module, made = call.layer.module, call.output
        if isinstance(module, nn.MultiheadAttention) and not module.batch_first and made.shape[:2] == tensor.shape[:2]:
            details = {"name": call.layer.name, "tokens": tensor.shape[1]}
            yield Cause("axes-swapped", None, examples, tensor.shape[1], details)
            return


def find_swapped_axes(record: Recording, output: object, targets: object, examples: int) -> Iterator[Cause]:
    """Yield that a recurrence or attention goes along the examples, which outputs and targets have a row for each of.

    Not of a single sequence, whose steps may well be what is to be told apart.
    """
    tensor = main_tensor(output)
    if tensor is None or tensor.dim() not in (1, 2) or not isinstance(targets, Tensor) or targets.dim() > 2:
        return
    if not len(tensor) == examples == (targets.shape[0] if targets.dim() else 0):
        return
    of_steps = targets.dim() == tensor.dim() == 2  # perhaps (steps, examples), a number for each step of each example
    width = tensor.shape[1] if of_steps else 0
    for call in record.calls:
        attends = isinstance(call.layer.module, nn.MultiheadAttention)  # its output has the shape of its queries
        given = call.output if attends else call.inputs[0] if call.inputs else None
        if not (attends or isinstance(call.layer.module, nn.RNNBase)) or call.layer.module.batch_first:
            continue
        if not isinstance(given, Tensor) or given.dim() != 3 or given.shape[0] != examples:
            continue
        if given.shape[1] not in (1, examples, width):
            yield Cause("axes-swapped", None, examples, given.shape[1], {"name": call.layer.name})
            return
