"""Flax's linen: a module and its variables."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import linen
from flax.core import unfreeze

from gradcheck.errors import GradcheckError
from gradcheck.jax.layers import Inside, is_cell, note_of
from gradcheck.jax.model import Forward, Model, called, named, with_leaves

#: Methods that run no layer.
NO_CALLS = ("setup", "initialize_carry", "init", "__post_init__")


def is_linen(model: Any) -> bool:
    """Whether this is (module, variables), or a state of training that has both."""
    pair = isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], linen.Module)
    return pair or isinstance(model, linen.Module) or _module_of(model) is not None


def _module_of(state: Any) -> linen.Module | None:
    """Return the module of a state of training (``TrainState``)."""
    module = getattr(getattr(state, "apply_fn", None), "__self__", None)
    return module if isinstance(module, linen.Module) else None


def linen_model(model: Any, forward: Forward | None, training: bool) -> Model:
    """Return what the probe sees of a linen module.

    Raises
    ------
    GradcheckError
        It comes without its variables.
    """
    if isinstance(model, linen.Module):
        example = f"({type(model).__name__}(...), module.init(key, inputs))"
        raise GradcheckError(f"a linen module holds no weights: give it with its variables, {example}, or a TrainState")
    state_of_training = _module_of(model)
    if state_of_training is not None:
        rest = {"batch_stats": model.batch_stats} if getattr(model, "batch_stats", None) is not None else {}
        module, variables = state_of_training, {"params": model.params, **rest}
    else:
        module, variables = model
    variables = unfreeze(variables)
    if not isinstance(variables, Mapping) or not variables:
        raise GradcheckError("the variables are empty: give what module.init(key, inputs) returns")
    if "params" not in variables:
        variables = {"params": variables}
    parameters = variables["params"]
    others = {name: one for name, one in variables.items() if name != "params"}

    def apply(values: Sequence[Any], state: Any, inputs: Any, key: Any) -> Any:
        inside = Inside()

        def marked(function: Any, given: Any, keywords: Any, context: Any) -> Any:
            owner, method = context.module, context.method_name
            if method in NO_CALLS or not method.isidentifier():
                return function(*given, **keywords)
            usual = "" if method == "__call__" else method
            return inside.call(
                owner, method, lambda: function(*given, **keywords), (*given, *keywords.values()),
                lambda: _weights(owner), lambda output: note_of(owner, usual)._replace(path=".".join(owner.path)),
            )  # fmt: skip

        def bound(one: Any, inputs: Any) -> Any:
            return called(one, inputs, training) if forward is None else forward(one, inputs)

        keys = dict(zip(("params", "dropout"), jax.random.split(key), strict=True))
        all_of_it = {"params": with_leaves(parameters, values), **state}
        with linen.intercept_methods(marked):
            output, _ = linen.apply(bound, module, mutable=list(others))(all_of_it, inputs, rngs=keys)
        return output

    return Model(type(module).__name__, named(parameters), others, apply)


def initialised(module: linen.Module, inputs: Any, key: Any) -> tuple[linen.Module, Any]:
    """Return a module with variables that it draws for such inputs."""
    keys = dict(zip(("params", "dropout"), jax.random.split(key), strict=True))
    return module, linen.init(lambda one, inputs: called(one, inputs, training=True), module)(keys, inputs)


def _weights(module: linen.Module) -> list[Any]:
    """Return the weights that a module holds itself; of a cell all."""
    held = dict(module.variables.get("params", {})) if module.scope is not None else {}
    if is_cell(module):
        return list(jax.tree.leaves(held))
    return [one for one in held.values() if not isinstance(one, Mapping)]
