"""The loss of a Keras model: by name, by Keras's objects, by the user's own function, or as the model was compiled."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from gradcheck.errors import GradcheckError, OptionError
from gradcheck.keras.probing.parts import of_part, parts_of
from gradcheck.probing.captured import CapturedLoss
from gradcheck.spec.probing import LOSSES

#: What Keras calls its losses, letters alone ↦ laws.
LAWS = {
    "sparsecategoricalcrossentropy": "cross-entropy",
    "categoricalcrossentropy": "cross-entropy",
    "binarycrossentropy": "binary-cross-entropy",
    "meansquarederror": "mean-square",
    "mse": "mean-square",
}

MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")

#: Functions that a read-out may end in.
ENDS = ("softmax", "sigmoid", "tanh", "relu")


@dataclass(frozen=True)
class Loss:
    """A loss."""

    name: str
    function: Callable[[Any], Any]  # the model's output ↦ a single number
    law: str = ""  # as of ``CapturedLoss``
    targets: Any = None
    drawn: bool = False  # the targets are random numbers, as none were given
    ignored: int | None = None  # the label that it doesn't count

    def captured(self, value: float, output: Any, end: str) -> CapturedLoss:
        """Return what the report needs of it, given the output as an array or a structure of arrays."""
        one = output if isinstance(output, np.ndarray) else None
        parts = tuple(
            (str(key), CapturedLoss(self.name, value, targets=of_part(self.targets, key), output=part))
            for key, part in parts_of(output).items()
        )
        law = self.law if one is not None else ""
        classes = int(one.shape[-1]) if one is not None and law == "cross-entropy" else 0
        targets = None if self.targets is None or one is None else np.asarray(self.targets)
        labels = _labels(targets, classes) if law == "cross-entropy" and targets is not None else None
        labels = labels if labels is None or self.ignored is None else labels[labels != self.ignored]
        return CapturedLoss(
            self.name, value, law, classes, labels, targets, one, end if end in ENDS else "", self.drawn, parts
        )


def _labels(targets: np.ndarray, classes: int) -> np.ndarray | None:
    """Return labels, of one-hot targets their numbers; None of probabilities."""
    if targets.dtype.kind in "iu" and not (targets.ndim > 1 and targets.shape[-1] == classes > 1):
        return targets.reshape(-1)
    if targets.shape[-1] != classes:
        return targets.reshape(-1).astype(int)
    hot = bool(((targets == 0) | (targets == 1)).all() and (targets.sum(-1) == 1).all())
    return targets.argmax(-1).reshape(-1) if hot else None


def choose(
    loss: Any, model: Any, inputs: Any, given: tuple[Any, Any], output: Any, end: str, seed: int, *, training: bool
) -> Loss:
    """Return the loss that was asked for, or that the model was compiled with, or one by the output.

    Targets and weights of the examples are None where they aren't given; `end` is the function that the model ends in.
    """
    targets, weights = given
    if loss is None and getattr(model, "compiled", False) and model.loss is not None:
        law, name = _known(model.loss), _name(model.loss)
        targets = _drawn(law, model.loss, output, seed) if targets is None else targets
        _check_targets(model.loss, targets, output)

        def compiled(out: Any) -> Any:
            return model.compute_loss(x=inputs, y=targets, y_pred=out, sample_weight=weights, training=training)

        ignored = getattr(model.loss, "ignore_class", None)
        return Loss(name, compiled, "" if weights is not None else law, targets, ignored=ignored)
    if loss is None and targets is None and model.losses:
        return Loss("the model's own", lambda out: sum(map(keras.ops.sum, model.losses)))
    if isinstance(loss, list | tuple | dict):
        return _of_several(loss, targets, output)
    if not isinstance(output, np.ndarray) and (loss is None or isinstance(loss, str)):
        many = len(keras.tree.flatten(output))
        raise GradcheckError(
            f"the model returns {many} outputs, and no loss of all of them is given: compile it with its losses, "
            "or give loss= a list of them"
        )
    law = loss.replace("_", "-") if isinstance(loss, str) else ""
    law = law if law in LOSSES else ""
    if loss is None or law:
        return _ours(law or _by_output(output, targets, end), targets, output, end, seed)
    function = _of_keras(loss)
    law = _known(function)
    targets = _drawn(law, function, output, seed) if targets is None else targets
    _check_targets(function, targets, output)
    value = _weighted(function, targets, weights)
    ignored = getattr(function, "ignore_class", None)
    return Loss(_name(loss), value, "" if weights is not None else law, targets, ignored=ignored)


def mean_of(numbers: Any) -> Any:
    """Return the mean of numbers: Keras's own is rounded to single precision."""
    return keras.ops.sum(numbers) / max(1, int(np.prod(tuple(numbers.shape))))


def _of_keras(loss: Any) -> Any:
    """Return Keras's loss of a name; a function or object as it is."""
    if isinstance(loss, type):
        raise OptionError("loss", f"is the class {loss.__name__}; give one of it, as in {loss.__name__}()")
    if not isinstance(loss, str):
        return loss
    try:
        found = keras.losses.get(loss.replace("-", "_") if not loss[:1].isupper() else loss)
    except ValueError:
        found = None
    if found is None:
        raise OptionError("loss", f"{loss!r} is neither cross-entropy, mean-square nor a loss of Keras, such as 'mse'")
    return found


def _weighted(function: Any, targets: Any, weights: Any) -> Callable[[Any], Any]:
    """Return the mean of a loss over the examples; one that has a reduction of its own as it is."""

    def value(out: Any) -> Any:
        if isinstance(function, keras.losses.Loss):
            return function(targets, out, sample_weight=weights)
        found = function(*_aligned(keras.tree.map_structure(keras.ops.convert_to_tensor, targets), out))
        return mean_of(found if weights is None else found * keras.ops.cast(weights, found.dtype))

    return value


def _aligned(targets: Any, out: Any) -> tuple[Any, Any]:
    """Return targets and output as Keras gives them to a function: (n,) beside (n, 1) gets another axis.

    Source: keras.losses.loss.squeeze_or_expand_to_same_rank. A subclass of keras.losses.Loss gets them as they are.
    """
    ranks = [len(getattr(one, "shape", ())) for one in (targets, out)]
    if abs(ranks[0] - ranks[1]) != 1 or (targets if ranks[0] > ranks[1] else out).shape[-1] != 1:
        return targets, out
    if min(ranks) == 1:
        return (keras.ops.expand_dims(targets, -1), out) if ranks[0] == 1 else (targets, keras.ops.expand_dims(out, -1))
    return (keras.ops.squeeze(targets, -1), out) if ranks[0] > ranks[1] else (targets, keras.ops.squeeze(out, -1))


def _check_targets(loss: Any, targets: Any, output: Any) -> None:
    """Raise an error for targets that one of Keras's losses of classes doesn't take."""
    letters = _letters(loss) if not isinstance(loss, list | tuple | dict) else ""
    if not isinstance(output, np.ndarray) or not isinstance(targets, np.ndarray) or output.ndim < 2:
        return
    classes, name = output.shape[-1], _name(loss)
    if letters.startswith("sparsecategorical") and targets.shape == output.shape and classes > 1:
        raise GradcheckError(
            f"{name} takes one number for each example, and the targets are {classes} for each: take "
            "categorical_crossentropy, or targets.argmax(-1)"
        )
    of_vectors = letters.startswith("categorical") and letters.endswith("crossentropy") and classes > 1
    if of_vectors and targets.size * classes == output.size and targets.dtype.kind in "iu":
        raise GradcheckError(
            f"{name} takes {classes} numbers for each example, and the targets are one class for each: take "
            "sparse_categorical_crossentropy, or keras.utils.to_categorical(targets)"
        )
    if letters.startswith("sparsecategorical"):
        _check_labels(targets[targets != getattr(loss, "ignore_class", None)], classes)


def _check_labels(labels: np.ndarray, classes: int) -> None:
    """Raise an error for labels outside of the classes, which PyTorch below Keras can't compute a loss of."""
    if keras.config.backend() == "torch" and labels.size and not (labels.min() >= 0 and labels.max() < classes):
        between = f"the targets are {labels.min()} to {labels.max()}"
        raise GradcheckError(f"{between}, and the output has classes 0 to {classes - 1}: number them from 0")


def _of_several(losses: Any, targets: Any, output: Any) -> Loss:
    """Return the sum of the losses of several outputs."""
    keys = list(losses) if isinstance(losses, dict) else range(len(losses))
    if targets is None:
        raise GradcheckError("the losses are several and no targets are given: give (inputs, targets)")
    functions = {key: _of_keras(losses[key]) for key in keys if losses[key] is not None}

    def value(out: Any) -> Any:
        parts = [_weighted(functions[key], targets[key], None)(out[key]) for key in functions]
        return sum(parts[1:], parts[0])

    return Loss(" + ".join(_name(losses[key]) for key in functions), value, targets=targets)


def _ours(law: str, targets: Any, output: np.ndarray, end: str, seed: int) -> Loss:
    """Return a loss by the name that this package gives it."""
    targets = _drawn(law, None, output, seed) if targets is None else targets
    array = np.asarray(targets)
    if law == "cross-entropy" and array.shape != output.shape:
        _check_labels(array, int(output.shape[-1]))

    def value(out: Any) -> Any:
        if law == "mean-square":
            aim = keras.ops.cast(keras.ops.convert_to_tensor(array.reshape(output.shape)), out.dtype)
            return mean_of(keras.ops.square(out - aim))
        if law == "binary-cross-entropy":
            aim = keras.ops.cast(keras.ops.convert_to_tensor(array.reshape(output.shape)), out.dtype)
            return mean_of(keras.losses.binary_crossentropy(aim, out, from_logits=end != "sigmoid"))
        logits = end != "softmax"
        if array.shape == output.shape:
            aim = keras.ops.cast(keras.ops.convert_to_tensor(array), out.dtype)
            return mean_of(keras.losses.categorical_crossentropy(aim, out, from_logits=logits))
        rows = keras.ops.reshape(out, (-1, output.shape[-1]))  # PyTorch has no gradient where they are pictures
        aim = keras.ops.convert_to_tensor(array.reshape(-1))
        return mean_of(keras.losses.sparse_categorical_crossentropy(aim, rows, from_logits=logits))

    return Loss(law, value, law, array)


def _by_output(output: np.ndarray, targets: Any, end: str) -> str:
    """Return the law that fits an output: of classes, of two classes each, or of numbers."""
    if end == "sigmoid":
        return "binary-cross-entropy"
    if output.ndim < 2 or output.shape[-1] < 2 or end in ("relu", "tanh"):
        return "mean-square"
    if targets is None or end == "softmax":
        return "cross-entropy"
    array = np.asarray(targets)
    if array.shape == output.shape:
        one = bool((array >= 0).all()) and np.allclose(array.sum(-1), 1, atol=1e-3)
        return "cross-entropy" if one else "mean-square"
    return "cross-entropy" if array.dtype.kind in "iu" else "mean-square"


def _drawn(law: str, loss: Any, output: Any, seed: int) -> Any:
    """Draw targets of a loss that is known: classes, yes or no, or standard normal numbers."""
    if not law or not isinstance(output, np.ndarray):
        raise GradcheckError("targets can't be drawn for this loss: give (inputs, targets)")
    generator, shape = np.random.default_rng(seed), output.shape
    if law == "mean-square":
        return np.asarray(generator.standard_normal(shape), output.dtype)
    if law == "binary-cross-entropy":
        return np.asarray(generator.integers(0, 2, shape), output.dtype)
    labels = generator.integers(shape[-1], size=shape[:-1])
    hot = loss is not None and _letters(loss).startswith("categorical")
    return np.eye(int(shape[-1]))[labels] if hot else labels


def _known(loss: Any) -> str:
    """Return the law of one of Keras's losses; empty where it is none, or no mean."""
    if isinstance(loss, keras.losses.Loss) and loss.reduction not in MEANS:
        return ""
    return "" if isinstance(loss, list | tuple | dict) else LAWS.get(_letters(loss), "")


def _letters(loss: Any) -> str:
    return re.sub(r"[^a-z]", "", _name(loss).lower())


def _name(loss: Any) -> str:
    """Return what a loss is called."""
    if isinstance(loss, str):
        return loss
    if isinstance(loss, list | tuple | dict):
        return " + ".join(map(_name, loss.values() if isinstance(loss, dict) else loss))
    return str(getattr(loss, "__qualname__", type(loss).__name__))
