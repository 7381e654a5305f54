#!/bin/sh
# Keras' global_clipnorm makes every weight NaN where one gradient entry is infinite, or too large to be squared.
#
# Keras 3.15.1 (JAX 0.10.2 below; PyTorch 2.13.0 gives the same): the factor of global_clipnorm has the term norm - norm,
# which is NaN for an infinite norm. One entry of inf, and so one finite entry of 1e20 whose square float32 can't hold,
# turns all weights of the model into NaN in one step. PyTorch, optax, Paddle and MLX turn the other gradients into zero
# there. clipnorm of the same optimizer spoils the variable with the infinite entry alone, and clipvalue takes a step of
# the size of the limit, as if nothing had overflowed. clipnorm is per variable, too: with 100 variables the norm of the
# whole step may be ten times the limit that one gave.
#
# Seen: weights after the step, of the variable with the entry and of another one:
#   an entry of inf:  global_clipnorm nan nan   clipnorm nan -1   clipvalue -1 -1
#   an entry of 1e20: global_clipnorm nan nan   clipnorm 0 -1     clipvalue -1 -1
#   norm of the step with clipnorm=1 and 100 variables: 10
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import keras
import numpy as np


def after_a_step(entry, **clip):
    one, other = (keras.Variable(np.zeros(1), dtype="float32") for _ in range(2))
    keras.optimizers.SGD(1.0, **clip).apply([keras.ops.array([entry]), keras.ops.array([4.0])], [one, other])
    return float(one.numpy()[0]), float(other.numpy()[0])


found = {}
for entry in (math.inf, 1e20):
    for name in ("global_clipnorm", "clipnorm", "clipvalue"):
        found[entry, name] = after_a_step(entry, **{name: 1.0})
        print(f"an entry of {entry:g}, {name}=1: weights {found[entry, name]}")
many = [keras.Variable(np.zeros(1), dtype="float32") for _ in range(100)]
keras.optimizers.SGD(1.0, clipnorm=1.0).apply([keras.ops.array([5.0])] * 100, many)
step = math.hypot(*(float(one.numpy()[0]) for one in many))
print(f"clipnorm=1, 100 variables: the step has the norm {step:g}")
assert all(map(math.isnan, (*found[math.inf, "global_clipnorm"], *found[1e20, "global_clipnorm"])))
assert math.isnan(found[math.inf, "clipnorm"][0]) and found[math.inf, "clipnorm"][1] == -1
assert found[1e20, "clipnorm"] == (0, -1)
assert found[math.inf, "clipvalue"] == found[1e20, "clipvalue"] == (-1, -1)
assert abs(step - 10) < 1e-4
PYTHON
