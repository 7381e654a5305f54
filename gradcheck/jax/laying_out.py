"""From the values of a pass to captured layers, one use for each step of a loop."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gradcheck.jax.functions import Function
from gradcheck.jax.graph import Graph
from gradcheck.jax.uses import LayerUse
from gradcheck.probing.captured import Activity, CapturedLayer, Use, Weight
from gradcheck.probing.limits import COPY, shift_to_one

#: Norms of images: a row of what they give is a whole example.
OF_EXAMPLES = ("BatchNorm", "GroupNorm", "InstanceNorm")


class Values(NamedTuple):
    """What a pass brought: arrays by the number of their variable, of loops with their steps first."""

    loss: Any
    output: Sequence[Any]
    kept: dict[int, Any]
    responses: dict[int, tuple[Any, Any]]  # of a function's value: φ and φ'
    of_weights: Sequence[Any] | None
    of_outputs: dict[int, Any] | None  # gradients at layers' outputs


class _Step(NamedTuple):
    """One use of a layer in one step of each loop that it is in."""

    order: tuple[int, ...]
    layer: str
    use: LayerUse
    indices: dict[Graph, int]


def laid_out(
    graph: Graph, uses: Sequence[LayerUse], names: Sequence[str], parameters: Sequence[Any], values: Values
) -> tuple[tuple[CapturedLayer, ...], int]:
    """Return the layers in the order of their first use, and the place of the one used last."""
    steps = sorted((step for use in uses for step in _steps(use)), key=lambda one: one.order)
    by_name: dict[str, list[_Step]] = {}
    for one in steps:
        by_name.setdefault(one.layer, []).append(one)
    steepest = {one.exit: one.steepest(values.kept, values.kept[one.base].dtype) for one in _functions(uses)}
    arrived = {at for at, one in enumerate(graph.program.inputs[: len(names)]) if one in graph.in_use}
    layers = tuple(_layer(name, those, parameters, values, steepest, arrived) for name, those in by_name.items())
    return layers, [*by_name].index(steps[-1].layer)


def find_lost(uses: Sequence[LayerUse], layers: Sequence[CapturedLayer]) -> tuple[str, ...]:
    """Return the layers without a gradient although the loss depends on their weights, but for copies of others."""
    near = {step.layer for use in uses if use.in_reach for step in _steps(use)}
    trained = [
        one for layer in layers for one in _matrices(layer) if any(use.gradient is not None for use in layer.uses)
    ]
    deaf = [one for one in layers if one.name in near and all(use.gradient is None for use in one.uses)]
    return tuple(
        layer.name for layer in deaf
        if (own := _matrices(layer)) and not all(any(_alike(one, other) for other in trained) for one in own)
    )  # fmt: skip


def _matrices(layer: CapturedLayer) -> list[np.ndarray]:
    return [one.value for one in layer.weights if one.value.ndim > 1]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether matrices point in one direction, as a target network's and those that it follows do."""
    if one.shape != other.shape:
        return False
    a, b = (each.astype(np.float64).ravel() for each in (one, other))
    return bool(a @ b > COPY * np.linalg.norm(a) * np.linalg.norm(b))


def _functions(uses: Sequence[LayerUse]) -> list[Function]:
    return list({one.exit: one for use in uses for _, one in use.functions}.values())


def _steps(use: LayerUse) -> Iterator[_Step]:
    """Yield a use in each step of the loops that it is in."""
    for indices in product(*(range(one.loop.length) for one in use.loops if one.loop)):
        at = dict(zip(use.loops, indices, strict=True))
        when = [_turn(one, index) for one, index in at.items()]
        order = [number for pair in zip(use.place, [*when, 0], strict=True) for number in pair]
        yield _Step(tuple(order), use.name_at(at), use, at)


def _turn(loop: Graph, index: int) -> int:
    """Return when a step of a loop is taken: those that go backwards begin with the last entry."""
    assert loop.loop is not None
    return -index if loop.loop.equation.params["reverse"] else index


def _layer(
    name: str, steps: Sequence[_Step], parameters: Sequence[Any], values: Values,
    steepest: dict[int, float | None], arrived: set[int],
) -> CapturedLayer:  # fmt: skip
    first = steps[0].use
    return CapturedLayer(
        name or first.note.owner,
        tuple(_use(one, values, steepest) for one in steps),
        tuple(_weights(steps[0], parameters, values, arrived)),
        "" if first.note.kind == "linear" else first.note.kind,
        -1 - first.note.after_units,
        first.note.kind == "convolution" or first.note.owner in OF_EXAMPLES,
        role_of(name),
    )


def role_of(name: str) -> str:
    """Return a layer's place in a block: its name without the numbers of blocks and stages."""
    *path, own = name.split(".")
    parts = [re.sub(r"_?\d", "", one) for one in path] + ([] if own.isdecimal() else [re.sub(r"_\d+$", "", own)])
    return ".".join(filter(None, parts))


def _weights(step: _Step, parameters: Sequence[Any], values: Values, arrived: set[int]) -> Iterator[Weight]:
    for name, origin in step.use.weights:
        gradient = None
        if values.of_weights is not None and origin.parameter in arrived:
            gradient = origin.part(values.of_weights[origin.parameter], step.indices)
        yield Weight(name, origin.part(parameters[origin.parameter], step.indices), gradient, bias="bias" in name)


def _use(step: _Step, values: Values, steepest: dict[int, float | None]) -> Use:
    use = step.use
    gradient = None
    if values.of_outputs is not None and use.heard:
        gradient = _units_last(_taken(values.of_outputs[use.variable], step, use.graph), use)
    activities = []
    for graph, function in use.functions:
        limit = steepest[function.exit]
        if limit is not None:
            output, slope = (_taken(one, step, graph) for one in values.responses[function.exit])
            activities.append(Activity(output, slope, limit))
    return Use(
        _units_last(_taken(values.kept[use.variable], step, use.graph), use), gradient, tuple(activities),
        use.on_trunk, use.normalized, use.scores,
    )  # fmt: skip


def _taken(value: Any, step: _Step, graph: Graph) -> np.ndarray:
    """Return an array of one step of each loop."""
    taken: np.ndarray = np.asarray(value)[tuple(step.indices[one] for one in graph.around[1:])]
    return taken


def _units_last(array: np.ndarray, use: LayerUse) -> np.ndarray:
    """Return an output with all its axes of units as one: queries by head have two."""
    axes = use.note.unit_axes
    return array.reshape(*array.shape[: array.ndim - axes], -1) if axes > 1 else array


def shift_for(at_end: np.ndarray | None) -> int:
    """Return the power of two that brings the gradient at the end to about 1."""
    return shift_to_one(0.0 if at_end is None else float(np.abs(at_end).max(initial=0.0)))
