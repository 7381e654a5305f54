"""Marks in a traced function: where a layer's output is, what went into the layer, and which weights it holds.

A mark is an operation of its own that passes its first operand on. It survives whatever JAX does while it traces: in a
function that `vmap` makes, the examples come first; in a loop it is part of the body.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

#: (output, what went in, weights...) ↦ output
MARK = Primitive("gradcheck_layer")

#: Whether marks are set is a part of what JAX's caches go by: no function that was traced with them is used without.
_MARKING = jax.make_user_context(False)


class Note(NamedTuple):
    """What is known of a layer where it runs."""

    kind: str  # as in ``ModelFlow``; of all others ``linear``, of norms ``norm``
    owner: str  # the class
    path: str = ""  # where it is in the model, if that is known; else its weights say so
    method: str = ""  # that was called, unless it is the usual one
    unit_axes: int = 1  # how many axes of the output count units, the last ones: 2 of queries by head
    after_units: int = 0  # axes after the units: those of an image whose channels come first
    returns_carry: bool = False  # a cell returns (carry, output)
    weights: int = 0  # how many of the operands they are; 0: it passes on what it gets, as dropout does


def mark(output: Any, given: Sequence[Any], weights: Sequence[Any], note: Note) -> Any:
    """Mark the main array of what a layer returned, wherever it is in there: a cell's state is in its carry as well.

    `given` are all arguments of its call, the first with floats counts.
    """
    array = main_array(output[1] if note.kind == "recurrence" and note.returns_carry else output)
    if array is None or not array.size:
        return output
    into = next((one for one in map(main_array, given) if one is not None), None)  # a state may have been used up
    marked = MARK.bind(array, array if into is None else into, *weights, note=note._replace(weights=len(weights)))
    return jax.tree.map(lambda one: marked if one is array else one, output)


@contextmanager
def marking() -> Iterator[None]:
    """Keep what is traced in here apart from what is traced elsewhere."""
    with _MARKING(True):
        yield


def main_array(value: Any) -> Any:
    """Return the array that matters in what a layer was given or returned: the first of floats; None without."""
    return next((one for one in jax.tree.leaves(value) if is_float(one)), None)


def is_float(value: Any) -> bool:
    """Whether a value is an array of floats."""
    return hasattr(value, "dtype") and bool(jax.numpy.issubdtype(value.dtype, jax.numpy.inexact))


def _pass_on(output: Any, *others: Any, note: Note) -> Any:
    return output


def _derivative(primals: Any, tangents: Any, *, note: Note) -> Any:
    return MARK.bind(*primals, note=note), tangents[0]


def _of_examples(operands: Any, axes: Any, *, note: Note) -> Any:
    moved = [
        one if axis is None else jax.numpy.moveaxis(one, axis, 0) for one, axis in zip(operands, axes, strict=True)
    ]
    return MARK.bind(*moved, note=note), None if axes[0] is None else 0


MARK.def_impl(_pass_on)
MARK.def_abstract_eval(_pass_on)
ad.primitive_jvps[MARK] = _derivative
batching.primitive_batchers[MARK] = _of_examples
mlir.register_lowering(MARK, mlir.lower_fun(_pass_on, multiple_results=False))
