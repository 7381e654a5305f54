"""From a recorded pass to a ``GradientFlow``: one ``LayerFlow`` for each of the model's layers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gradcheck.engine.diversity import effective_rank, mean_cosine
from gradcheck.engine.magnitude import LOG10_2, log10_joint_norm, log10_norm, rescaled
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import SATURATED_BELOW, LayerFlow
from gradcheck.torch.graph import (
    ELEMENTWISE,
    Activity,
    Node,
    activity,
    bottlenecks,
    nodes,
    reached_without_softmax,
    source,
)
from gradcheck.torch.layers import EMBEDDINGS, Layer, alive_channels
from gradcheck.torch.probing.hooks import Call, Recording, as_array, version_of

#: Rows (examples or tokens) from which rank and cosine are computed, evenly picked where there are more.
ROWS = 1024

#: A parameter ↦ its gradient; None where none has arrived.
Gradients = dict[Tensor, Tensor | None]


def fans(layer: Layer, call: Call) -> tuple[int, int]:
    """Return a layer's shape as a linear map's: weights of a unit, and units (channels of the output)."""
    units = int(call.output.shape[call.axis]) if call.output.dim() else 1
    weights = sum(weight.numel() for weight in layer.acting)
    return max(1, weights // units), units


def place_calls(record: Recording, root: Tensor, leaves: Sequence[Tensor]) -> None:
    """Note for each call what follows it, whether it scores, and whether all of the signal goes through it."""
    by_node = {call.node: call for call in record.calls if call.node is not None}
    _note_activities(record, root.grad_fn, by_node)
    starts = {torch.autograd.graph.get_gradient_edge(leaf).node for leaf in leaves if leaf.requires_grad}
    starts |= {call.node for call in record.calls if isinstance(call.layer.module, EMBEDDINGS)}
    starts = starts - {None} or {call.node for call in record.calls if call.input_node is None} - {None}
    narrow = bottlenecks(root.grad_fn, starts)
    elsewhere = reached_without_softmax(root.grad_fn)
    scoring = {call for call in record.calls if call.node is not None and call.node not in elsewhere}
    for call in record.calls:
        call.on_trunk = call.node in narrow
        # queries, keys, routers of experts: at the start their scores are nearly alike, and their gradients small,
        # however large the others are; a softmax at the end of the model makes no scores
        call.scores = call in scoring and len(scoring) < len(record.calls)


def _note_activities(record: Recording, root: Node, by_node: Mapping[Node, Call]) -> None:
    """Give each call the activation functions that follow it.

    Between the two there may be a norm, dropout or pooling; after a norm with weights of its own, the activation
    belongs to the norm and to the linear map before it.
    """
    for call in record.calls:
        if call.layer.is_vector and (before := by_node.get(_passed_on(call.input_node, by_node))):
            before.normalized = True
    for node in nodes([root]):
        one = activity(node)
        if one is None:
            continue
        if node in by_node:  # the activation is a part of the layer
            by_node[node].activities.append(one)
        at = node.next_functions[0][0]
        while before := by_node.get(source(at, by_node.__contains__)):
            before.activities.append(one)
            at = before.input_node if before.layer.is_vector else None


def _passed_on(node: Node, by_node: Mapping[Node, Call]) -> Node | None:
    """Return the layer's node whose output arrives at `node`, through activation functions as well."""
    at = source(node, lambda one: one in by_node or one.name() in ELEMENTWISE)
    while at is not None and at not in by_node:
        at = source(at.next_functions[0][0], lambda one: one in by_node or one.name() in ELEMENTWISE)
    return at


def layer_flow(layer: Layer, calls: Sequence[Call], gradients: Gradients, examples: int, shift: int) -> LayerFlow:
    """Measure one layer by its uses, at least one; the gradients are those of 2**shift times the loss.

    Notes
    -----
    δ is the gradient at the output. Of a layer on (examples, features), gradient_rms is the root mean square of its
    entries, as in ``simulate``. Where an example has positions (pixels, tokens, the steps of a recurrence), it is the
    root mean square over the examples of each one's norm ‖δ‖, all positions and channels together: random weights of
    variance 2/fan_in followed by a ReLU, or 1/fan_in, preserve that for any number of channels and positions, while
    the gradient per entry shrinks with the number of positions, and says nothing.
    """
    last = calls[-1]
    activities = [one for call in calls for one in call.activities]
    output = _output(last)
    count = math.log10(examples * (fans(layer, last)[1] if layer.is_flat(last.output, examples) else 1))
    arrived = [one.log10_gradient_norm for one in calls if one.alive is not None]
    unscaled = shift * LOG10_2
    rows = None if output is None else _rows(layer, output)
    return LayerFlow(
        log10_preactivation_std=_pooled([call.log10_std for call in calls]),
        log10_activation_rms=_activation_rms(calls, activities),
        input_cosine=math.nan if rows is None else mean_cosine(rows),
        effective_rank=math.nan if rows is None else effective_rank(rows),
        dead_fraction=_dead_fraction(calls),
        saturated_fraction=_saturated_fraction(activities),
        log10_gradient_rms=log10_joint_norm(arrived) - 0.5 * count - unscaled,
        log10_weight_norm=log10_joint_norm([log10_norm(as_array(weight)) for weight in layer.acting]),
        log10_weight_gradient_norm=weight_gradient_norm(layer, gradients) - unscaled,
    )


def weight_gradient_norm(layer: Layer, gradients: Gradients) -> float:
    """Return log10 of the norm of the gradient of all of a layer's weights; nan where none has arrived."""
    arrived = [gradients.get(weight) for weight in layer.matrices]
    return log10_joint_norm([log10_norm(as_array(one)) for one in arrived if one is not None])


def _pooled(logarithms: Sequence[float]) -> float:
    """Return log10 of the root mean square of several, of equally many entries each."""
    return log10_joint_norm(logarithms) - 0.5 * math.log10(len(logarithms))


def _activation_rms(calls: Sequence[Call], activities: Sequence[Activity]) -> float:
    if len(activities) == len(calls):
        return _pooled([log10_norm(as_array(one.output)) - 0.5 * math.log10(one.output.numel()) for one in activities])
    return _pooled([call.log10_rms for call in calls])


def _output(call: Call) -> Tensor | None:
    """Return what the layer passes on, after its activation; None where that was overwritten."""
    if len(call.activities) == 1:
        return call.activities[0].output
    return call.output if version_of(call.output) == call.version else None


def _rows(layer: Layer, output: Tensor) -> Array:
    """Return (rows, features), free of over- and underflow."""
    rows = layer.rows(output.detach())
    if len(rows) > ROWS:
        rows = rows[torch.linspace(0, len(rows) - 1, ROWS, device=rows.device).long()]
    return rescaled(as_array(rows)).mantissa


def count_rows(layer: Layer, call: Call) -> int:
    """Return how many rows the rank is computed from."""
    return min(ROWS, len(layer.rows(call.output)))


def _dead_fraction(calls: Sequence[Call]) -> float:
    """Return the share of units whose slope is 0 throughout, and which no gradient reaches by another path."""
    shares = []
    for index in range(max(len(call.activities) for call in calls)):
        active = [_active(call, call.activities[index]) for call in calls if len(call.activities) > index]
        if len({len(one) for one in active}) == 1:
            shares.append(float(np.mean(~np.any(active, axis=0))))
    return sum(shares) / len(shares) if shares else math.nan


def _active(call: Call, one: Activity) -> npt.NDArray[np.bool_]:
    """Return which units let anything through an activation: (channels,)."""
    units, shape = call.output.shape, one.slope.shape
    along = bool(units) and len(shape) > call.axis and shape[call.axis] == units[call.axis]
    axis = call.axis if along else len(shape) - 1
    passing: npt.NDArray[np.bool_] = alive_channels(one.slope, axis).cpu().numpy()
    return passing | call.alive if call.alive is not None and len(passing) == len(call.alive) else passing


def _saturated_fraction(activities: Sequence[Activity]) -> float:
    flat = [as_array(one.slope.abs()) < SATURATED_BELOW * one.steepest for one in activities]
    shares = [np.count_nonzero(one) / one.size for one in flat]
    return sum(shares) / len(shares) if shares else math.nan
