"""The loss of a model's output and the targets: by name, by default, or the user's own."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from gradcheck.errors import GradcheckError, one_of
from gradcheck.jax.marks import is_float, main_array
from gradcheck.probing.limits import IGNORED
from gradcheck.spec.options.option import canonical
from gradcheck.spec.probing import LOSSES

#: (output, targets) ↦ a number, or one for each example, of which the mean is taken.
LossFunction = Callable[[Any, Any], Any]

#: optax's losses whose size is known ↦ what they are.
OF_OPTAX = {
    "softmax_cross_entropy_with_integer_labels": "cross-entropy",
    "softmax_cross_entropy": "cross-entropy",
    "safe_softmax_cross_entropy": "cross-entropy",
    "sigmoid_binary_cross_entropy": "binary-cross-entropy",
    "squared_error": "mean-square",
}


class Loss(NamedTuple):
    """A loss, its name, and which law its size follows: one of ``probing.captured.LAWS``, or none that is known."""

    name: str
    function: LossFunction
    law: str = ""

    def value(self, output: Any, targets: Any) -> Any:
        """Return the loss, one number."""
        found = self.function(output, targets)
        found = found[0] if isinstance(found, tuple) else found  # what comes with it is no part of it
        if not is_float(found):
            raise GradcheckError(f"the loss is {type(found).__name__}, not a number or an array of them")
        return jnp.mean(found)


def choose_loss(loss: str | LossFunction | None, output: Any, targets: Any, end: str) -> Loss:
    """Return the loss that was asked for; or cross-entropy where the output looks like logits, else mean square.

    Of the output its shapes are known, and its `end`: the function that it comes from.
    """
    if callable(loss):
        name = getattr(loss, "__name__", type(loss).__name__)
        of_optax = (getattr(loss, "__module__", "") or "").startswith("optax")
        return Loss(name, loss, OF_OPTAX.get(name, "") if of_optax else "")
    if loss is None:
        main = main_array(output)
        if targets is None and main is not None and main.ndim == 0:
            return Loss("the model's own", lambda output, targets: main_array(output))
        loss = "cross-entropy" if _like_logits(main, targets, end) else "mean-square"
    loss = one_of("loss", canonical(loss, LOSSES), LOSSES, beside=", or a function of (output, targets)")
    return Loss(loss, {"cross-entropy": _cross_entropy, "mean-square": _mean_square}[loss], loss)


def _like_logits(output: Any, targets: Any, end: str) -> bool:
    """Whether targets are classes, or the output could be their logits: two or more numbers, not squashed."""
    if output is None or output.ndim < 2 or output.shape[-1] < 2:
        return False
    if targets is None:
        return not end
    whole = hasattr(targets, "dtype") and np.issubdtype(targets.dtype, np.integer)
    return bool(whole and targets.ndim < output.ndim)


def draw_targets(loss: Loss, output: Any, seed: int) -> Any:
    """Draw targets of a loss known by name: classes, or standard normal numbers; of others None."""
    main, generator = main_array(output), np.random.default_rng(seed)
    if main is None or loss.name not in LOSSES:
        return None
    if loss.name == "mean-square":
        return generator.standard_normal(main.shape).astype(main.dtype)
    return generator.integers(0, main.shape[-1], main.shape[:-1]).astype(np.int32)


def check_targets(loss: Loss, output: Any, targets: Any) -> None:
    """Raise an error for targets that a loss known by name can't take.

    Raises
    ------
    GradcheckError
        It says what was given, and what would be right.
    """
    main = main_array(output)
    if loss.name not in LOSSES:
        return
    if main is None:
        raise GradcheckError("the model returns no array of floats: give a loss of what it returns")
    if not hasattr(targets, "shape"):
        raise GradcheckError(f"the targets are {type(targets).__name__}, not an array: give one, or a loss of them")
    if loss.name == "mean-square" or np.issubdtype(targets.dtype, np.floating):
        if targets.size != main.size:
            shapes = f"the output is {shape_of(main)} and the targets {shape_of(targets)}"
            raise GradcheckError(f"{shapes}: give as many, or a loss of both")
        return
    if targets.size != main.size // main.shape[-1]:
        shapes = f"the output is {shape_of(main)}, classes last, and the targets {shape_of(targets)}"
        raise GradcheckError(f"{shapes}: give one class for each row of the output")
    given = np.asarray(targets)[np.asarray(targets) != IGNORED]
    if given.size and not (given.min() >= 0 and given.max() < main.shape[-1]):
        between = f"{given.min()} to {given.max()}"
        raise GradcheckError(f"the targets are {between}, and the output has classes 0 to {main.shape[-1] - 1}")


def shape_of(array: Any) -> str:
    """Return a shape as the command line writes it."""
    return "x".join(map(str, array.shape)) or "a single number"


def _cross_entropy(output: Any, targets: Any) -> Any:
    logits = main_array(output)
    logarithms = jax.nn.log_softmax(logits, axis=-1)
    if is_float(targets):
        return -jnp.sum(targets.reshape(logits.shape) * logarithms, axis=-1).mean()
    rows, labels = logarithms.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    counted = labels != IGNORED
    picked = jnp.take_along_axis(rows, jnp.where(counted, labels, 0)[:, None], axis=-1)[:, 0]
    return -jnp.sum(jnp.where(counted, picked, 0)) / jnp.sum(counted)


def _mean_square(output: Any, targets: Any) -> Any:
    main = main_array(output)
    return jnp.mean((main - targets.reshape(main.shape).astype(main.dtype)) ** 2)


def labels_of(loss: Loss, output: Any, targets: Any) -> tuple[int, np.ndarray | None]:
    """Return how many classes a cross-entropy has, and the labels that count; one-hot targets are labels, too."""
    main = main_array(output)
    if loss.law != "cross-entropy" or main is None or not hasattr(targets, "dtype"):
        return 0, None
    targets, classes = np.asarray(targets), int(main.shape[-1])
    if np.issubdtype(targets.dtype, np.integer) and targets.shape != main.shape:
        return classes, targets[targets != IGNORED].reshape(-1)
    one_hot = targets.shape == main.shape and bool(np.isin(targets, (0, 1)).all() and (targets.sum(-1) == 1).all())
    return classes, targets.argmax(-1).reshape(-1) if one_hot else None
