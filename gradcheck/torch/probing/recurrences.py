"""Recurrences step by step: how far back in time the gradient goes, and how the gates stand.

PyTorch's recurrent modules run all their steps at once. A few examples of the batch go through the same equations once
more here, one step after the other, by the module's own weights; dropout between its layers is left out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from gradcheck.engine.magnitude import log10_norm
from gradcheck.flow.gradient_flow import SATURATED_BELOW
from gradcheck.torch.probing.hooks import Call, Recording, as_array, states_of
from gradcheck.torch.probing.measuring import Gradients

#: Examples that are gone through once more: what a step costs hardly depends on their number.
EXAMPLES = 8

#: Longer sequences are left alone.
STEPS = 2000

#: A cell whose states are those that it left itself agrees with its equations up to this.
CLOSE = 1e-3

#: |z| beyond which the slope of a function is below SATURATED_BELOW of its largest; that of a ReLU never is.
SATURATED: dict[Callable[[Tensor], Tensor], float] = {
    torch.sigmoid: math.acosh(2 / SATURATED_BELOW - 1),
    torch.tanh: math.acosh(SATURATED_BELOW**-0.5),
    torch.relu: math.inf,
}

#: The gates of each kind of cell, in the order of PyTorch's weights.
GATES: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
    "LSTM": {"input": torch.sigmoid, "forget": torch.sigmoid, "cell": torch.tanh, "output": torch.sigmoid},
    "GRU": {"reset": torch.sigmoid, "update": torch.sigmoid, "new": torch.tanh},
    "RNN_TANH": {"hidden": torch.tanh},
    "RNN_RELU": {"hidden": torch.relu},
}

#: The kinds of PyTorch's cells; an RNNCell's depends on its function.
CELLS: dict[type[nn.Module], str] = {nn.LSTMCell: "LSTM", nn.GRUCell: "GRU"}


class Gate(NamedTuple):
    """One gate over all steps, units and examples."""

    name: str
    largest: float  # of its values
    saturated: float  # share of its entries
    saturated_by_inputs: float  # the share that W x alone would saturate


class Recurrence(NamedTuple):
    """A cell, or a layer of a recurrent module in one direction."""

    module: str
    part: str  # as in the names of the module's weights: ``l0``, ``l0_reverse``; empty for a cell
    kind: str
    steps: int
    decades: float  # log10 of ‖∂loss/∂h‖ at the first step with a gradient over that at the last one; nan without any
    gain: float  # by what factor a gradient at the last state changes from step to step on its way back to the first
    gates: tuple[Gate, ...]
    input_rms: float


class Unrolled(NamedTuple):
    """A pass through all steps: lists in the order of processing."""

    part: str
    states: list[Tensor]  # h, (examples, units) each
    cell: Tensor  # the last c, of an LSTM
    z: Tensor  # (steps, examples, gates × units)
    from_inputs: Tensor  # of z what W x is, of the same shape


def kept_for_recurrences(record: Recording) -> list[Tensor]:
    """Return the outputs and last states of recurrent modules: ``find_recurrences`` needs their gradients."""
    calls = (call for call in record.calls if call.returned is not None)
    return [one for call in calls for one in (_data(call.returned[0]), *states_of(call.returned)) if one.requires_grad]


def find_recurrences(record: Recording, gradients: Gradients) -> tuple[Recurrence, ...]:
    """Measure each recurrence of a pass."""
    found: list[Recurrence] = []
    for layer in record.layers():
        calls = [call for call in record.of(layer) if call.inputs]
        with torch.enable_grad():
            if calls and isinstance(layer.module, nn.RNNCellBase):
                found += _of_cell(layer.name, layer.module, calls)
            elif calls and isinstance(layer.module, nn.RNNBase):
                found += _of_module(layer.name, layer.module, calls[-1], gradients)
    return tuple(found)


def _of_module(name: str, module: nn.RNNBase, call: Call, gradients: Gradients) -> Iterator[Recurrence]:
    """Yield what each layer and direction of a module does, in one use of it."""
    x, chosen = _steps(call.inputs[0], module)
    if len(x) > STEPS:
        return
    start = [_pick(one, chosen) for one in _several(call.inputs[1] if len(call.inputs) > 1 else None)]
    passes = list(_unrolled(module, x, start))
    last = passes[-2:] if module.bidirectional else passes[-1:]
    ends = [torch.cat([torch.stack(_in_time(one)) for one in last], -1)]
    ends.append(torch.stack([one.states[-1] for one in passes]))
    ends += [torch.stack([one.cell for one in passes])] if module.mode == "LSTM" else []
    deltas = _deltas(call, module, chosen, gradients)
    scored = [(end * delta).sum() for end, delta in zip(ends, deltas, strict=True) if delta is not None]
    for one in passes:
        yield _recurrence(name, module.mode, one, _norms(scored, one.states), x)


def _of_cell(name: str, module: nn.RNNCellBase, calls: Sequence[Call]) -> Iterator[Recurrence]:
    """Yield what a cell does that is called once a step, where each step gets the state that the one before left."""
    kind = CELLS.get(type(module)) or f"RNN_{module.nonlinearity.upper()}"
    given = [call.inputs[0] for call in calls]
    if len(calls) > STEPS or len({one.shape for one in given}) > 1 or given[0].dim() != 2:
        return
    chosen = _spread(len(given[0]))
    start = [_pick(one[None], chosen)[0] for one in _several(calls[0].inputs[1] if len(calls[0].inputs) > 1 else None)]
    one = _unroll(kind, dict(module.named_parameters()), _pick(torch.stack(given), chosen), start)
    there = _pick(torch.stack([call.output for call in calls]), chosen)
    if not torch.allclose(torch.stack(one.states), there, CLOSE, CLOSE):
        return
    yield _recurrence(name, kind, one, [call.log10_gradient_norm for call in calls], torch.stack(given))


def _recurrence(name: str, kind: str, one: Unrolled, norms: Sequence[float], x: Tensor) -> Recurrence:
    """Return what the steps of a recurrence show, given log10 of the norms of the loss's gradient at each."""
    _, decades = _course(norms)
    direction = torch.randn(one.states[-1].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    steps, lost = _course(_norms([(one.states[-1] * direction).sum()], one.states))
    gain = 10 ** (lost / steps) if steps else math.nan
    size = float(x.detach().double().square().mean().sqrt())
    return Recurrence(name, one.part, kind, len(one.states), decades, gain, _measured(kind, one), size)


def _norms(scored: Sequence[Tensor], states: Sequence[Tensor]) -> list[float]:
    """Return log10 of the norm of the gradient at each state; -inf where there is none."""
    if not scored:
        return [-math.inf] * len(states)
    deltas = torch.autograd.grad([*scored], states, allow_unused=True, retain_graph=True)
    return [-math.inf if delta is None else log10_norm(as_array(delta)) for delta in deltas]


def _course(norms: Sequence[float]) -> tuple[int, float]:
    """Return how many steps lie between the first gradient that isn't zero and the last, and log10 of their ratio."""
    heard = [step for step, norm in enumerate(norms) if math.isfinite(norm)]
    return (heard[-1] - heard[0], norms[heard[0]] - norms[heard[-1]]) if heard else (0, math.nan)


def _measured(kind: str, one: Unrolled) -> tuple[Gate, ...]:
    """Return how a cell's gates stand."""
    gates = GATES[kind]
    rows = zip(
        gates.items(), one.z.detach().chunk(len(gates), -1), one.from_inputs.detach().chunk(len(gates), -1), strict=True
    )
    return tuple(
        Gate(name, float(function(z).max()), _beyond(z, SATURATED[function]), _beyond(inputs, SATURATED[function]))
        for (name, function), z, inputs in rows
    )


def _beyond(z: Tensor, limit: float) -> float:
    return float((z.abs() > limit).double().mean())


def _unrolled(module: nn.RNNBase, x: Tensor, start: Sequence[Tensor]) -> Iterator[Unrolled]:
    """Go through a module's layers and directions, given its inputs and, of each, the first states."""
    directions = 2 if module.bidirectional else 1
    for layer in range(module.num_layers):
        outputs = []
        for direction in range(directions):
            at = layer * directions + direction
            own = {name.partition("_l")[0]: getattr(module, name) for name in module._all_weights[at]}
            one = _unroll(module.mode, own, x.flip(0) if direction else x, [states[at] for states in start])
            one = one._replace(part=f"l{layer}" + "_reverse" * direction)
            outputs.append(torch.stack(_in_time(one)))
            yield one
        x = torch.cat(outputs, -1)


def _unroll(kind: str, parameters: Mapping[str, Tensor], x: Tensor, start: Sequence[Tensor]) -> Unrolled:
    """Go through the steps of one layer in one direction."""
    weights = {name: one.detach().cpu().double() for name, one in parameters.items()}
    units = weights["weight_hh"].shape[0] // len(GATES[kind])
    hidden = start[0] if start else x.new_zeros(x.shape[1], weights["weight_hh"].shape[1])
    cell = start[1] if len(start) > 1 else x.new_zeros(x.shape[1], units)
    hidden = hidden.requires_grad_()
    states, every = [], []
    from_inputs = functional.linear(x, weights["weight_ih"])
    for along in from_inputs + weights.get("bias_ih", 0):
        z = _gates(kind, along, functional.linear(hidden, weights["weight_hh"], weights.get("bias_hh")))
        every.append(z)
        hidden, cell = _next(kind, z, hidden, cell)
        if "weight_hr" in weights:
            hidden = functional.linear(hidden, weights["weight_hr"])
        states.append(hidden)
    return Unrolled("", states, cell, torch.stack(every), from_inputs)


def _gates(kind: str, along: Tensor, across: Tensor) -> Tensor:
    """Return the gates' pre-activations, given what comes from the inputs and from the state before."""
    if kind != "GRU":
        return along + across
    (reset, update, new), (of_reset, of_update, of_new) = along.chunk(3, -1), across.chunk(3, -1)
    return torch.cat([reset + of_reset, update + of_update, new + torch.sigmoid(reset + of_reset) * of_new], -1)


def _next(kind: str, z: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return the state after a step, and an LSTM's cell."""
    gates = [function(one) for function, one in zip(GATES[kind].values(), z.chunk(len(GATES[kind]), -1), strict=True)]
    if kind == "LSTM":
        cell = gates[1] * cell + gates[0] * gates[2]
        return gates[3] * torch.tanh(cell), cell
    if kind == "GRU":
        return (1 - gates[1]) * gates[2] + gates[1] * hidden, cell
    return gates[0], cell


def _in_time(one: Unrolled) -> list[Tensor]:
    return one.states[::-1] if one.part.endswith("_reverse") else one.states


def _several(value: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
    """Return an LSTM's two states, another cell's one, or none."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _data(value: Tensor | PackedSequence) -> Tensor:
    return value.data if isinstance(value, PackedSequence) else value


def _steps(value: Any, module: nn.RNNBase) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Return (steps, examples, features) of a few examples of full length, and which these are."""
    if isinstance(value, PackedSequence):
        padded, lengths = pad_packed_sequence(value)
        whole = (lengths == lengths.max()).nonzero()[:, 0]
        chosen = whole[_spread(len(whole))]
    else:
        padded = value[:, None] if value.dim() == 2 else value.transpose(0, 1) if module.batch_first else value
        chosen = _spread(padded.shape[1])
    return _pick(padded, chosen), chosen


def _spread(examples: int) -> Tensor:
    """Return a few of so many examples, evenly spread."""
    return torch.linspace(0, examples - 1, min(EXAMPLES, examples)).long()


def _pick(value: Tensor, chosen: Tensor) -> Tensor:
    """Return a few examples, of (…, examples, features), in double precision, which not every device has."""
    value = value[:, None] if value.dim() == 2 else value
    return value.detach().cpu()[:, chosen].double()


def _deltas(call: Call, module: nn.RNNBase, chosen: Tensor, gradients: Gradients) -> list[Tensor | None]:
    """Return the gradients at the output and at the last states, of a few examples."""
    output = call.returned[0]
    delta = gradients.get(_data(output))
    if delta is not None:
        packed = output._replace(data=delta) if isinstance(output, PackedSequence) else delta
        whole = pad_packed_sequence(packed)[0] if isinstance(packed, PackedSequence) else packed
        across = module.batch_first and whole.dim() == 3 and not isinstance(packed, PackedSequence)
        delta = _pick(whole.transpose(0, 1) if across else whole, chosen)
    found = (gradients.get(one) for one in states_of(call.returned))
    return [delta, *(None if one is None else _pick(one, chosen) for one in found)]
