"""From a recorded pass to a ``GradientFlow``: one ``LayerFlow`` for each of the model's layers."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.engine.diversity import Diversity, measure_diversity
from gradcheck.engine.magnitude import LOG10_2, log10_joint_norm, log10_norm, rescaled
from gradcheck.flow.layer_flow import SATURATED_BELOW, LayerFlow
from gradcheck.probing import measuring
from gradcheck.probing.measuring import Response
from gradcheck.probing.paths import bottlenecks, ends_beyond
from gradcheck.torch.graph import (
    ELEMENTWISE,
    Activity,
    Graph,
    Node,
    activity,
    reached_without_softmax,
    source,
)
from gradcheck.torch.layers import EMBEDDINGS, Layer, alive_of_sizes
from gradcheck.torch.probing.hooks import Call, Recording, as_array, version_of

#: A parameter ↦ its gradient; None where none has arrived.
Gradients = dict[Tensor, Tensor | None]

#: A parameter ↦ log10 of the norm of its gradient, where one has arrived.
Norms = dict[Tensor, float]


def fans(layer: Layer, call: Call) -> tuple[int, int]:
    """Return a layer's shape as a linear map's: weights of a unit, and units (channels of the output)."""
    units = units_of(call)
    weights = sum(weight.numel() for weight in layer.acting)
    return max(1, weights // units), units


def units_of(call: Call) -> int:
    """Return how many units a layer has, or channels; without an axis of its own it gives one number an example."""
    return int(call.output.shape[call.axis]) if call.output.dim() > 1 else 1


def place_calls(record: Recording, graph: Graph, root: Tensor, leaves: Sequence[Tensor], examples: int) -> None:
    """Note for each call what follows it, where that ends, whether it scores, and all of the signal goes through it."""
    note_responses(record, graph, root.grad_fn, examples)
    starts = {torch.autograd.graph.get_gradient_edge(leaf).node for leaf in leaves if leaf.requires_grad}
    starts |= {call.node for call in record.calls if isinstance(call.layer.module, EMBEDDINGS)}
    starts = starts - {None} or {call.node for call in record.calls if call.input_node is None} - {None}
    narrow = bottlenecks(graph, root.grad_fn, starts)
    elsewhere = reached_without_softmax(graph, root.grad_fn)
    scoring = {call for call in record.calls if call.node is not None and call.node not in elsewhere}
    ends = _shared_ends(record, graph, root.grad_fn)
    for call in record.calls:
        call.on_trunk, call.ends = call.node in narrow, ends.get(call.node, 0)
        # queries, keys, routers of experts: at the start their scores are nearly alike, and their gradients small,
        # however large the others are; a softmax at the end of the model makes no scores
        call.scores = call in scoring and len(scoring) < len(record.calls)
    for call in ends_of_trunk(record):
        call.examples = examples


def ends_of_trunk(record: Recording) -> list[Call]:
    """Return the first and the last use of a layer that all of the signal goes through; nothing where these are one."""
    calls = [call for call in record.calls if call.on_trunk and call.output.dim() > 1]
    return [calls[0], calls[-1]] if len(calls) > 1 else []


def unheard(record: Recording) -> float:
    """Return the share of the examples whose gradient reaches the end of a model and not its start; nan if unknown."""
    ends = ends_of_trunk(record)
    return ends[0].unheard - ends[1].unheard if ends else math.nan


def _shared_ends(record: Recording, graph: Graph, root: Node) -> dict[Node, int]:
    """Return for each node at which uses of a layer that ends the model more than once its signal arrives, in bits."""
    if all(len(calls) == 1 for calls in record.by_layer.values()):
        return {}
    by_node = {call.node: call.layer for call in record.calls if call.node is not None}
    ends, found = ends_beyond(graph, root, {*by_node})
    uses = Counter(by_node[node] for node in ends)
    shared = sum(1 << number for number, node in enumerate(ends) if uses[by_node[node]] > 1)
    return {node: at & shared for node, at in found.items()} if shared else {}


def note_responses(record: Recording, graph: Graph, root: Node, examples: int) -> None:
    """Measure for each call the activation functions that follow it.

    Between the two there may be a norm, dropout or pooling; after a norm with weights of its own, the activation
    belongs to the norm and to the linear map before it.
    """
    by_node = {call.node: call for call in record.calls if call.node is not None}
    for call in record.calls:
        if call.layer.is_vector and (before := by_node.get(_passed_on(graph, call.input_node, by_node))):
            before.normalized = True
    active = [node for node in graph.reached([root]) if graph.names[node] in ELEMENTWISE]
    led = {node: list(_led_to(graph, node, by_node)) for node in active}
    count = Counter(call for calls in led.values() for call in calls)
    last = set[Call]() if record.brief else {calls[-1] for calls in record.by_layer.values()}  # it alone is asked
    asked = {call for call in last if call.finite and count[call] == 1}
    for node, calls in led.items():
        one = activity(node) if calls else None
        if one is not None:
            _note_response(one, calls, brief=record.brief)
            known: dict[tuple[int, int], Diversity] = {}
            for call in (call for call in calls if call in asked):
                shape = call.layer.row_shape(one.output)
                known[shape] = call.diversity = known.get(shape) or diversity_of(call.layer, one.output, examples)


def _led_to(graph: Graph, node: Node, by_node: Mapping[Node, Call]) -> Iterator[Call]:
    """Yield the calls that an activation follows."""
    if node in by_node:  # the activation is a part of the layer
        yield by_node[node]
    at = graph.inputs[node][0]
    while before := by_node.get(source(graph, at, by_node.__contains__)):
        yield before
        at = before.input_node if before.layer.is_vector else None


def _note_response(one: Activity, calls: Sequence[Call], *, brief: bool) -> None:
    """Measure an activation that follows some calls; in brief, only which channels let something through."""
    slope, rms, saturated = one.slope.abs(), math.nan, math.nan
    if not brief:
        flat = as_array(slope) < SATURATED_BELOW * one.steepest
        saturated = np.count_nonzero(flat) / max(1, flat.size)
        rms = log10_norm(as_array(one.output)) - 0.5 * math.log10(one.output.numel())
    for call in calls:
        units, shape = call.output.shape, slope.shape
        along = bool(units) and len(shape) > call.axis and shape[call.axis] == units[call.axis]
        passing = alive_of_sizes(slope, call.axis if along else len(shape) - 1).cpu().numpy()
        call.responses.append(Response(rms, saturated, passing))


def _passed_on(graph: Graph, node: Node, by_node: Mapping[Node, Call]) -> Node | None:
    """Return the layer's node whose output arrives at `node`, through activation functions as well."""

    def known(one: Node) -> bool:
        return one in by_node or graph.names[one] in ELEMENTWISE

    at = source(graph, node, known)
    while at is not None and at not in by_node:
        at = source(graph, graph.inputs[at][0], known)
    return at


def layer_flow(
    layer: Layer, calls: Sequence[Call], norms: Norms, examples: int, shift: int, *, brief: bool
) -> LayerFlow:
    """Measure one layer by its uses, at least one; the gradients are those of 2**shift times the loss."""
    last = calls[-1]
    flat = layer.is_flat(last.output, examples)
    entries = math.log10(examples * (units_of(last) if flat else 1))
    weights = math.nan if brief else log10_joint_norm([log10_norm(as_array(weight)) for weight in layer.acting])
    lever = _leverage(layer, norms, weights) if len(calls) == 1 and flat else math.nan
    return measuring.layer_flow(calls, entries, weights, weight_gradient_norm(layer, norms), shift, lever)


def _leverage(layer: Layer, norms: Norms, log10_weight_norm: float) -> float:
    """Return that of a linear map; nan of any other layer, and of one that isn't trained."""
    linear = layer.module
    if not isinstance(linear, nn.Linear) or linear.weight not in norms:
        return math.nan
    gradients = [norms[one] for one in (linear.weight, linear.bias) if one is not None and one in norms]
    return measuring.leverage(log10_weight_norm, linear.weight.numel(), gradients)


def distinction(end: Call, shift: int) -> float:
    """Return that of the read-out's outputs, if they are kept as they were and an example has no positions."""
    output = end.output.detach()
    if output.dim() != 2 or output.is_meta or output.is_complex() or version_of(end.output) != end.version:
        return math.nan
    return measuring.distinction(as_array(output), end.log10_gradient_norm - shift * LOG10_2)


def weight_gradient_norm(layer: Layer, norms: Norms) -> float:
    """Return log10 of the norm of the gradient of all of a layer's weights; nan where none has arrived."""
    return log10_joint_norm([norms[weight] for weight in layer.matrices if weight in norms])


def norms_of(parameters: Iterable[Tensor], gradients: Gradients) -> Norms:
    """Return how large the gradients of parameters are."""
    arrived = ((one, gradients.get(one)) for one in parameters)
    with np.errstate(all="ignore"):
        return {one: log10_norm(as_array(gradient)) for one, gradient in arrived if gradient is not None}


def measure_outputs(record: Recording, layers: Iterable[Layer], examples: int) -> None:
    """Measure what layers pass on that no activation follows; not what was overwritten."""
    for layer in layers:
        last = record.of(layer)[-1]
        if last.finite and len(last.responses) != 1 and version_of(last.output) == last.version:
            last.diversity = diversity_of(layer, last.output, examples)


def diversity_of(layer: Layer, output: Tensor, examples: int) -> Diversity:
    """Return how different the rows of an output are, or some of them."""
    rows, count = layer.rows(output.detach()), rows_of(layer, output, examples)
    if len(rows) > count:
        rows = rows[_spread(len(rows), count).to(rows.device)]
    return measure_diversity(rescaled(as_array(rows)).mantissa)


@cache
def _spread(rows: int, count: int) -> Tensor:
    """Return which of so many rows are taken."""
    return torch.linspace(0, rows - 1, count).long()


def rows_of(layer: Layer, output: Tensor, examples: int) -> int:
    """Return from how many rows of an output the rank is computed."""
    rows, _ = layer.row_shape(output)
    return measuring.rows_to_take(rows, examples)
