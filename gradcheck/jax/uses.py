"""The uses of a model's layers, as its program shows them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gradcheck.jax.functions import Function
from gradcheck.jax.graph import Graph, is_vector
from gradcheck.jax.marks import Note
from gradcheck.jax.program import Operation
from gradcheck.jax.weights import Origin, module_of, origins


@dataclass(frozen=True, eq=False)
class LayerUse:
    """A place in a program where a layer is used: in a loop once in each step."""

    name: str  # the layer's; of one that is another in each step of a loop without the step's number
    place: tuple[int, ...]  # of the operation in its program, after those of the loops that it is in
    graph: Graph
    operation: Operation  # the mark
    weights: tuple[tuple[str, Origin], ...]  # the parameters' own names, and where each comes from
    # the path of what a loop's steps have one of each: the number of the step comes after it in the layer's name
    stacked: str = ""
    functions: tuple[tuple[Graph, Function], ...] = ()  # those that follow it
    # normalized, on_trunk, scores, heard, in_reach: a norm follows; all of the signal goes through; it reaches the loss
    # through a softmax only; a gradient arrives; the loss depends on it
    normalized: bool = False
    on_trunk: bool = False
    scores: bool = False
    heard: bool = True
    in_reach: bool = True

    @property
    def variable(self) -> int:
        """Of its output."""
        return self.operation.outputs[0]

    @property
    def note(self) -> Note:
        """What is known of the layer."""
        assert self.operation.note is not None
        return self.operation.note

    @property
    def loops(self) -> list[Graph]:
        """The loops that it is in, outermost first."""
        return self.graph.around[1:]

    @property
    def varying(self) -> list[Graph]:
        """Loops in each step of which it is another layer: its weights are."""
        steps = {step for _, origin in self.weights for step in origin.steps}
        return [one for one in self.loops if one in steps]

    def name_at(self, steps: Mapping[Graph, int]) -> str:
        """Return the layer's name in these steps of loops: ``blocks.3.dense``."""
        number = ".".join(str(steps[one]) for one in self.varying)
        return ".".join(filter(None, (self.stacked, number, self.name.removeprefix(self.stacked).lstrip("."))))

    @property
    def features(self) -> float:
        """Numbers in a row of what it is given."""
        given = self.operation.inputs[1]
        shape = self.graph.program.shapes[given].shape if isinstance(given, int) else ()
        return float(shape[-1]) if shape else math.inf


def find_uses(graph: Graph, names: list[str]) -> list[LayerUse]:
    """Return the uses of layers, of nested ones the innermost, with all that the program says of them."""
    found = list(_marked(graph, names, ()))
    modules = {one.name for one in found}
    around = {name for name in modules if any(_is_within(other, name) for other in modules)}
    graph.ignored.update(one.variable for one in found if one.name in around)
    kept = [one for one in found if one.name not in around]
    functions, normalized = _followers(graph)
    stacked = {
        loop: module_of([f"{use.name}.weight" for use in kept if loop in use.varying])
        for loop in {loop for use in kept for loop in use.varying}
    }
    scoring = [
        one for one in kept if one.operation in one.graph.in_use and one.operation not in one.graph.without_softmax
    ]
    return [
        replace(
            one,
            stacked=next((stacked[loop] for loop in one.varying), ""),
            functions=tuple(functions.get(one.operation, ())),
            normalized=one.operation in normalized,
            on_trunk=one.operation in one.graph.trunk,
            scores=one in scoring and len(scoring) < len(kept),
            heard=one.operation in one.graph.in_use,
            in_reach=one.operation in one.graph.in_reach,
        )
        for one in kept
    ]


def _is_within(name: str, other: str) -> bool:
    return name != other and (not other or name.startswith(f"{other}."))


def _marked(graph: Graph, names: list[str], place: tuple[int, ...]) -> list[LayerUse]:
    found = []
    for at, one in enumerate(graph.program.operations):
        if one in graph.loops:
            found += _marked(graph.loops[one], names, (*place, at))
        elif graph.is_layer(one):
            weights = [origin for atom in one.inputs[2:] for origin in origins(graph, atom, len(names))]
            if weights:
                of = [names[origin.parameter] for origin in weights]
                note = one.note
                module = note.path if note and note.path else module_of(of)
                method = note.method if note else ""
                own = tuple((name.removeprefix(f"{module}."), origin) for name, origin in zip(of, weights, strict=True))
                found.append(LayerUse(".".join(filter(None, (module, method))), (*place, at), graph, one, own))
    return found


def _followers(graph: Graph) -> tuple[dict[Operation, list[tuple[Graph, Function]]], set[Operation]]:
    """Return the functions that follow each layer, and the layers that a norm follows."""
    functions, normalized = dict[Operation, list[tuple[Graph, Function]]](), set[Operation]()
    for one in graph.everywhere():
        for function in one.functions:
            if one.program.maker[function.exit] not in one.in_use:
                continue
            for layer in one.followed_by(function):
                functions.setdefault(layer, []).append((one, function))
        for operation in one.program.operations:
            if operation.note and (not operation.note.weights or is_vector(one.program, operation)):
                before = one.layer_before(operation.inputs[1], through_functions=True)
                if before is not None and "Norm" in operation.note.owner:
                    normalized.add(before)
    return functions, normalized
