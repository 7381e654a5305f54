"""From a recorded pass to a ``GradientFlow``: one ``LayerFlow`` for each of the model's layers."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gradcheck.engine.diversity import effective_rank, mean_cosine
from gradcheck.engine.magnitude import LOG10_2, log10_joint_norm, log10_norm, log10_rms, rescaled
from gradcheck.engine.types import Array
from gradcheck.flow.gradient_flow import SATURATED_BELOW, LayerFlow
from gradcheck.torch.graph import Activity, Node, activity, beside_scores, bottlenecks, nodes, source
from gradcheck.torch.layers import EMBEDDINGS, Layer, by_channel
from gradcheck.torch.probing.hooks import Call, Recording, as_array

#: Rows, examples or tokens, that rank and cosine are taken of, evenly picked from more.
ROWS = 1024

#: Which units: (channels,).
Units = npt.NDArray[np.bool_]

#: A parameter ↦ its gradient; None where none has come.
Gradients = dict[Tensor, Tensor | None]


class Fans(NamedTuple):
    """The shape of a layer's weights as those of a linear map.

    Attributes
    ----------
    fan_in : int
        Weights of a unit.
    fan_out : int
        Units: channels of the output.
    """

    fan_in: int
    fan_out: int


def fans(layer: Layer, call: Call) -> Fans:
    """Return a layer's units, and how many weights each has."""
    units = int(call.output.shape[call.axis]) if call.output.dim() else 1
    weights = sum(weight.numel() for weight in layer.matrices)
    return Fans(max(1, weights // units), units)


def activities(record: Recording, root: Node) -> dict[Call, list[Activity]]:
    """Return the activation functions that follow each call, before the graph is let go of.

    Between the two may stand a norm, dropout or pooling; behind a norm with weights of its own, the activation is
    that of the norm and of the linear map before it.
    """
    by_node = {call.node: call for call in record.calls if call.node is not None}
    for call in record.calls:
        if call.layer.is_vector and (before := by_node.get(source(call.input_node, by_node.__contains__))):
            before.normalized = True
    found: dict[Call, list[Activity]] = {}
    for node in nodes(root):
        one = activity(node)
        if one is None:
            continue
        inputs = node.next_functions[0][0]
        behind = by_node.get(source(inputs, by_node.__contains__))
        if node in by_node:  # the activation is a part of the layer
            found.setdefault(by_node[node], []).append(one)
        while behind is not None:
            found.setdefault(behind, []).append(one)
            norm = behind.layer.is_vector
            behind = by_node.get(source(behind.input_node, by_node.__contains__)) if norm else None
    return found


def on_trunk(record: Recording, root: Tensor, leaves: Sequence[Tensor]) -> set[Call]:
    """Return the calls that all of the signal goes through, from the inputs (or their embedding) to the loss."""
    at_leaves = {torch.autograd.graph.get_gradient_edge(leaf).node for leaf in leaves}
    embedded = {call.node for call in record.calls if isinstance(call.layer.module, EMBEDDINGS)}
    narrow = bottlenecks(root.grad_fn, (at_leaves | embedded) - {None})
    return {call for call in record.calls if call.node in narrow}


def scoring(record: Recording, root: Node) -> set[Call]:
    """Return the calls whose outputs reach the loss by a softmax only: queries, keys, routers of experts.

    At the start their scores are nearly alike, and the gradient that comes to them small, whatever comes to the others.
    """
    beside = beside_scores(root)
    found = {call for call in record.calls if call.node is not None and call.node not in beside}
    return found if len(found) < len(record.calls) else set()  # a softmax at the end of the model leaves none beside


def layer_flow(
    layer: Layer,
    calls: Sequence[Call],
    following: dict[Call, list[Activity]],
    gradients: Gradients,
    examples: int,
    shift: int,
) -> LayerFlow:
    """Measure one layer.

    Parameters
    ----------
    layer : Layer
    calls : sequence of Call
        Its uses, at least one: the steps of a recurrence belong together.
    following : mapping
        The activation functions behind them.
    gradients : Gradients
    examples : int
        In the batch.
    shift : int
        The gradients are those of 2**shift times the loss.

    Notes
    -----
    δ is the gradient at the output. Of a layer on (examples, features), gradient_rms is the root mean square of its
    entries, as in ``simulate``. Where an example has positions (pixels, tokens, the steps of a recurrence), it is the
    root mean square over the examples of each one's norm ‖δ‖, all positions and channels together: random weights of
    variance 2/fan_in followed by a ReLU, or 1/fan_in, pass that on whatever their channels and positions are, while
    the gradient per entry shrinks with the number of positions, and says nothing.
    """
    last = calls[-1]
    behind = [one for call in calls for one in following.get(call, [])]
    output = _output(last, following.get(last, []))
    count = math.log10(examples * (fans(layer, last).fan_out if layer.is_flat(last.output, examples) else 1))
    at_weights = [gradients.get(weight) for weight in layer.matrices]
    unscaled = shift * LOG10_2
    rows = None if output is None else _rows(layer, output)
    return LayerFlow(
        log10_preactivation_std=_pooled([call.log10_std for call in calls]),
        log10_activation_rms=_activation_rms(calls, behind),
        input_cosine=math.nan if rows is None else mean_cosine(rows),
        effective_rank=math.nan if rows is None else effective_rank(rows),
        dead_fraction=_dead_fraction(calls, following),
        saturated_fraction=_saturated_fraction(behind),
        log10_gradient_rms=gradient_norm(calls) - 0.5 * count - unscaled,
        log10_weight_norm=log10_joint_norm([log10_norm(as_array(weight)) for weight in layer.matrices]),
        log10_weight_gradient_norm=weight_gradient_norm(at_weights) - unscaled,
    )


def gradient_norm(calls: Sequence[Call]) -> float:
    """Return log10 of the norm of δ, all uses as one; nan where none has come."""
    return log10_joint_norm([one.log10_gradient_norm for one in calls if one.alive is not None])


def weight_gradient_norm(gradients: Iterable[Tensor | None]) -> float:
    """Return log10 of the norm of several gradients as one; nan where there are none."""
    return log10_joint_norm([log10_norm(as_array(one)) for one in gradients if one is not None])


def _pooled(logarithms: Sequence[float]) -> float:
    """Return log10 of the root mean square of several, of equally many entries each."""
    return log10_joint_norm(logarithms) - 0.5 * math.log10(len(logarithms))


def _activation_rms(calls: Sequence[Call], behind: Sequence[Activity]) -> float:
    if len(behind) == len(calls):
        return _pooled([log10_rms(rescaled(as_array(one.output))) for one in behind])
    return _pooled([call.log10_rms for call in calls])


def _output(call: Call, behind: Sequence[Activity]) -> Tensor | None:
    """Return what the layer hands on, behind its activation; None where that was overwritten."""
    if len(behind) == 1:
        return behind[0].output
    return call.output if call.output._version == call.version else None


def _rows(layer: Layer, output: Tensor) -> Array:
    """Return (rows, features), free of over- and underflow."""
    rows = layer.rows(output.detach())
    if len(rows) > ROWS:
        rows = rows[torch.linspace(0, len(rows) - 1, ROWS, device=rows.device).long()]
    return rescaled(as_array(rows)).mantissa


def count_rows(layer: Layer, call: Call) -> int:
    """Return how many rows the rank is taken of."""
    return min(ROWS, len(layer.rows(call.output)))


def _dead_fraction(calls: Sequence[Call], following: dict[Call, list[Activity]]) -> float:
    """Return the share of units whose slope is 0 throughout, and that no gradient passes by another way."""
    shares = []
    columns = max((len(following.get(call, ())) for call in calls), default=0)
    for index in range(columns):
        active = [_active(call, following[call][index]) for call in calls if len(following.get(call, ())) > index]
        if len({len(one) for one in active}) == 1:
            shares.append(float(np.mean(~np.any(active, axis=0))))
    return sum(shares) / len(shares) if shares else math.nan


def _active(call: Call, one: Activity) -> Units:
    """Return which units an activation passes anything through: (channels,)."""
    units, shape = call.output.shape[call.axis], one.slope.shape
    axis = call.axis if len(shape) > call.axis and shape[call.axis] == units else len(shape) - 1
    passing: Units = by_channel(one.slope != 0, axis).any(0).cpu().numpy()
    if call.alive is not None and len(passing) == len(call.alive):
        return passing | call.alive
    return passing


def _saturated_fraction(behind: Sequence[Activity]) -> float:
    shares = [float((one.slope.abs() < SATURATED_BELOW * one.steepest).double().mean()) for one in behind]
    return sum(shares) / len(shares) if shares else math.nan
