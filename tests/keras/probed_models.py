"""Probes Keras models with the backend of the environment, and prints what a test asks for as JSON."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from runpy import run_path

import keras
import numpy as np

from gradcheck.errors import GradcheckError
from gradcheck.keras import probe
from gradcheck.keras.probing.subject import KerasSubject
from gradcheck.probing.subject import ArrayLesson

warnings.simplefilter("ignore")
# Keras rounds what 64 bits hold to 32 wherever types meet (findings/keras-float64-is-float32.sh): not so here.
import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE = {}
keras.config.set_floatx("float64")
SHARED = run_path(str(Path(__file__).parents[1] / "probing/perceptron.py"))
PICTURES = run_path(str(Path(__file__).with_name("pictures.py")))
layers = keras.layers
random = np.random.default_rng(0)


def perceptron(activation="relu", *, apart=False, last=None):
    """The perceptron of all frameworks, with activations within its layers or apart from them."""
    parts = []
    for kernel, _ in SHARED["weights"]():
        parts.append(layers.Dense(kernel.shape[1], activation=None if apart else activation))
        parts += [layers.Activation(activation)] if apart else []
    if apart:
        parts.pop()
    else:
        parts[-1] = layers.Dense(SHARED["WIDTHS"][-1], activation=last)
    model = keras.Sequential([keras.Input((SHARED["WIDTHS"][0],)), *parts])
    model.set_weights([one for pair in SHARED["weights"]() for one in pair])
    return model


def codes(report):
    return [one["code"] for one in report["verdict"]["causes"]]


def of(model, batch, loss=None, **options):
    return probe(model, batch, loss, **options).to_dict()


def same_numbers():
    inputs, labels = SHARED["batch"]()
    return {
        "relu": of(perceptron("relu"), (inputs, labels), "cross-entropy"),
        "tanh": of(perceptron("tanh"), (inputs, labels), "cross-entropy"),
        "apart": of(perceptron("relu", apart=True), (inputs, labels), "cross-entropy"),
        "pictures": of(PICTURES["keras_model"](), PICTURES["batch"](), "cross-entropy"),
    }


def losses():
    """One network and one batch, the loss given in many ways: the value of each, and its constant answer."""
    inputs, labels = SHARED["batch"]()
    hot = np.eye(SHARED["WIDTHS"][-1])[labels]
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled = perceptron()
    compiled.compile("sgd", loss=logits)

    def own(targets, output):
        return keras.losses.sparse_categorical_crossentropy(targets, output, from_logits=True)

    reports = {
        "by name": of(perceptron(), (inputs, labels), "cross-entropy"),
        "by default": of(perceptron(), (inputs, labels)),
        "object": of(perceptron(), (inputs, labels), logits),
        "callable": of(perceptron(), (inputs, labels), own),
        "compiled": of(compiled, (inputs, labels)),
        "one-hot": of(perceptron(), (inputs, hot), keras.losses.CategoricalCrossentropy(from_logits=True)),
        "probabilities": of(perceptron(last="softmax"), (inputs, labels), "sparse_categorical_crossentropy"),
        "of Keras by name": of(perceptron(last="softmax"), (inputs, hot), "categorical_crossentropy"),
    }
    return {name: [one["output"]["loss"], one["model"]["loss"]["constant_answer"]] for name, one in reports.items()}


def untouched():
    """What a probe with a trial leaves of a model with a norm, dropout, a recurrence and a frozen layer."""
    inputs = keras.Input((6, 4))
    x = layers.LSTM(5)(layers.Dropout(0.3)(layers.BatchNormalization()(layers.Dense(4)(inputs))))
    for _ in range(12):
        x = layers.Dense(5, activation="sigmoid")(x)
    model = keras.Model(inputs, layers.Dense(3)(x))
    model.layers[1].trainable = False

    def state():
        every = [one for layer in model._flatten_layers() for one in vars(layer)]
        flags = [layer.trainable for layer in model.layers]
        nodes = [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in model.layers]
        return (
            [np.asarray(keras.ops.convert_to_numpy(one.value)).tolist() for one in model.variables],
            flags,
            every,
            nodes,
        )

    model(np.zeros((1, 6, 4)))
    before = state()
    rows, labels = random.standard_normal((16, 6, 4)), random.integers(3, size=16)
    reports = [of(model, (rows, labels)) for _ in range(2)]
    lesson = ArrayLesson(KerasSubject(model, rows, (labels, None), "cross-entropy", 0, training=True), None)
    with lesson.adam(1e-2) as step:
        learnt = [step(number) for number in range(30)]
    return {
        "same": state() == before, "frozen": reports[0]["model"]["frozen"], "repeated": reports[0] == reports[1],
        "learns": learnt[-1] < learnt[0],
    }  # fmt: skip


def kinds():
    """The kinds of the layers of a model with attention, a recurrence, an embedding, a nested and a shared one."""
    words = keras.Input((7,), dtype="int32")
    x = layers.Embedding(20, 8)(words)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    inside = keras.Sequential(
        [layers.Dense(8, activation="relu", name="one"), layers.Dense(8, name="two")], name="inside"
    )
    inside.build((None, 7, 8))
    x = inside(inside(x))
    model = keras.Model(words, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
    report = of(model, random.integers(20, size=(6, 7)))
    return {layer["name"]: layer["kind"] for layer in report["layers"]} | {"codes": codes(report)}


class Branches(keras.Model):
    """A model of a class of its own, with operations of Keras between its layers."""

    def __init__(self):
        super().__init__()
        self.first, self.inside, self.last = layers.Dense(6), layers.Dense(6), layers.Dense(2)

    def call(self, x):
        x = keras.ops.relu(self.first(x))
        return self.last(x + keras.ops.tanh(self.inside(x)))


class Opaque(Branches):
    """The same, by way of NumPy's shapes: symbols have no values."""

    def call(self, x):
        if float(keras.ops.convert_to_numpy(keras.ops.max(keras.ops.stop_gradient(x)))) > 1e9:
            return self.last(x)
        return super().call(x)


def compiled():
    """A model whose call TensorFlow compiles, and the same without: the numbers of each."""
    from tensorflow import function

    class Compiled(Branches):
        call = function(Branches.call)

    rows, weights = random.standard_normal((16, 5)), None
    found = []
    for model in (Compiled(), Branches()):
        model(rows)
        weights = weights or model.get_weights()
        model.set_weights(weights)
        found.append([{**one, "name": None} for one in of(model, rows)["layers"]])
    return found


def own_classes():
    rows = random.standard_normal((16, 5))
    seen, opaque = of(Branches(), rows), of(Opaque(), rows) if keras.config.backend() != "jax" else None
    return {
        "dead": [one["dead_fraction"] for one in seen["layers"]],
        "said": seen["verdict"]["reasons"][-1],
        "opaque": None if opaque is None else opaque["verdict"]["reasons"][-1],
    }


def several():
    """Two inputs by name, two outputs, two losses; and mixed precision."""
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    x = layers.Dense(8, activation="relu")(layers.Concatenate()([one, two]))
    model = keras.Model({"one": one, "two": two}, [layers.Dense(1)(x), layers.Dense(1, activation="sigmoid")(x)])
    inputs = {"one": random.standard_normal((8, 4)), "two": random.standard_normal((8, 3))}
    targets = [random.standard_normal((8, 1)), random.integers(2, size=(8, 1)).astype(float)]
    both = of(model, (inputs, targets), ["mse", "binary_crossentropy"])
    mixed = keras.Sequential([
        *(layers.Dense(8, activation="relu", dtype="mixed_bfloat16") for _ in range(2)),
        layers.Dense(3, dtype="float32"),
    ])  # fmt: skip
    return {
        "both": both["verdict"]["status"], "loss": both["config"]["loss"],
        "mixed": of(mixed, random.standard_normal((16, 6)).astype("float32"))["verdict"]["status"],
    }  # fmt: skip


def warned():
    """What Python warns of while a model is probed."""
    inputs, labels = SHARED["batch"]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        of(perceptron(), (inputs, labels))
    return [str(one.message) for one in said]


def faults():
    """What is wrong with some models, and what the probe says of that."""
    inputs, labels = SHARED["batch"]()

    def error(*arguments, **options):
        try:
            return codes(of(*arguments, **options))
        except GradcheckError as refused:
            return str(refused)

    frozen, broken, deep = perceptron(), perceptron(), keras.Sequential()
    frozen.trainable = False
    broken.layers[1].set_weights([one * np.nan for one in broken.layers[1].get_weights()])
    for _ in range(20):
        deep.add(layers.Dense(16, activation="sigmoid"))
    deep.add(layers.Dense(3))
    pictures = keras.Sequential([layers.Conv2D(8, 3, activation="relu"), layers.Conv2D(3, 3, activation="softmax")])
    batch = random.standard_normal((4, 9, 9, 2)), random.integers(3, size=(4, 5, 5))
    dead = perceptron()
    dead.layers[2].set_weights([np.zeros((16, 16)), np.full(16, -1.0)])
    return {
        "frozen": error(frozen, inputs),
        "no model": error([1], inputs),
        "four parts": error(perceptron(), (inputs, labels, labels, labels)),
        "nan": of(broken, (inputs, labels))["verdict"],
        "dead": of(dead, (inputs, labels))["verdict"]["status"],
        "deep": of(deep, inputs)["verdict"]["status"],
        "pictures": of(pictures, batch)["verdict"]["status"],
        "loss of pictures": error(pictures, batch, "sparse_categorical_crossentropy"),
        "one example": error(
            keras.Sequential([layers.Dense(8), layers.BatchNormalization(), layers.ReLU(), layers.Dense(3)]), inputs[:1]
        ),
        "alike": error(perceptron("tanh"), np.tile(inputs[:1], (8, 1))),
        "shape": error(perceptron(), inputs[:, :5]),
        "mode": error(perceptron(), inputs, mode="trian"),
        "loss": error(perceptron(), (inputs, labels), "crossentropi"),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: globals()[name]() for name in sys.argv[1:]}))
