#!/bin/sh
# Keras counts batches where it accumulates gradients, and a schedule of the learning rate runs through by that count.
#
# Keras 3.15.1 with PyTorch 2.13.0. With gradient_accumulation_steps=4 an optimizer updates the weights every fourth batch,
# and its `iterations` are the updates: 25 after 100 batches. A LearningRateSchedule is asked with the number of batches,
# though: CosineDecay(0.1, decay_steps=25), made for 25 updates, is at 0 after six of them, and the others move
# nothing; a warm-up of 25 steps is over after six. Whoever adds accumulation to save memory has to multiply the steps of
# the schedule by it. The run looks like one whose gradients have vanished: the loss stands still, in silence.
#
# Seen: updates in 100 batches: 25, with a rate above zero: 6; made for 100 steps: all but the last.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 numpy==2.4.6
KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np


class Moved(keras.callbacks.Callback):
    """Counts the batches after which the weight is another one."""

    def on_train_begin(self, logs=None):
        self.before, self.times = self.model.get_weights()[0].copy(), 0

    def on_train_batch_end(self, batch, logs=None):
        now = self.model.get_weights()[0].copy()
        self.times += bool((now != self.before).any())
        self.before = now


def updates(decay_steps):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    rate = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps)
    model.compile(keras.optimizers.SGD(rate, gradient_accumulation_steps=4), "mse")
    moved = Moved()
    model.fit(np.ones((100, 1)), np.full((100, 1), 50.0), batch_size=1, epochs=1, verbose=0, callbacks=[moved])
    return int(model.optimizer.iterations), moved.times


for steps in (25, 100):
    print(f"a schedule of {steps} steps: updates {updates(steps)[0]}, that move the weight: {updates(steps)[1]}")
assert updates(25) == (25, 6)
assert updates(100)[1] >= 24
PYTHON
