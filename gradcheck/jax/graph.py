"""What a program says of its layers: what follows each, whether it scores, whether all of the signal goes through."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradcheck.jax.functions import Function, find_functions
from gradcheck.jax.marks import is_float
from gradcheck.jax.program import Atom, Operation, Program
from gradcheck.probing.paths import Paths, bottlenecks

#: Operations that pass on what they get, entry by entry or pooled: another shape, a part of it.
TRANSPARENT = {
    "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "slice", "dynamic_slice", "split", "gather",
    "convert_element_type", "copy", "copy_p", "rev", "reduce_window_max", "reduce_window_sum", "reduce_window",
    "optimization_barrier", "reduce_precision", "sharding_constraint",
}  # fmt: skip

#: Operations that do so where only one of their inputs depends on the model.
WITH_CONSTANTS = {"mul", "div", "add", "sub", "select_n", "pad"}

#: Operations that let no gradient through.
CUT = {"stop_gradient"}

#: Operation, variables known so far ↦ whether the signal starts at it.
Starts = Callable[[Operation, set[int]], bool]


@dataclass(eq=False)
class Graph:
    """A program, or the body of a loop, with what its inputs are."""

    program: Program
    # variables, here and in loops, that depend on the weights or the floats that go in: a gradient goes through
    trained: set[int]
    signal: set[int]  # those of them that depend on what goes in
    loop: Operation | None = None  # whose body it is
    outer: "Graph | None" = None  # where that loop is
    ignored: set[int] = field(default_factory=set)  # marks of modules within which others are marked: no layers

    @cached_property
    def loops(self) -> dict[Operation, "Graph"]:
        """The graph of each loop's body."""
        return {
            one: Graph(one.body, self.trained, self.signal, one, self, self.ignored)
            for one in self.program.operations
            if one.body is not None
        }

    @cached_property
    def _found(self) -> tuple[list[Function], dict[int, int]]:
        return find_functions(self.program, with_numbers=self.outer is None)

    @property
    def functions(self) -> list[Function]:
        """Functions, entry by entry, of one array each."""
        return [one for one in self._found[0] if one.exit in self.trained]

    @property
    def around(self) -> list["Graph"]:
        """The graphs that it is in, outermost first, and itself."""
        return [self] if self.outer is None else [*self.outer.around, self]

    def everywhere(self) -> Iterator["Graph"]:
        """Yield this and the graphs of all loops within."""
        yield self
        for one in self.loops.values():
            yield from one.everywhere()

    def is_layer(self, operation: Operation | None) -> bool:
        """Whether an operation is the mark of a layer."""
        return bool(
            operation and operation.note and operation.note.weights and operation.outputs[0] not in self.ignored
        )

    def sources_of(self, operation: Operation, among: set[int]) -> list[Any]:
        """Return where an operation's inputs come from: operations, and variables that go in."""
        given = operation.inputs[:1] if operation.note else () if operation.name in CUT else operation.inputs
        return self.makers(one for one in given if one in among)

    def makers(self, atoms: Iterable[Any]) -> list[Any]:
        """Return what makes variables: operations, or the variables themselves that go in; of constants nothing."""
        return [self.program.maker.get(one, one) for one in atoms if isinstance(one, int)]

    def inputs_of(self, node: Any) -> list[Any]:
        """Return where an operation's inputs come from, as far as a gradient goes through."""
        return self.sources_of(node, self.trained) if isinstance(node, Operation) else []

    def layer_before(self, variable: Any, *, through_functions: bool = False) -> Operation | None:
        """Return the layer whose output arrives at a variable, on a way without a fork; or None."""
        bases = self._found[1] if through_functions else {}
        while isinstance(variable, int):
            operation = self.program.maker.get(variable)
            if operation is None or self.is_layer(operation):
                return operation
            before = self._passed_on(operation)
            variable = bases.get(variable) if before is None else before
        return None

    def _passed_on(self, operation: Operation) -> Any:
        """Return the variable that an operation passes on, if it does."""
        if operation.note is not None:
            return operation.inputs[0 if operation.note.weights else 1]
        given = [one for one in operation.inputs if isinstance(one, int) and one in self.trained]
        alone = operation.name in WITH_CONSTANTS and len(given) == 1
        return given[0] if given and (alone or operation.name in TRANSPARENT) else None

    def followed_by(self, function: Function) -> Iterator[Operation]:
        """Yield the layers that a function follows: of a norm also the one before it."""
        inside = [one for one in self.program.operations if self.is_layer(one) and one.inputs[0] == function.exit]
        yield from inside
        at: Any = function.base
        while before := self.layer_before(at):
            yield before
            at = before.inputs[1] if is_vector(self.program, before) else None

    @cached_property
    def in_use(self) -> set[Any]:
        """Operations, and variables that go in, that the gradient reaches."""
        if self.outer is not None and self.loop not in self.outer.in_use:
            return set()
        return set(Paths().reached(self._trained(self._ends), self.inputs_of))

    @cached_property
    def in_reach(self) -> set[Any]:
        """Operations, and variables that go in, whose values the loss depends on, with a gradient or without."""
        if self.outer is not None and self.loop not in self.outer.in_reach:
            return set()

        def inputs(node: Any) -> list[Any]:
            return self.makers(() if not isinstance(node, Operation) else node.inputs[:1] if node.note else node.inputs)

        return set(Paths().reached(self.makers(self._ends), inputs))

    @cached_property
    def roots(self) -> list[Any]:
        """Where the gradient comes in: the loss; in a loop what is made use of after it."""
        if self.outer is None:
            return self._trained(self._ends)
        assert self.loop is not None
        used = {one for node in self.outer.in_use if isinstance(node, Operation) for one in node.inputs}
        used |= {one for one in self.outer.program.outputs if isinstance(one, int)}
        return self._trained(one for one, after in zip(self._ends, self.loop.outputs, strict=True) if after in used)

    @cached_property
    def without_softmax(self) -> set[Any]:
        """Operations that the gradient reaches without going through a softmax, as those of queries and keys do."""
        if self.outer is not None and self.loop not in self.outer.without_softmax:
            return set()
        ends = self._trained(self._ends)
        return set(Paths().reached(ends, lambda node: [] if self.is_softmax(node) else self.inputs_of(node)))

    @property
    def _ends(self) -> tuple[Atom, ...]:
        """The loss; of a loop all that it returns."""
        return self.program.outputs if self.outer is not None else self.program.outputs[:1]

    def _trained(self, atoms: Iterable[Any]) -> list[Any]:
        """Return what makes those variables that a gradient goes through."""
        return self.makers(one for one in atoms if one in self.trained)

    def is_softmax(self, node: Any) -> bool:
        """Whether an operation divides exponentials by their sum."""
        if not isinstance(node, Operation) or node.name != "div":
            return False
        above, below = (self.program.maker.get(one) if isinstance(one, int) else None for one in node.inputs)
        if above is None or above.name not in ("exp", "select_n", "mul"):
            return False
        while below is not None and below.name in TRANSPARENT | {"add", "max"}:
            below = next((self.program.maker.get(one) for one in below.inputs if isinstance(one, int)), None)
        return below is not None and below.name == "reduce_sum" and below.inputs[0] == node.inputs[0]

    @cached_property
    def trunk(self) -> set[Any]:
        """Operations that all of the signal goes through."""
        if self.outer is not None and self.loop not in self.outer.trunk:
            return set()
        end = object()

        def inputs(node: Any) -> list[Any]:
            if node is end:
                return self.roots
            return self.sources_of(node, self.signal) if isinstance(node, Operation) else []

        paths = Paths()
        paths.inputs = {node: inputs(node) for node in paths.reached([end], inputs)}
        return bottlenecks(paths, end, {*self._starts()} & paths.inputs.keys())

    def _starts(self) -> Sequence[Any]:
        given = [one for one in self.program.inputs if one in self.signal]
        return [*given, *(one for one in self.program.operations if begins(one, self.signal))]


def begins(operation: Operation, signal: set[int]) -> bool:
    """Whether a layer is where the signal starts: what goes in has no gradient."""
    if not operation.note or not operation.note.weights:
        return False
    return operation.outputs[0] in signal and not any(one in signal for one in operation.inputs[:1])


def is_vector(program: Program, operation: Operation) -> bool:
    """Whether a layer scales and shifts only, as norms do."""
    kinds = (program.shapes[one] if isinstance(one, int) else one.value for one in operation.inputs[2:])
    return all(getattr(kind, "ndim", 0) < 2 for kind in kinds)


def graph_of(program: Program, weights: int, given: range) -> Graph:
    """Return the graph of a program whose first inputs are so many weights; `given` are those that go in."""
    inputs = program.inputs
    floats = [one for one in inputs if is_float(program.shapes[one])]
    of_weights, of_inputs = set(inputs[:weights]), {inputs[place] for place in given} & set(floats)
    trained = _depending(program, (of_weights & set(floats)) | of_inputs, lambda one, known: False)
    signal = _depending(program, of_inputs, lambda one, known: bool(one.note and one.note.kind == "embedding"))
    if not signal:
        signal = _depending(
            program, set(), lambda one, known: bool(one.note and one.note.weights and one.inputs[1] not in trained)
        )
    return Graph(program, trained, signal)


def _depending(program: Program, known: set[int], starts: Starts) -> set[int]:
    """Return the floats that depend on some variables, or on operations at which it starts."""
    for one in program.operations:
        given = one.inputs[:1] if one.note else one.inputs
        if one.body is not None:
            _through_loop(one, known, starts)
        elif (any(atom in known for atom in given) and one.name not in CUT) or starts(one, known):
            known |= {output for output in one.outputs if is_float(program.shapes[output])}
    return known


def _through_loop(loop: Operation, known: set[int], starts: Starts) -> None:
    body = loop.body
    assert body is not None
    known |= {inner for inner, atom in zip(body.inputs, loop.inputs, strict=True) if atom in known}
    carried = body.inputs[loop.fixed : loop.fixed + loop.carried]
    for _ in range(len(carried) + 1):
        _depending(body, known, starts)
        again = {inner for inner, atom in zip(carried, body.outputs, strict=False) if atom in known} - known
        known |= again
        if not again:
            break
    known |= {after for after, atom in zip(loop.outputs, body.outputs, strict=True) if atom in known}
