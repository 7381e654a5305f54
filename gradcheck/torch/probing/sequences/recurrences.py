"""Recurrences step by step: how far back in time the gradient goes, and how the gates stand.

PyTorch's recurrent modules run all their steps at once. A few examples of the batch go through the engine's cells once
more here, one step after the other, by the module's own weights; dropout between its layers is drawn anew.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.cells import CELLS, GATE
from gradcheck.engine.diversity import effective_rank
from gradcheck.engine.magnitude import log10_norm
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import SATURATED_BELOW
from gradcheck.torch.probing.hooks import Call, Recording, states_of
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.parts import Gate, Recurrence
from gradcheck.torch.probing.sequences.traces import (
    as_double,
    data_of,
    deltas_of,
    pick,
    several,
    spread,
    steps_of,
    weights_of,
)
from gradcheck.torch.probing.sequences.unrolling import KINDS, Unrolled, unroll, unrolled

#: Longer sequences are left alone.
STEPS = 2000

#: A cell whose states are those that it left itself agrees with its equations up to this.
CLOSE = 1e-3

#: The kinds of PyTorch's cells; an RNNCell's depends on its function.
OF_CELLS: dict[type[nn.Module], str] = {nn.LSTMCell: "LSTM", nn.GRUCell: "GRU"}

#: |z| beyond which the slope of a function is below SATURATED_BELOW of its largest; that of a ReLU never is.
SATURATED = {
    "sigmoid": math.acosh(2 / SATURATED_BELOW - 1),
    "tanh": math.acosh(SATURATED_BELOW**-0.5),
    "relu": math.inf,
}


class Course(NamedTuple):
    """A gradient on its way back through all steps."""

    norms: list[float]  # log10 of that at h after each step
    at_inputs: Array  # (steps, examples, features), or without steps where nobody asks


def kept_for_recurrences(record: Recording) -> list[Tensor]:
    """Return the outputs and last states of recurrent modules: ``find_recurrences`` needs their gradients."""
    calls = (call for call in record.calls if call.returned is not None)
    found = (one for call in calls for one in (data_of(call.returned[0]), *states_of(call.returned)))
    return [one for one in found if one.requires_grad]


def find_recurrences(record: Recording, gradients: Gradients) -> tuple[Recurrence, ...]:
    """Measure each recurrence of a pass."""
    found: list[Recurrence] = []
    for layer in record.layers():
        calls = [call for call in record.of(layer) if call.inputs]
        with np.errstate(all="ignore"):
            if calls and isinstance(layer.module, nn.RNNCellBase):
                found += _of_cell(layer.name, layer.module, calls)
            elif calls and isinstance(layer.module, nn.RNNBase):
                of_all = _of_calls(layer.name, layer.module, calls, gradients) if len(calls) > 1 else None
                found += _of_module(layer.name, layer.module, calls[-1], gradients) if of_all is None else [of_all]
    return tuple(found)


def rank_of_sums(record: Recording) -> float:
    """Return the rank of the examples in what a recurrence adds up that starts as the identity; inf without one.

    The state of such a recurrence of ReLUs (Le, Jaitly & Hinton 2015) is one of its inputs' sum, until training has
    changed its weights: examples with the same sum look alike, as in the adding problem.
    """
    call = record.calls[0]
    module, given = call.layer.module, call.inputs[0] if call.inputs else None
    if not isinstance(module, nn.RNN) or module.mode != "RNN_RELU" or not isinstance(given, Tensor) or given.dim() != 3:
        return math.inf
    weight = module.weight_hh_l0.detach()
    kept = float(weight.diagonal().mean())
    if not torch.allclose(weight, kept * torch.eye(len(weight)).to(weight), atol=1e-6):
        return math.inf
    steps = (given.transpose(0, 1) if module.batch_first else given).detach().cpu().double()
    shares = kept ** torch.arange(len(steps) - 1, -1, -1, dtype=torch.float64)
    return effective_rank(torch.einsum("t,tef->ef", shares, steps).numpy())


def find_long(record: Recording) -> dict[str, int]:
    """Return the recurrent modules with more steps than are gone through, and how many these are."""
    found: dict[str, int] = {}
    for layer in record.layers():
        calls = [call for call in record.of(layer) if call.inputs]
        if calls:
            own = isinstance(layer.module, nn.RNNBase) and len(calls) == 1
            steps = len(steps_of(calls[0].inputs[0], layer.module)[0]) if own else len(calls)
            found |= {layer.name: steps} if steps > STEPS else {}
    return found


def _of_module(name: str, module: nn.RNNBase, call: Call, gradients: Gradients) -> Iterator[Recurrence]:
    """Yield what each layer and direction of a module does, in one use of it."""
    x, chosen = steps_of(call.inputs[0], module)
    if len(x) > STEPS:
        return
    start = [pick(one, chosen) for one in several(call.inputs[1] if len(call.inputs) > 1 else None)]
    passes = list(unrolled(module, x, start))
    courses = _courses(passes, deltas_of(call, module, chosen, gradients), 2 if module.bidirectional else 1)
    for one, course in zip(passes, courses, strict=True):
        yield _recurrence(name, one, course.norms, x)


def _courses(passes: Sequence[Unrolled], deltas: Sequence[Array | None], directions: int) -> list[Course]:
    """Return how the loss's gradient goes back through all layers, given that at the outputs and the last states."""
    at_outputs, ends, courses = deltas[0], deltas[1:], list[Course]()
    for last in range(len(passes), 0, -directions):
        parts = range(last - directions, last)
        along = [None] * directions if at_outputs is None else np.split(at_outputs, directions, axis=-1)
        layer = []
        for at, delta in zip(parts, along, strict=True):
            reverse = passes[at].part.endswith("_reverse")
            own = delta[::-1] if reverse and delta is not None else delta
            at_ends = [None if end is None else end[at] for end in ends]
            course = _back(passes[at], own, at_ends, to_inputs=last > directions)  # those of the layer before
            layer.append(course._replace(at_inputs=course.at_inputs[::-1]) if reverse else course)
        at_outputs = np.sum([course.at_inputs for course in layer], axis=0) * passes[last - 1].kept
        courses = [*layer, *courses]
    return courses


def _back(one: Unrolled, at_outputs: Array | None, ends: Sequence[Array | None], *, to_inputs: bool = False) -> Course:
    """Send a gradient back through the steps, given that at h after each, at the last h and at the last c."""
    weights, width = one.weights, one.steps[0].state.shape[1] // CELLS[KINDS[one.kind][0]].states
    at_hidden, at_state = np.zeros(one.hidden[0].shape), np.zeros(one.steps[0].state.shape)
    for place, end in zip((at_hidden, at_state[:, width:]), ends, strict=False):
        place += 0.0 if end is None else end
    norms, at_inputs = [], np.empty((len(one.steps) * to_inputs, len(at_hidden), weights["weight_ih"].shape[1]))
    for step in range(len(one.steps) - 1, -1, -1):
        at_hidden = at_hidden if at_outputs is None else at_hidden + at_outputs[step]
        norms.append(log10_norm(at_hidden))
        at_state[:, :width] = at_hidden @ weights["weight_hr"] if "weight_hr" in weights else at_hidden
        at_z, around, at_product = one.steps[step].pullback(at_state)
        if to_inputs:
            at_inputs[step] = at_z @ weights["weight_ih"]
        at_hidden, at_state = at_product @ weights["weight_hh"], np.zeros(at_state.shape)
        if around is not None and width < around.shape[1]:
            at_state[:, width:] = around[:, width:]
        elif around is not None:
            at_hidden = at_hidden + around
    return Course(norms[::-1], at_inputs)


def _of_calls(name: str, module: nn.RNNBase, calls: Sequence[Call], gradients: Gradients) -> Recurrence | None:
    """Return what a module of one layer does that is called once a step, as decoders are; None of any other."""
    parts = [steps_of(call.inputs[0], module) for call in calls]
    if len(calls) > STEPS or module.num_layers * (1 + module.bidirectional) > 1:
        return None
    if {part[0].shape for part in parts} != {(1, *parts[0][0].shape[1:])}:
        return None
    chosen = parts[0][1]
    start = [pick(one, chosen) for one in several(calls[0].inputs[1] if len(calls[0].inputs) > 1 else None)]
    [one] = unrolled(module, np.concatenate([x for x, _ in parts]), start)
    there = [pick(states_of(call.returned)[0], chosen)[0] for call in calls]
    if not np.allclose(one.hidden, there, CLOSE, CLOSE):
        return None
    deltas = [deltas_of(call, module, chosen, gradients)[:2] for call in calls]  # at the output, and at h itself
    sums = [np.sum([delta[0] for delta in pair if delta is not None], axis=0) for pair in deltas]
    norms = [log10_norm(total) if total.ndim else -math.inf for total in sums]
    return _recurrence(name, one, norms, np.concatenate([x for x, _ in parts]))


def _of_cell(name: str, module: nn.RNNCellBase, calls: Sequence[Call]) -> Iterator[Recurrence]:
    """Yield what a cell does that is called once a step, where each step gets the state that the one before left."""
    kind = OF_CELLS.get(type(module)) or f"RNN_{module.nonlinearity.upper()}"
    given = [call.inputs[0] for call in calls]
    if len(calls) > STEPS or len({one.shape for one in given}) > 1 or given[0].dim() != 2:
        return
    chosen = spread(len(given[0]))
    start = [pick(one[None], chosen)[0] for one in several(calls[0].inputs[1] if len(calls[0].inputs) > 1 else None)]
    one = unroll(kind, weights_of(dict(module.named_parameters())), pick(torch.stack(given), chosen), start)
    there = pick(torch.stack([call.output for call in calls]), chosen)
    if np.allclose(one.hidden, there, CLOSE, CLOSE):
        yield _recurrence(name, one, [call.log10_gradient_norm for call in calls], as_double(torch.stack(given)))


def _recurrence(name: str, one: Unrolled, norms: Sequence[float], x: Array) -> Recurrence:
    """Return what the steps of a recurrence show, given log10 of the norms of the loss's gradient at each."""
    _, decades = _course(norms)
    direction = np.random.default_rng(0).standard_normal(one.hidden[-1].shape)
    steps, lost = _course(_back(one, None, [direction]).norms)
    gain = 10 ** (lost / steps) if steps else math.nan
    size = math.sqrt(float(np.mean(np.square(x))))
    units = one.hidden[-1].shape[1]
    return Recurrence(name, one.part, one.kind, units, len(one.steps), decades, gain, _measured(one), size)


def _course(norms: Sequence[float]) -> tuple[int, float]:
    """Return how many steps lie between the first gradient that isn't zero and the last, and log10 of their ratio."""
    heard = [step for step, norm in enumerate(norms) if math.isfinite(norm)]
    return (heard[-1] - heard[0], norms[heard[0]] - norms[heard[-1]]) if heard else (0, math.nan)


def _measured(one: Unrolled) -> tuple[Gate, ...]:
    """Return how a cell's gates stand."""
    cell, activation = CELLS[KINDS[one.kind][0]], KINDS[one.kind][1]
    z = np.split(np.stack([step.preactivation for step in one.steps]), len(cell.gates), axis=-1)
    by_inputs = np.split(one.from_inputs, len(cell.gates), axis=-1)
    steepest = cell.steepest or (None,)
    functions = ["sigmoid" if largest == GATE else activation for largest in steepest]
    return tuple(
        Gate(name, _largest(own, function), _beyond(own, function), _beyond(inputs, function))
        for name, function, own, inputs in zip(cell.gates, functions, z, by_inputs, strict=True)
    )


def _largest(z: Array, function: str) -> float:
    return float(ACTIVATIONS[function](z.max(keepdims=True))[0].max())  # none of them falls


def _beyond(z: Array, function: str) -> float:
    return float(np.mean(np.abs(z) > SATURATED[function]))
