"""A model of any of the frameworks as the probe sees it: weights by name, and a function of them and the inputs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax

#: Names of arguments that say whether a model is trained ↦ whether they mean the opposite.
MODES = {
    "train": False, "training": False, "is_training": False,
    "deterministic": True, "eval": True, "inference": True, "use_running_average": True,
}  # fmt: skip

#: (model, inputs) ↦ output
Forward = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Model:
    """A model."""

    name: str  # its class
    parameters: dict[str, Any]  # the weights that are trained, by their paths: ``layers.0.kernel``
    state: Any  # all other arrays, as one tree: running means, the states of random numbers
    # Values of the parameters, state, inputs and a key of random numbers ↦ output; layers' calls are marked. Nothing is
    # changed.
    run: Callable[[Sequence[Any], Any, Any, Any], Any]


def called(model: Any, inputs: Any, training: bool, **further: Any) -> Any:
    """Call a model: a tuple is its arguments, a mapping their names; some tell it whether it trains."""
    positional, named = arguments_of(inputs)
    return model(*positional, **(mode_of(model, training) | further | named))


def arguments_of(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return inputs as positional and named arguments."""
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)), {}


def mode_of(model: Any, training: bool) -> dict[str, bool]:
    """Return the arguments of a model's call that say whether it trains."""
    return {name: training != opposite for name, opposite in MODES.items() if name in parameters_of(model)}


def parameters_of(model: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a model's call."""
    try:
        return inspect.signature(type(model).__call__).parameters
    except (TypeError, ValueError):
        return {}


def named(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def with_leaves(like: Any, leaves: Sequence[Any]) -> Any:
    """Return a tree with other leaves."""
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(like), leaves)
