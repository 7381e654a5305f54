"""``probe``: the diagnosis of a Keras model, by the derivatives of what computes below it."""

from collections.abc import Callable
from typing import Any, Unpack

import keras
import numpy as np

from gradcheck.diagnosis.report import Report
from gradcheck.errors import GradcheckError, OptionError, at_least, one_of
from gradcheck.keras.probing.derivatives import run_eagerly
from gradcheck.keras.probing.subject import KerasSubject
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
    loss: Any = None,
    *,
    mode: str = "train",
    seed: int = 0,
    trial: bool = True,
    tick: Callable[[float], None] | None = None,
    **limits: Unpack[VerdictOptions],
) -> Report:
    """Pass a batch forward and its gradient back through a Keras model, and diagnose that gradient.

    >>> layers = [keras.layers.Dense(32, "sigmoid") for _ in range(20)]
    >>> report = gradcheck.keras.probe(keras.Sequential([*layers, keras.layers.Dense(10)]), np.random.randn(64, 32))
    >>> report.verdict.status
    'vanishing'

    Parameters
    ----------
    model : keras.Model
        Sequential, functional or of a class of its own. A model without weights is built by the batch; weights, moving
        averages and random numbers are left as they were.
    batch : array, structure of arrays, tuple or callable
        (inputs, targets) or (inputs, targets, sample_weight), or inputs alone; several inputs are a list or a mapping.
        Targets that aren't given are drawn. A callable returns such a batch.
    loss : str, callable, list or dict, optional
        ``cross-entropy``, ``mean-square``, a loss of Keras by name or as an object, or (targets, output) ↦ numbers, as
        Keras has it; of several outputs a list or a mapping of them. By default what the model was compiled with, or
        cross-entropy where the output looks like classes, else mean square.
    mode : str
        ``train`` or ``eval``.
    seed : int
        For targets that are drawn.
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
        As of ``gradcheck.torch.probe``: ``layers`` are the layers that hold weights, except the last one used, which is
        the read-out. A layer's own activation is told apart from it. Its last reason says what wasn't looked at.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, or an option isn't as it has to be; the message says what would be right.
    """
    thresholds = Thresholds(**limits)
    _check_model(model)
    mode = one_of("mode", mode, MODES)
    seed = at_least("seed", seed, 0, "it seeds the random numbers")
    inputs, given = _as_batch(batch)
    with errors_in_one_line():
        if not model.built or not model.weights:
            model(inputs, training=False)
    if not model.trainable_variables:
        name, count = type(model).__name__, len(model.weights)
        frozen = f"has nothing to train: all {count} of its weights are frozen; set layer.trainable = True"
        raise GradcheckError(f"{name} {frozen if count else 'has no weights: there is no layer to measure'}")
    options = {"loss": loss if isinstance(loss, str | None) else type(loss).__name__, "mode": mode, "seed": seed}
    options["backend"] = keras.config.backend()
    with errors_in_one_line(), run_eagerly():
        subject = KerasSubject(model, inputs, given, loss, seed, training=mode == "train")
        return probe_subject(subject, "Keras", type(model).__name__, options, thresholds, trial=trial, tick=tick)


def _check_model(model: Any) -> None:
    """Raise an error for what isn't a model of Keras."""
    if isinstance(model, type):
        raise GradcheckError(f"{model.__name__} is a class, not a model: give one of it, as in {model.__name__}(…)")
    if not isinstance(model, keras.Layer):
        raise GradcheckError(f"{type(model).__name__} is not a keras.Model: there is nothing to probe")


def _as_batch(batch: Any) -> tuple[Any, tuple[Any, Any]]:
    """Return inputs, and targets with the weights of the examples, as arrays."""
    if callable(batch) and not hasattr(batch, "shape"):
        with errors_in_one_line("the batch failed: "):
            batch = batch()
    if isinstance(batch, tuple) and len(batch) > 3:
        given = f"is a tuple of {len(batch)}"
        raise OptionError("batch", f"{given}: give (inputs, targets, sample_weight), several inputs as a list")
    inputs, targets, weights = (*batch, None, None)[:3] if isinstance(batch, tuple) else (batch, None, None)
    arrays = [keras.tree.map_structure(np.asarray, one) for one in (inputs, targets, weights) if one is not None]
    flat = keras.tree.flatten(arrays[0]) if arrays else []
    if not flat:
        raise OptionError("batch", "holds no inputs: give (inputs, targets), or inputs alone")
    for one in flat:
        _check_input(one)
    named = iter(arrays)
    inputs, targets, weights = (None if one is None else next(named) for one in (inputs, targets, weights))
    return inputs, (targets, weights)


def _check_input(array: np.ndarray) -> None:
    if array.dtype.kind not in "fiub":
        raise OptionError("batch", f"has an input of {array.dtype}, not of numbers: vectorise text before the model")
    if not array.size or not array.ndim:
        raise OptionError("batch", f"has an input without examples, of shape {'x'.join(map(str, array.shape)) or '()'}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OptionError("batch", "has inputs that are not finite: clean them first")
