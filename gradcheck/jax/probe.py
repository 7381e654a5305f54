"""``probe``: the same diagnosis for a user's own model of Flax or Equinox, by JAX's own derivatives."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Unpack

import jax
from jax import numpy as jnp

from gradcheck.diagnosis.report import Report
from gradcheck.errors import GradcheckError, OptionError, at_least, one_of
from gradcheck.jax.capturing import JaxSubject
from gradcheck.jax.losses import LossFunction
from gradcheck.jax.model import Forward, Model
from gradcheck.probing.subject import probe_subject
from gradcheck.probing.user_errors import errors_in_one_line
from gradcheck.spec.options.measurement import VerdictOptions
from gradcheck.spec.options.option import takes
from gradcheck.spec.probing import MODES
from gradcheck.spec.thresholds import Thresholds


@takes(VerdictOptions)
def probe(
    model: Any,
    batch: Any,
    loss: str | LossFunction | None = None,
    *,
    forward: Forward | None = None,
    mode: str = "train",
    seed: int = 0,
    trial: bool = True,
    tick: Callable[[float], None] | None = None,
    **limits: Unpack[VerdictOptions],
) -> Report:
    """Pass a batch forward and its gradient back through a model of Flax or Equinox, and diagnose that gradient.

    >>> report = gradcheck.jax.probe(nnx.Linear(4, 2, rngs=nnx.Rngs(0)), (x, y))
    >>> report = gradcheck.jax.probe((module, module.init(key, x)), (x, y), loss=optax.l2_loss)

    Parameters
    ----------
    model : nnx.Module, (linen.Module, variables), TrainState, equinox.Module or (equinox.Module, State)
        It is left as it was: its weights, running means and random numbers.
    batch : array, tuple, list, mapping or callable
        (inputs, targets), or inputs alone; inputs are an array with the examples first, a list or tuple of them, or a
        mapping of names. Targets that aren't given are drawn. A callable returns such a batch.
    loss : str or callable, optional
        ``cross-entropy``, ``mean-square``, or (output, targets) ↦ a number or one for each example, as optax's losses
        are. By default cross-entropy where the output looks like logits, else mean square.
    forward : callable, optional
        (model, inputs) ↦ output, where that isn't ``model(inputs)``, or of Equinox ``jax.vmap(model)(inputs)``; a linen
        module is bound to its variables.
    mode : str
        ``train`` or ``eval``.
    seed : int
        For targets that are drawn, and for dropout.
    trial : bool
        Train a model that looks ill on this batch, for 360 steps at most, before it is accused; limits of your own
        decide without one.
    vanish_below, explode_above, max_span, min_rank, dead_above, saturated_above : float
        Limits of what is healthy; see ``gradcheck.Thresholds``.
    tick : callable, optional
        Called with the share of the work that has been done.

    Returns
    -------
    Report
        ``layers`` are the modules that hold weights, by name, except the last one used: it is the read-out, ``output``.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, or an option isn't as it has to be; the message says what would be right.
    """
    thresholds = Thresholds(**limits)
    mode = one_of("mode", mode, MODES)
    seed = at_least("seed", seed, 0, "it seeds the random numbers")
    framework, seen = _model(model, forward, mode == "train")
    inputs, targets = _as_batch(batch)
    with errors_in_one_line():
        subject = JaxSubject(seen, inputs, targets, loss, seed)
        options = {"loss": subject.loss.name if callable(loss) else loss, "mode": mode, "seed": seed}
        return probe_subject(subject, framework, seen.name, options, thresholds, trial=trial, tick=tick)


def _as_batch(batch: Any) -> tuple[Any, Any]:
    """Return inputs and targets."""
    if callable(batch) and not hasattr(batch, "shape"):
        with errors_in_one_line("the batch failed: "):
            batch = batch()
    inputs, targets = batch if isinstance(batch, tuple) and len(batch) == 2 else (batch, None)
    arrays = jax.tree.leaves(inputs)
    for one in arrays:
        if not hasattr(one, "shape"):
            raise OptionError("batch", f"holds {type(one).__name__} among its inputs: they are arrays, examples first")
        if not one.shape or not one.shape[0]:
            raise OptionError("batch", f"has an input of shape {one.shape}: its first axis counts the examples")
        _check_numbers(one)
    if not arrays:
        raise OptionError("batch", "holds no inputs: give (inputs, targets), or inputs alone")
    return inputs, targets


def _check_numbers(array: Any) -> None:
    """Raise an error for an input that JAX can't read, or that is not finite."""
    if getattr(array.dtype, "kind", "") in "OSUMm":
        raise OptionError("batch", f"has an input of {array.dtype}, not of numbers: vectorise text before the model")
    if jnp.issubdtype(array.dtype, jnp.inexact) and not jnp.isfinite(array).all():
        raise OptionError("batch", "has inputs that are not finite: clean them first")


def _model(model: Any, forward: Forward | None, training: bool) -> tuple[str, Model]:
    """Return the framework's name, and what is seen of a model."""
    if find_spec("flax") is not None:
        from gradcheck.jax.linen import is_linen, linen_model
        from gradcheck.jax.nnx import is_nnx, nnx_model

        if is_nnx(model):
            return "Flax", nnx_model(model, forward, training)
        if is_linen(model):
            return "Flax", linen_model(model, forward, training)
    if find_spec("equinox") is not None:
        from gradcheck.jax.equinox import equinox_model, is_equinox

        if is_equinox(model):
            return "Equinox", equinox_model(model, forward, training)
    what = "an nnx.Module, (linen.Module, variables), a TrainState or an equinox.Module"
    raise GradcheckError(f"model is {type(model).__name__}: give {what}")
