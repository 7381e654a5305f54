"""A sick model under Keras 3: the callback finds that its first layers learn nothing, and stops."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # or jax

import keras
import numpy as np

from gradcheck.keras import GradientCallback

keras.utils.set_random_seed(0)
hidden = [keras.layers.Dense(16, "sigmoid") for _ in range(10)]
model = keras.Sequential([keras.layers.Input((16,)), *hidden, keras.layers.Dense(3, "softmax")])
model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
inputs = np.random.default_rng(0).normal(size=(512, 16)).astype("float32")
watch = GradientCallback("keras.jsonl", every=1, on_finding="stop", overwrite=True)
model.fit(inputs, inputs[:, :3].argmax(1), batch_size=8, epochs=3, verbose=0, callbacks=[watch])
print(f"stopped after {int(model.optimizer.iterations)} steps: {watch.findings[0].message}")
