#!/bin/sh
# Keras 3.15.1 gives a loss FUNCTION targets (n,) beside outputs (n, 1) in one shape, and a subclass of keras.losses.Loss
# the same arrays as they are: (n,) against (n, 1) becomes (n, n) there, without a word. One formula, (y - p)**2, then has
# two values, and the subclass trains towards the mean of all targets.
# Seen with PyTorch 2.13.0 and with JAX 0.10.2 below: the function has one value with targets (n,) and (n, 1), say 3.14; the
# subclass has it with (n, 1), and another one with (n,), say 2.43.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 numpy
KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

random = np.random.default_rng(0)
x, y = random.standard_normal((8, 3)).astype("float32"), random.standard_normal(8).astype("float32")


def function(targets, output):
    return keras.ops.square(targets - output)


class Subclass(keras.losses.Loss):
    def call(self, targets, output):
        return keras.ops.square(targets - output)


model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])


def value(loss, targets):
    model.compile("sgd", loss=loss)
    return float(model.evaluate(x, targets, verbose=0))


told = {(name, targets.ndim): value(loss, targets)
        for name, loss in (("function", function), ("subclass", Subclass())) for targets in (y, y[:, None])}
print(told)
right = told["function", 2]
assert abs(told["function", 1] - right) < 1e-5 and abs(told["subclass", 2] - right) < 1e-5
assert abs(told["subclass", 1] - right) > 1e-2
PYTHON
