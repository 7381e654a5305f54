"""Activation functions at work: their outputs and slopes, by the backend's own derivative."""

import math
from collections.abc import Callable
from functools import cache
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
    steepest = steepest_slope(function)
    return None if math.isnan(steepest) else Activity(*_with_slope(function, z), steepest)


@cache
def steepest_slope(function: Callable[[Any], Any]) -> float:
    """Return the largest slope of a function that works entry by entry; nan of any other."""
    try:
        whole, half = (_output(function, one.astype(np.float32)) for one in (SAMPLE, SAMPLE[:32]))
    except Exception:  # it wants another shape
        return math.nan
    if whole.shape != SAMPLE.shape or not np.allclose(whole[:32], half, atol=1e-6):
        return math.nan
    known = ACTIVATIONS.get(str(getattr(function, "__name__", "")))
    return known.steepest if known else float(np.abs(_with_slope(function, RANGE.astype(np.float32))[1]).max())


def _output(function: Callable[[Any], Any], z: np.ndarray) -> np.ndarray:
    return as_array(function(keras.ops.convert_to_tensor(z)))


def _with_slope(function: Callable[[Any], Any], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, (slope,) = value_and_gradients(lambda given: keras.ops.sum(function(given[0])), [z])
    return _output(function, z), np.zeros_like(z) if slope is None else slope
