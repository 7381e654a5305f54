"""Equinox: modules are trees of arrays, called with one example."""

from collections.abc import Iterator, Sequence
from typing import Any

import equinox
import jax

from gradcheck.jax.layers import calls_marked, note_of
from gradcheck.jax.marks import Note, main_array
from gradcheck.jax.model import Forward, Model, arguments_of, mode_of, named, parameters_of, with_leaves
from gradcheck.probing.user_errors import errors_in_one_line

#: Layers of Equinox whose outputs have their channels first.
CHANNELS_FIRST = (equinox.nn.Conv, equinox.nn.ConvTranspose, equinox.nn.BatchNorm, equinox.nn.GroupNorm)


def is_equinox(model: Any) -> bool:
    """Whether this is a module, or (module, state)."""
    return isinstance(model[0] if isinstance(model, tuple) and len(model) == 2 else model, equinox.Module)


def equinox_model(model: Any, forward: Forward | None, training: bool) -> Model:
    """Return what the probe sees of a module of Equinox."""
    model, state = model if isinstance(model, tuple) else (model, None)
    name = type(model).__name__
    model = equinox.nn.inference_mode(model, value=not training)
    parameters, rest = equinox.partition(model, equinox.is_inexact_array)
    arrays, fixed = equinox.partition(state, equinox.is_array)

    def run(values: Sequence[Any], state: Any, inputs: Any, key: Any) -> Any:
        copy = equinox.combine(with_leaves(parameters, values), rest)
        with calls_marked(_modules(model), _weights, _note):
            if forward is not None:
                return forward(copy, inputs)
            return _of_batch(copy, inputs, key, equinox.combine(state, fixed), training)

    return Model(name, named(parameters), arrays, run)


def _of_batch(model: Any, inputs: Any, key: Any, state: Any, training: bool) -> Any:
    """Return the outputs of a model of one example; each has a key of its own, and all of them one state."""
    positional, keywords = arguments_of(inputs)
    examples = jax.tree.leaves(inputs)[0].shape[0]
    flags, keys = mode_of(model, training), jax.random.split(key, examples)
    takes_key = "key" in parameters_of(model)
    names = sorted({str(one.axis_name) for one in _modules(model) if hasattr(one, "axis_name")})

    def of_one(positional: Any, keywords: Any, key: Any) -> Any:
        named = flags | keywords | ({"key": key} if takes_key else {})
        if state is None:
            return model(*positional, **named)
        return model(*positional, state, **named)[0]

    shapes = " and ".join(str(one.shape[1:]) for one in jax.tree.leaves(inputs))
    given = f"a model of Equinox is called with one example, here of shape {shapes}; else give forward(model, inputs): "
    with errors_in_one_line(given):
        return jax.vmap(of_one, axis_name=names[0] if names else "batch")(positional, keywords, keys)


def _modules(tree: Any) -> Iterator[Any]:
    """Yield a module and all modules within."""
    if isinstance(tree, equinox.Module):
        yield tree
    for one in _parts(tree):
        if isinstance(one, equinox.Module):
            yield from _modules(one)


def _parts(module: Any) -> list[Any]:
    """Return what a module holds, its modules whole."""
    return list(jax.tree.leaves(module, is_leaf=lambda one: isinstance(one, equinox.Module) and one is not module))


def _weights(module: Any) -> list[Any]:
    return [one for one in _parts(module) if equinox.is_inexact_array(one)]


def _note(module: Any, method: str, output: Any) -> Note:
    note = note_of(module, method)
    array = main_array(output)
    first = isinstance(module, CHANNELS_FIRST) and array is not None
    return note._replace(after_units=array.ndim - 1 if first else 0)
