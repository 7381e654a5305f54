"""Small trainings of Keras in a process of their own, whose backend is chosen once: ``python trained_runs.py FOLDER``.

Prints what a test wants to know of each, as JSON; the logs are in the folder.
"""

import contextlib
import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
from tensorboardX import SummaryWriter

from gradcheck.keras import GradientCallback
from gradcheck.keras.callback import COUNT

GENERATOR = np.random.default_rng(0)
INPUTS, LABELS = GENERATOR.normal(size=(96, 6)).astype("float32"), np.arange(96) % 3

#: Name of a training ↦ options of its optimizer.
RUNS = {
    "plain": {}, "clipped": {"global_clipnorm": 0.05}, "accumulated": {"gradient_accumulation_steps": 3},
}  # fmt: skip


def compiled(layers, optimizer):
    model = keras.Sequential([keras.layers.Input((6,)), *layers, keras.layers.Dense(3)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def small(optimizer):
    keras.utils.set_random_seed(0)
    return compiled([keras.layers.Dense(8, "tanh")], optimizer)


def sick():
    keras.utils.set_random_seed(0)
    return compiled([keras.layers.Dense(8, "sigmoid") for _ in range(8)], keras.optimizers.SGD(0.1))


class Weights(keras.callbacks.Callback):
    """Keeps all weights after each batch."""

    def on_train_begin(self, logs=None):
        self.all = [self.model.get_weights()]

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.all.append(self.model.get_weights())


class Interrupt(keras.callbacks.Callback):
    """Ends a training as Ctrl-C does."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 7:
            raise KeyboardInterrupt


class Seen(keras.callbacks.Callback):
    """Keeps the findings in the logs of each epoch, and of the end."""

    def on_train_begin(self, logs=None):
        self.all = []

    def on_epoch_end(self, epoch, logs=None):
        self.all.append([one for one in logs if one.startswith("gradcheck/") and one != COUNT])

    def on_train_end(self, logs=None):
        self.on_epoch_end(0, logs)


def fit(model, *callbacks, epochs=3, **options):
    return model.fit(
        INPUTS, LABELS, batch_size=12, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks), **options
    )


def equal(one, other):
    return all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))


def trained(name, folder):
    """Train with and without the callback; how far each batch moved the weights of each layer, by lr."""
    options = RUNS[name]
    plain, recorded = (small(keras.optimizers.SGD(0.1, **options)) for _ in "ab")
    weights = Weights()
    fit(plain, weights)
    fit(recorded, GradientCallback(folder / f"{name}.jsonl", every=1), validation_data=(INPUTS, LABELS))
    steps = [
        [float(np.linalg.norm(new - old)) / 0.1 for old, new in zip(before, after, strict=True)]
        for before, after in zip(weights.all[:-1], weights.all[1:], strict=True)
    ]
    own = "_clip_gradients" in vars(recorded.optimizer)
    return {"equal": equal(plain, recorded), "steps": steps, "left": own}


def stopped(folder):
    """Train a sick model that is to stop."""
    model = sick()
    callback = GradientCallback(folder / "sick.jsonl", every=1, check_every=20, on_finding="stop")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        history = fit(model, callback, epochs=20)
    batches = int(model.optimizer.iterations)
    texts = [str(one.message) for one in said if "gradcheck" in str(one.message)]
    return {"batches": batches, "history": list(history.history), "warned": texts}


def tabled(folder):
    """Train a model that falls sick in the second epoch; the history, and the table that Keras writes of it."""
    callback = GradientCallback(folder / "tabled.jsonl", every=1, check_every=12, on_finding=lambda one: None)
    history = fit(sick(), callback, keras.callbacks.CSVLogger(folder / "table.csv"), epochs=4)
    return {"history": history.history, "table": (folder / "table.csv").read_text()}


class Written(keras.callbacks.Callback):
    """Writes the logs of each epoch for TensorBoard, as Keras's own does, which needs TensorFlow."""

    def __init__(self, folder):
        super().__init__()
        self.writer = SummaryWriter(str(folder))

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.writer.add_scalar(f"epoch_{name}", value, epoch)

    def on_train_end(self, logs=None):
        self.writer.close()


def written(folder):
    """Train a model that falls sick in the second epoch, with a logger after ours."""
    callback = GradientCallback(folder / "written.jsonl", every=1, check_every=12, on_finding=lambda one: None)
    fit(sick(), callback, Written(folder / "events"), epochs=4)


def told_late(folder):
    """Train a sick model until another callback stops it, before and after ours; what other callbacks' logs had."""
    found = []
    for place in (0, 2):
        callback = GradientCallback(
            folder / f"late{place}.jsonl", every=1, check_every=1000, on_finding=lambda one: None
        )
        callbacks = [callback, Seen()]
        callbacks.insert(place, keras.callbacks.EarlyStopping("loss", min_delta=9.0, patience=4))
        fit(sick(), *callbacks, epochs=20)
        found.append(callbacks[1 if place else 2].all[-2:])
    return found


def resumed(folder):
    """Train, and train on."""
    model = small(keras.optimizers.SGD(0.1))
    callback = GradientCallback(folder / "resumed.jsonl", every=1)
    for _ in range(2):
        fit(model, callback, epochs=1)


def interrupted(folder):
    """Interrupt a training, and train on with another callback; the methods that are replaced meanwhile and after."""
    model, held = small(keras.optimizers.SGD(0.1)), GradientCallback(folder / "interrupted.jsonl", every=1)
    replaced = []
    with contextlib.suppress(KeyboardInterrupt):
        fit(model, held, Interrupt(), epochs=1)
    replaced.append("_clip_gradients" in vars(model.optimizer))
    fit(model, GradientCallback(folder / "interrupted.jsonl", every=1), epochs=1)
    return [*replaced, "_clip_gradients" in vars(model.optimizer)]


def mixed(folder):
    """A loss scale that the optimizer adapts."""
    models = [small(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=256.0)) for _ in "ab"]
    fit(models[0])
    fit(models[1], GradientCallback(folder / "mixed.jsonl", every=1))
    return equal(*models)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    told = {name: trained(name, folder) for name in RUNS}
    resumed(folder)
    written(folder)
    told = {"runs": told, "stopped": stopped(folder), "mixed": mixed(folder), "late": told_late(folder)}
    told["interrupted"] = interrupted(folder)
    print(json.dumps(told | {"tabled": tabled(folder)}))  # noqa: T201
