"""``gradcheck probe --framework flax|equinox``: a model, a batch and a loss by the names that a command line gives."""

from functools import partial
from typing import Any

import jax

from gradcheck.diagnosis.report import Report
from gradcheck.jax.probe import probe
from gradcheck.probing.command import probe_named
from gradcheck.probing.loading import load_model
from gradcheck.probing.user_errors import errors_in_one_line


def probe_target(target: str, *, framework: str, **options: Any) -> Report:
    """Probe what a command line names, as ``probing.command.probe_named`` has it.

    A linen module alone is initialised with the seed.
    """
    load = partial(load_model, framework=framework, what=f"a model of {framework}", is_model=_is_model)
    return probe_named(target, load, _example, _initialised_and_probed, **options)


def _initialised_and_probed(model: Any, given: Any, loss: Any, *, seed: int, **options: Any) -> Report:
    return probe(_with_variables(model, given, seed), given, loss, seed=seed, **options)


def _example(model: Any) -> str:
    """Return how --input is given."""
    return "it has the examples first, the channels last in Flax: --input 32x784"


def _is_model(found: Any) -> bool:
    """Whether this is a model, one with its variables or state, or a state of training."""
    first = found[0] if isinstance(found, tuple) and found else found
    packages = {one.__module__.partition(".")[0] for one in type(first).__mro__}
    return bool(packages & {"flax", "equinox"}) and not isinstance(first, type)


def _with_variables(model: Any, given: Any, seed: int) -> Any:
    """Return a linen module with variables of its own; any other model as it is."""
    if {"linen"}.isdisjoint(part for one in type(model).__mro__ for part in one.__module__.split(".")):
        return model
    from gradcheck.jax.linen import initialised

    inputs = given[0] if isinstance(given, tuple) and len(given) == 2 else given
    with errors_in_one_line("the model's init failed: "):
        return initialised(model, inputs, jax.random.key(seed))
