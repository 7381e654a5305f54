"""A traced function as a list of operations, calls within it written out: what is asked of it, and how it is run.

JAX hands out a *jaxpr*: operations in order, some of which hold jaxprs themselves. Here functions that are called are
written out, each time anew, so that every operation and every variable is there once; only loops keep a body.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, DebugInfo, Jaxpr, Literal, jaxpr_as_fun, jaxprs_in_params

from gradcheck.jax.marks import MARK, Note

#: Where an operation that calls a function keeps it.
CALLED = ("jaxpr", "call_jaxpr", "fun_jaxpr")

#: Operations that call one function, once, and are no more than that.
CALLS = ("jit", "pjit", "closed_call", "core_call", "core_closed_call", "checkpoint", "remat", "remat2")

#: Those with derivatives of their own: written out only where a layer is within.
WITH_DERIVATIVE = ("custom_jvp_call", "custom_vjp_call")


@dataclass(frozen=True, eq=False)
class Constant:
    """A value that is known."""

    value: Any


#: A variable, by its number, or a constant.
Atom = int | Constant


@dataclass(eq=False)
class Operation:
    """One operation; of a loop (``scan``) with its body."""

    name: str
    equation: Any
    inputs: tuple[Atom, ...]
    outputs: tuple[int, ...]
    body: "Program | None" = None

    @property
    def note(self) -> Note | None:
        """What is known of the layer that this marks; None where it is no mark."""
        return self.equation.params["note"] if self.equation.primitive is MARK else None

    @property
    def length(self) -> int:
        """Steps of a loop."""
        return int(self.equation.params["length"])

    @property
    def fixed(self) -> int:
        """Inputs of a loop that are the same in each step."""
        return int(self.equation.params["num_consts"])

    @property
    def carried(self) -> int:
        """Inputs of a loop that the step before has made."""
        return int(self.equation.params["num_carry"])


@dataclass(eq=False)
class Program:
    """Operations in order, from the inputs to the outputs."""

    inputs: tuple[int, ...]
    operations: list[Operation]
    outputs: tuple[Atom, ...]
    shapes: dict[int, Any]  # of each variable, here and in the bodies of loops: shape and type
    maker: dict[int, Operation] = field(default_factory=dict)  # of each variable that an operation returns

    def within(self) -> Iterator[tuple["Program", Operation]]:
        """Yield every operation, those of loops in their place, with the program that it is in."""
        for one in self.operations:
            if one.body is not None:
                yield from one.body.within()
            yield self, one

    @cached_property
    def variables(self) -> frozenset[int]:
        """Its inputs, and what its operations return, those of loops among them."""
        return frozenset((*self.inputs, *(one for _, operation in self.within() for one in operation.outputs)))

    def hides_layers(self) -> bool:
        """Whether a layer runs where its outputs can't be reached: in a branch, or a loop of unknown length."""
        closed = (one for _, one in self.within() if one.note is None and one.body is None)
        return any(any(map(_marks, jaxprs_in_params(one.equation.params))) for one in closed)


def traced(function: Callable[..., Any], *arguments: Any) -> tuple[Program, Any]:
    """Return the program of a function, its inputs and outputs flat, and what it returns as shapes and types."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    return _program(closed.jaxpr, closed.consts, count(), {}), shape


def _program(jaxpr: Jaxpr, constants: Sequence[Any], numbers: Iterator[int], shapes: dict[int, Any]) -> Program:
    def new(variable: Any) -> int:
        number = next(numbers)
        shapes[number] = variable.aval
        return number

    inputs = tuple(map(new, jaxpr.invars))
    known: dict[Any, Atom] = dict(zip(jaxpr.invars, inputs, strict=True))
    operations: list[Operation] = []
    outputs = _write(
        jaxpr, constants, known, operations, new, lambda *inner: _program(inner[0], inner[1], numbers, shapes)
    )
    program = Program(inputs, operations, outputs, shapes)
    program.maker = {one: operation for operation in operations for one in operation.outputs}
    return program


def _write(
    jaxpr: Jaxpr, constants: Sequence[Any], known: dict[Any, Atom], operations: list[Operation],
    new: Callable[[Any], int], loop: Callable[[Jaxpr, Sequence[Any]], Program],
) -> tuple[Atom, ...]:  # fmt: skip
    """Write a jaxpr's operations into a list; return its outputs."""

    def atom(one: Any) -> Atom:
        return Constant(one.val) if isinstance(one, Literal) else known[one]

    known |= {one: Constant(value) for one, value in zip(jaxpr.constvars, constants, strict=True)}
    for equation in jaxpr.eqns:
        given = tuple(map(atom, equation.invars))
        called = _called(equation)
        if called is not None:
            inner, consts = called
            within: dict[Any, Atom] = dict(zip(inner.invars, given, strict=True))
            known |= zip(equation.outvars, _write(inner, consts, within, operations, new, loop), strict=True)
            continue
        outputs = tuple(map(new, equation.outvars))
        known |= zip(equation.outvars, outputs, strict=True)
        body = None
        if equation.primitive.name == "scan":
            closed = equation.params["jaxpr"]
            body = loop(closed.jaxpr, closed.consts)
        operations.append(Operation(equation.primitive.name, equation, given, outputs, body))
    return tuple(map(atom, jaxpr.outvars))


def _called(equation: Any) -> tuple[Jaxpr, Sequence[Any]] | None:
    """Return the function that an operation calls, if it is no more than that, and its constants."""
    name = equation.primitive.name
    inner = next((equation.params[one] for one in CALLED if one in equation.params), None)
    if inner is None or not (name in CALLS or (name in WITH_DERIVATIVE and _marks(inner))):
        return None
    return (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, ())


def _marks(jaxpr: Any) -> bool:
    """Whether a layer is marked in a jaxpr."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    return any(one.primitive is MARK or any(map(_marks, jaxprs_in_params(one.params))) for one in jaxpr.eqns)


def run(
    program: Program,
    arguments: Sequence[Any],
    added: Mapping[int, Any],
    wanted: frozenset[int],
    until: int | None = None,
) -> tuple[list[Any], dict[int, Any]]:
    """Run a program.

    Parameters
    ----------
    program : Program
    arguments : sequence of arrays
    added : mapping
        Variable of a mark ↦ what is added to its value. In a loop there is one for each step, along the first axis.
    wanted : frozenset of int
        Variables whose values are asked for.
    until : int, optional
        The variable after which to stop; then there are no outputs.

    Returns
    -------
    outputs : list
    values : dict
        Those that are wanted; of a loop's body each step's, along the first axis.
    """
    values: dict[int, Any] = dict(zip(program.inputs, arguments, strict=True))
    kept = {one: values[one] for one in program.inputs if one in wanted}

    def value(atom: Atom) -> Any:
        return atom.value if isinstance(atom, Constant) else values[atom]

    for operation in program.operations:
        given = list(map(value, operation.inputs))
        if operation.note is not None:
            extra = added.get(operation.outputs[0])
            found = [given[0] if extra is None else given[0] + extra]
        elif operation.body is not None and not operation.body.variables.isdisjoint(wanted | added.keys()):
            found, inner = _looped(operation, given, added, wanted)
            kept |= inner
        else:
            found = bind(operation, given)
        values |= zip(operation.outputs, found, strict=True)
        kept |= {one: values[one] for one in operation.outputs if one in wanted}
        if until is not None and until in kept:
            return [], kept
    return list(map(value, program.outputs)), kept


def bind(operation: Operation, given: Sequence[Any]) -> list[Any]:
    """Return what an operation makes of its inputs, whatever their shape."""
    equation = operation.equation
    known = {one: value for one, value in zip(equation.invars, given, strict=True) if not isinstance(one, Literal)}
    names = DebugInfo("gradcheck", equation.primitive.name, ("",) * len(known), ("",) * len(equation.outvars))
    alone = Jaxpr((), [*known], equation.outvars, [equation], equation.effects, names)
    return list(jaxpr_as_fun(ClosedJaxpr(alone, ()))(*known.values()))


def _looped(
    loop: Operation, given: Sequence[Any], added: Mapping[int, Any], wanted: frozenset[int]
) -> tuple[list[Any], dict[int, Any]]:
    """Run a loop that something is added in, or some of whose values are wanted."""
    body = loop.body
    assert body is not None
    first = loop.fixed + loop.carried
    extra = {one: value for one, value in added.items() if one in body.variables}

    def step(carry: Any, rest: Any) -> Any:
        each, more = rest
        outputs, kept = run(body, [*given[: loop.fixed], *carry, *each], more, wanted)
        return tuple(outputs[: loop.carried]), (tuple(outputs[loop.carried :]), kept)

    start, each = tuple(given[loop.fixed : first]), tuple(given[first:])
    last, (ys, kept) = jax.lax.scan(
        step, start, (each, extra), length=loop.length, reverse=loop.equation.params["reverse"]
    )
    return [*last, *ys], kept
