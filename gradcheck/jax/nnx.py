"""Flax's nnx: modules that hold their variables; a copy of them is run."""

from collections.abc import Iterator, Sequence
from typing import Any

from flax import nnx

from gradcheck.jax.layers import calls_marked, is_cell, note_of
from gradcheck.jax.model import Forward, Model, called


def is_nnx(model: Any) -> bool:
    """Whether this is a module of nnx."""
    return isinstance(model, nnx.Module)


def nnx_model(model: Any, forward: Forward | None, training: bool) -> Model:
    """Return what the probe sees of a module of nnx."""
    graph, parameters, state = nnx.split(model, nnx.Param, ...)
    flat = list(nnx.to_flat_state(parameters))
    modules = [one for _, one in nnx.iter_modules(model)]

    def run(values: Sequence[Any], state: Any, inputs: Any, key: Any) -> Any:
        given = nnx.from_flat_state((path, one.replace(value)) for (path, one), value in zip(flat, values, strict=True))
        copy = nnx.merge(graph, given, state)
        (copy.train if training else copy.eval)()
        with calls_marked(modules, _weights, lambda module, method, output: note_of(module, method)):
            return called(copy, inputs, training) if forward is None else forward(copy, inputs)

    return Model(type(model).__name__, {".".join(map(str, path)): one.get_value() for path, one in flat}, state, run)


def _weights(module: Any) -> list[Any]:
    """Return the weights that a module holds itself; of a cell all."""
    held = nnx.iter_graph(module) if is_cell(module) else _own(module)
    return [one.get_value() for _, one in held if isinstance(one, nnx.Param) and one.get_value() is not None]


def _own(module: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        yield name, value
        if isinstance(value, nnx.List | list | tuple | dict):
            yield from ((name, one) for one in (value.values() if isinstance(value, dict) else value))
