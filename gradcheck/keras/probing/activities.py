"""Activation functions at work: their outputs and slopes, by the backend's own derivative."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.keras.probing.derivatives import as_array, value_and_gradients
from gradcheck.probing.captured import Activity

#: Where the largest slope is looked for.
RANGE = np.linspace(-10.0, 10.0, 2001)

#: Numbers that tell whether a function works entry by entry.
SAMPLE = np.random.default_rng(0).standard_normal(64)


def activity(function: Callable[[Any], Any], z: np.ndarray) -> Activity | None:
    """Return a function at work on z; None where it doesn't work entry by entry, as a softmax."""
    if not is_elementwise(function):
        return None
    output, slope = _with_slope(function, z)
    name = str(getattr(function, "__name__", ""))
    known = ACTIVATIONS.get(name)
    steepest = float(np.abs(_with_slope(function, RANGE.astype(z.dtype))[1]).max()) if known is None else known.steepest
    return Activity(output, slope, steepest)


def is_elementwise(function: Callable[[Any], Any]) -> bool:
    """Whether a function's output depends entry by entry on what it is given."""
    try:
        whole, half = (_output(function, one.astype(np.float32)) for one in (SAMPLE, SAMPLE[:32]))
    except Exception:  # it wants another shape
        return False
    return whole.shape == SAMPLE.shape and bool(np.allclose(whole[:32], half, atol=1e-6))


def _output(function: Callable[[Any], Any], z: np.ndarray) -> np.ndarray:
    return as_array(function(keras.ops.convert_to_tensor(z)))


def _with_slope(function: Callable[[Any], Any], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, (slope,) = value_and_gradients(lambda given: keras.ops.sum(function(given[0])), [z])
    return _output(function, z), np.zeros_like(z) if slope is None else slope
