"""Activation functions, found by what they are: functions of one array, entry by entry, of whatever operations.

In JAX an activation is a function, ``relu(x)`` or ``x * sigmoid(1.7 * x)``, and leaves no name in what is traced. So
operations that work entry by entry on one array and on numbers are taken together, as far as they go.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from gradcheck.jax.program import Atom, Constant, Operation, Program, bind

#: Operations that work entry by entry.
ELEMENTWISE = {
    "add", "sub", "mul", "div", "max", "min", "neg", "exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic", "erf",
    "erfc", "erf_inv", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh",
    "abs", "sign", "floor", "ceil", "round", "sqrt", "rsqrt", "cbrt", "square", "integer_pow", "pow", "select_n", "gt",
    "lt", "ge", "le", "eq", "ne", "and", "or", "not", "xor", "is_finite", "clamp", "convert_element_type", "copy",
    "stop_gradient", "nextafter", "rem", "reduce_precision", "add_any", "copy_p",
}  # fmt: skip

#: Those of them that leave a line a line; so do a product and a quotient of which the other part is a number.
LINEAR = {"add", "sub", "neg", "convert_element_type", "copy", "reduce_precision", "add_any", "copy_p"}

#: Operations that give a number a shape.
SPREADING = {"broadcast_in_dim", "convert_element_type", "copy", "reshape", "copy_p"}

#: Where the slope of a function is looked at; an activation's is no larger in the outer half than in the inner one.
GRID = np.linspace(-20.0, 20.0, 2561)
INNER, NO_LARGER = np.abs(GRID) <= 10, 1.05


@dataclass(frozen=True, eq=False)
class Function:
    """A function of one array, entry by entry, that isn't linear."""

    base: int  # the variable that it is a function of
    exit: int  # its value
    operations: tuple[Operation, ...]  # in order
    spread: Mapping[int, Atom]  # variables that are a number in another shape or type ↦ that number
    types: Mapping[int, Any]  # of each variable: shape and type
    numbers: frozenset[int]  # variables among those
    shape: tuple[int, ...]  # of the array

    @property
    def size(self) -> int:
        """Entries of the array."""
        return math.prod(self.shape)

    def response(self, values: Any, numbers: Mapping[int, Any]) -> tuple[Any, Any]:
        """Return φ(values) and φ'(values), given its numbers; values may have further axes in front, as of a loop."""
        if np.ndim(values) > len(self.shape):
            found: tuple[Any, Any] = jax.vmap(lambda one: self.response(one, numbers))(values)
            return found

        def function(given: Any) -> Any:
            known: dict[int, Any] = {self.base: given}

            def value(atom: Atom) -> Any:
                number = self.spread.get(atom, atom) if isinstance(atom, int) else atom
                found = number.value if isinstance(number, Constant) else known.get(number, numbers.get(number))
                kind = self.types[atom].dtype if isinstance(atom, int) else None
                return jax.numpy.broadcast_to(jax.numpy.asarray(found, kind), given.shape)

            for one in self.operations:
                known |= zip(one.outputs, bind(one, list(map(value, one.inputs))), strict=True)
            return known[self.exit]

        output, slope = jax.jvp(function, (values,), (jax.numpy.ones_like(values),))
        return output, slope

    def steepest(self, numbers: Mapping[int, Any], kind: Any) -> float | None:
        """Return the largest |φ'|; None where it has no bound, or is the same everywhere: then it is no activation.

        A square, an exponential and a logarithm are none, a rounding isn't either.
        """
        pieces = -(-GRID.size // self.size)  # operations keep the shape that they were traced with
        grid = np.resize(GRID, (pieces, *self.shape))
        slopes = _run(lambda grid: self.response(grid, numbers)[1], jax.numpy.asarray(grid, kind))
        sizes = np.abs(np.asarray(slopes, np.float64)).reshape(-1)[: GRID.size]
        if not np.isfinite(sizes).all() or np.ptp(sizes) == 0:
            return None
        largest = float(sizes[INNER].max())
        return largest if sizes.max() <= NO_LARGER * largest else None


#: What has been compiled, by what it does: many layers of a model have the same activation.
_compiled: dict[str, Any] = {}


def _run(function: Callable[[Any], Any], values: Any) -> Any:
    """Return a function's value; of functions that do the same one is compiled."""
    traced = jax.make_jaxpr(function)(values)
    key = str(traced)
    if traced.consts or key not in _compiled:
        _compiled[key] = jax.jit(jaxpr_as_fun(traced))
    return _compiled[key](values)[0]


def is_elementwise(operation: Any) -> bool:
    """Whether an operation works entry by entry; one with a derivative of its own does if all that it calls does."""
    name = getattr(operation, "name", None) or operation.primitive.name
    equation = getattr(operation, "equation", operation)
    inner = equation.params.get("call_jaxpr", equation.params.get("jaxpr"))
    if name in ("custom_jvp_call", "jit", "pjit") and inner is not None:
        return all(map(is_elementwise, getattr(inner, "jaxpr", inner).eqns))
    return name in ELEMENTWISE


def find_functions(program: Program, *, with_numbers: bool) -> tuple[list[Function], dict[int, int]]:
    """Return the functions in a program, and of each variable within one the variable that it is a function of.

    With numbers a function may depend on some that are computed, such as the slope of a PReLU.
    """
    bases, lines, spread = dict[int, int](), set[int](), dict[int, Atom]()
    for one in program.operations:
        if one.note is not None or len(one.outputs) != 1:
            continue
        (output,) = one.outputs
        varied = [atom for atom in one.inputs if not _is_number(atom, program, spread, with_numbers)]
        if not varied:
            _note_number(one, program, spread)
            continue
        base = {bases.get(atom, atom) for atom in varied if isinstance(atom, int)}
        if len(base) != 1 or not is_elementwise(one) or any(isinstance(atom, Constant) for atom in varied):
            continue
        (bases[output],) = base
        if program.shapes[bases[output]].shape != program.shapes[output].shape:
            del bases[output]
        elif _is_line(one, varied, bases, lines):
            lines.add(output)
    exits = [one for one in _exits(program, bases) if one not in lines]
    return [_function(program, one, bases, spread) for one in exits], bases


def _is_number(atom: Atom, program: Program, spread: Mapping[int, Atom], with_numbers: bool) -> bool:
    if isinstance(atom, Constant):
        return np.ndim(atom.value) == 0
    return (with_numbers and program.shapes[atom].shape == ()) or atom in spread


def _note_number(one: Operation, program: Program, spread: dict[int, Atom]) -> None:
    """Note that an operation spreads a number, or computes one from numbers that are known."""
    numbers = [spread.get(atom, atom) if isinstance(atom, int) else atom for atom in one.inputs]
    if one.name in SPREADING and len(numbers) == 1:
        spread[one.outputs[0]] = numbers[0]
    elif is_elementwise(one) and not program.shapes[one.outputs[0]].shape:
        kinds = [program.shapes[atom].dtype if isinstance(atom, int) else None for atom in one.inputs]
        values = [number.value for number in numbers if isinstance(number, Constant)]
        if len(values) == len(numbers):
            known = [jax.numpy.asarray(value, kind) for value, kind in zip(values, kinds, strict=True)]
            spread[one.outputs[0]] = Constant(bind(one, known)[0])


def _is_line(one: Operation, varied: Sequence[Atom], bases: Mapping[int, int], lines: set[int]) -> bool:
    straight = all(atom in lines or atom not in bases for atom in varied)
    by_number = len(varied) == 1 and (one.name == "mul" or (one.name == "div" and one.inputs[0] is varied[0]))
    return straight and (one.name in LINEAR or by_number)


def _exits(program: Program, bases: Mapping[int, int]) -> Iterator[int]:
    """Yield the values of functions that something else makes use of."""
    used = {atom for atom in program.outputs if isinstance(atom, int)}
    for operation in program.operations:
        further = {bases.get(output) for output in operation.outputs}
        used |= {atom for atom in operation.inputs if isinstance(atom, int) and bases.get(atom) not in further}
    for variable in bases:
        if variable in used and jax.numpy.issubdtype(program.shapes[variable].dtype, jax.numpy.floating):
            yield variable


def _function(program: Program, exit: int, bases: Mapping[int, int], spread: Mapping[int, Atom]) -> Function:
    needed, waiting, numbers, found = {exit}, [exit], set[int](), list[Operation]()
    while waiting:
        operation = program.maker[waiting.pop()]
        found.append(operation)
        for atom in operation.inputs:
            if isinstance(atom, int) and atom in bases and atom not in needed:
                needed.add(atom)
                waiting.append(atom)
            number = spread.get(atom, atom) if isinstance(atom, int) else atom
            if isinstance(number, int) and number not in bases and number != bases[exit]:
                numbers.add(number)
    order = {id(one): place for place, one in enumerate(program.operations)}
    unique = {id(one): one for one in found}
    return Function(
        bases[exit], exit, tuple(sorted(unique.values(), key=lambda one: order[id(one)])), spread, program.shapes,
        frozenset(numbers), program.shapes[exit].shape,
    )  # fmt: skip
