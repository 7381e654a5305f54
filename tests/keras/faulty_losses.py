"""Probes Keras models whose loss doesn't fit their output, and prints the codes of what is named as JSON."""

import json
import warnings

import keras
import numpy as np

from gradcheck.diagnosis.remarks import ASKED_FOR
from gradcheck.errors import GradcheckError
from gradcheck.keras import probe

warnings.simplefilter("ignore")
layers, losses, ops = keras.layers, keras.losses, keras.ops
keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
INPUTS, LABELS = random.standard_normal((32, 6)).astype("float32"), random.integers(3, size=32)
HOT, YES = np.eye(3, dtype="float32")[LABELS], random.integers(2, size=(32, 1)).astype("float32")
NUMBERS = random.standard_normal(32).astype("float32")
NAMED = {*ASKED_FOR, "softmax-of-one", "loss-nonfinite"}


class Square(losses.Loss):
    def call(self, targets, output):
        return ops.square(targets - output)


def square(targets, output):
    return ops.square(targets - output)


def logarithm(targets, output):
    return ops.mean(ops.log(-ops.square(targets - output)))


def model(units, end=None, after=None):
    parts = [keras.Input((6,)), layers.Dense(16, "relu"), layers.Dense(units, activation=end)]
    return keras.Sequential(parts if after is None else [*parts, after])


def codes(network, targets, loss):
    try:
        report = probe(network, (INPUTS, targets), loss)
    except GradcheckError as refused:
        return str(refused)
    return [one.code for one in report.verdict.causes if one.code in NAMED]


SPARSE = "sparse_categorical_crossentropy"
LOGITS = losses.SparseCategoricalCrossentropy(from_logits=True)
IN, BOTH = keras.Input((6,)), [LABELS, NUMBERS[:, None]]
TWO = keras.Model(IN, [layers.Dense(3, "softmax")(layers.Dense(8, "relu")(IN)), layers.Dense(1)(IN)])
BY_NAME = keras.Model(IN, {"kind": layers.Dense(3, "softmax")(IN), "size": layers.Dense(1)(IN)})
BY_NAME.compile(loss={"kind": LOGITS, "size": "mse"})
CASES = {
    "softmax twice": (model(3, "softmax"), LABELS, LOGITS),
    "sigmoid twice": (model(1, "sigmoid"), YES, losses.BinaryCrossentropy(from_logits=True)),
    "logits by name": (model(3), LABELS, SPARSE),
    "logits, two classes": (model(1), YES, "binary_crossentropy"),
    "one unit": (model(1, "sigmoid"), YES, "categorical_crossentropy"),
    "over the batch": (model(3, after=layers.Softmax(axis=0)), LABELS, SPARSE),
    "subclass": (model(1), NUMBERS, Square()),
    "function": (model(1), NUMBERS, square),
    "ignored label": (
        model(3), np.where(LABELS == 0, 9, LABELS),
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=9),
    ),
    "right": (model(3, "softmax"), LABELS, SPARSE),
    "right by logits": (model(3), LABELS, LOGITS),
    "one-hot": (model(3, "softmax"), HOT, SPARSE),
    "from 1": (model(3, "softmax"), LABELS + 1, SPARSE),
    "from 1 by default": (model(3), LABELS + 1, None),
    "one of two": (TWO, BOTH, [LOGITS, "mse"]),
    "both right": (TWO, BOTH, [SPARSE, "mse"]),
    "compiled by name": (BY_NAME, {"kind": LABELS, "size": NUMBERS[:, None]}, None),
    "not finite": (model(1), NUMBERS[:, None], logarithm),
}  # fmt: skip
print(json.dumps({name: codes(*case) for name, case in CASES.items()}))  # noqa: T201
