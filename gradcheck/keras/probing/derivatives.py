"""The derivative of a function of arrays, or of an activation function at work, by what computes below Keras."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras
import numpy as np

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.errors import GradcheckError
from gradcheck.probing.backends import quick
from gradcheck.probing.captured import Activity

#: Backend tensors ↦ a single number.
Scalar = Callable[[Sequence[Any]], Any]

#: What returns the tensors of a call at which gradients are wanted as well.
Watched = Callable[[], Sequence[Any]]

#: Arrays, and what else the function takes ↦ its value, and its gradient at each of the arrays.
Repeated = Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], tuple[float, list[np.ndarray | None]]]

#: Bytes of a number in single precision.
SINGLE = 4

#: Where the largest slope is looked for.
RANGE = np.linspace(-10.0, 10.0, 2001)

#: Numbers that tell whether a function works entry by entry.
SAMPLE = np.random.default_rng(0).standard_normal(64)

#: What PyTorch 2.13 says of nll_loss where classes are last in memory: github.com/pytorch/pytorch/issues/175084.
NO_GRADIENT = (
    "sparse_categorical_crossentropy of probabilities has no gradient for pictures with PyTorch below, in fit neither "
    "(grad_input must be contiguous): leave out the softmax and say from_logits=True, or set KERAS_BACKEND=jax"
)


def value_and_gradients(
    function: Scalar, arrays: Sequence[np.ndarray], watched: Watched = list
) -> tuple[float, list[np.ndarray | None]]:
    """Return a function's value, and its gradient at each array; None where it has no way to one.

    Those at the tensors that `watched` returns after the call follow; not with JAX, whose functions leave no tensors.
    """
    backend = keras.config.backend()
    if backend not in DERIVATIVES:
        known = ", ".join(DERIVATIVES)
        raise GradcheckError(
            f"Keras computes with {backend!r}, which has no derivatives here; set KERAS_BACKEND to one of {known}"
        )
    value, gradients = DERIVATIVES[backend](function, arrays, watched)
    return float(as_array(value)), [None if one is None else as_array(one) for one in gradients]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers that are drawn outside of Keras's own generators, and put their states back.

    With PyTorch below, a dropout without a seed draws from PyTorch's.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        if keras.config.backend() != "torch":
            yield
            return
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def watch(tensor: Any) -> Any:
    """Return a tensor at which PyTorch can be asked for a gradient; with TensorFlow each can."""
    if keras.config.backend() == "torch" and not tensor.requires_grad:
        return tensor.detach().requires_grad_()
    return tensor


def repeated(function: Callable[[Sequence[Any], Sequence[Any]], Any]) -> Repeated:
    """Return what gives a function's value and its gradient at the first of its arguments, again and again."""
    if keras.config.backend() != "jax":
        return lambda arrays, state: value_and_gradients(lambda leaves: function(leaves, state), arrays)
    import jax

    compiled = jax.jit(jax.value_and_grad(function))

    def run(arrays: Sequence[np.ndarray], state: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray | None]]:
        value, gradients = compiled(list(arrays), list(state))
        return float(value), [as_array(one) for one in gradients]

    return run


@contextmanager
def run_eagerly() -> Iterator[None]:
    """Run what a model has in a ``tf.function`` line by line, where its layers' outputs can be seen."""
    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow

    before = tensorflow.config.functions_run_eagerly()
    tensorflow.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tensorflow.config.run_functions_eagerly(before)


def as_array(tensor: Any) -> np.ndarray:
    """Return a backend's tensor as an array of its own of NumPy's; half precision as float32.

    Keras gives PyTorch's tensors to ``np.array``, for which NumPy 2 has a warning.
    """
    if hasattr(tensor, "detach"):
        half = tensor.is_floating_point() and tensor.element_size() < SINGLE
        array = np.array((tensor.float() if half else tensor).numpy(force=True), order="C")
    else:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(tensor))
    array = array.reshape(tuple(tensor.shape))
    wide = array.dtype.kind in "fiub" and array.dtype != np.float16
    return array if wide else array.astype(np.float32)


def _by_torch(function: Scalar, arrays: Sequence[np.ndarray], watched: Watched) -> tuple[Any, Sequence[Any]]:
    import torch

    with torch.enable_grad():
        leaves = [keras.ops.convert_to_tensor(one).detach().clone().requires_grad_() for one in arrays]
        value = function(leaves)
        wanted = [*leaves, *watched()]
        if value.grad_fn is None:
            return value.detach(), [None] * len(wanted)
        try:
            return value.detach(), torch.autograd.grad(value, wanted, allow_unused=True)
        except RuntimeError as error:
            if "grad_input must be contiguous" in str(error):
                raise GradcheckError(NO_GRADIENT) from error
            raise


def _by_jax(function: Scalar, arrays: Sequence[np.ndarray], watched: Watched) -> tuple[Any, Sequence[Any]]:
    import jax

    compiled = jax.jit(jax.value_and_grad(function), compiler_options=quick(jax.default_backend()))
    value, gradients = compiled(list(arrays))
    return value, gradients


def _by_tensorflow(function: Scalar, arrays: Sequence[np.ndarray], watched: Watched) -> tuple[Any, Sequence[Any]]:
    import tensorflow

    leaves = [keras.ops.convert_to_tensor(one) for one in arrays]
    with tensorflow.GradientTape() as tape:
        tape.watch(leaves)
        value = function(leaves)
    found = tape.gradient(value, [*leaves, *watched()])
    return value, [None if one is None else tensorflow.convert_to_tensor(one) for one in found]


#: What computes ↦ its derivatives.
DERIVATIVES = {"torch": _by_torch, "jax": _by_jax, "tensorflow": _by_tensorflow}


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
