"""Where a layer's weights come from: which of the model's parameters, and which part of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.jax.graph import TRANSPARENT, Graph
from gradcheck.jax.program import Constant, Operation, bind
from gradcheck.probing.paths import Paths


@dataclass(frozen=True, eq=False)
class Origin:
    """A parameter, and the way from it to a layer's weight."""

    parameter: int  # its place among the parameters
    # from the parameter on: operations that take a part or another shape of it, and graphs of loops, of each step of
    # which it is one entry along the first axis
    steps: tuple[Operation | Graph, ...] = ()

    def part(self, value: Any, indices: dict[Graph, int]) -> np.ndarray:
        """Return what a layer has of a parameter's value, or of its gradient, in these steps of loops."""
        for one in self.steps:
            if isinstance(one, Graph):
                value = value[indices[one]]
            else:
                others = [atom.value for atom in one.inputs[1:] if isinstance(atom, Constant)]
                (value,) = bind(one, [value, *others])
        return np.asarray(value)


def origins(graph: Graph, atom: Any, parameters: int) -> list[Origin]:
    """Return where a weight comes from: a part of one parameter, or several that it is computed from, whole."""
    exact = _exact(graph, atom, parameters)
    return [exact] if exact is not None else [Origin(one) for one in sorted(set(_behind(graph, atom, parameters)))]


def _exact(graph: Graph, atom: Any, parameters: int) -> Origin | None:
    steps: list[Operation | Graph] = []
    while isinstance(atom, int):
        operation = graph.program.maker.get(atom)
        if operation is not None:
            known = all(isinstance(one, Constant) for one in operation.inputs[1:])
            if operation.name not in TRANSPARENT or not known or len(operation.outputs) != 1:
                return None
            steps.append(operation)
            atom = operation.inputs[0]
            continue
        place = graph.program.inputs.index(atom)
        if graph.outer is None:
            return Origin(place, tuple(reversed(steps))) if place < parameters else None
        atom = _outside(graph, place)
        if _is_entry(graph, place):
            steps.append(graph)
        graph = graph.outer
    return None


def _is_entry(graph: Graph, place: int) -> bool:
    """Whether an input of a loop's body is another entry in each step."""
    assert graph.loop is not None
    return place >= graph.loop.fixed + graph.loop.carried


def _outside(graph: Graph, place: int) -> Any:
    """Return what a loop is given for an input of its body; None for what each step changes."""
    loop = graph.loop
    assert loop is not None
    carried = place - loop.fixed
    changed = 0 <= carried < loop.carried and graph.program.outputs[carried] != graph.program.inputs[place]
    return None if changed else loop.inputs[place]


def _behind(graph: Graph, atom: Any, parameters: int) -> Iterable[int]:
    """Yield the parameters that a variable is computed from, as long as nothing that goes in is."""
    nodes = Paths().reached(graph.makers([atom]), graph.inputs_of)
    for node in (one for one in nodes if isinstance(one, int) and one not in graph.signal):
        place = graph.program.inputs.index(node)
        if graph.outer is None:
            if place < parameters:
                yield place
        elif (outside := _outside(graph, place)) is not None:
            yield from _behind(graph.outer, outside, parameters)


def module_of(names: Sequence[str]) -> str:
    """Return the path of the module that holds parameters of these names, whole: what their paths have in common."""
    paths = [name.split(".")[:-1] for name in names]
    shared = 0
    while all(len(one) > shared and one[shared] == paths[0][shared] for one in paths):
        shared += 1
    return ".".join(paths[0][:shared]) if paths else ""
