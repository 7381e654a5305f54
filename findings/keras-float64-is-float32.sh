#!/usr/bin/env bash
# Keras 3 with keras.config.set_floatx("float64").
#
# Keras 3.15.1: wherever an operation joins types, 64 bits become 32, whatever floatx says ("to be aligned with JAX's
# default behavior"). With PyTorch below, keras.ops.matmul of two float64 tensors is a float32 tensor: a Dense layer of
# float64 weights multiplies in single precision, adds its bias, and returns float64 with 7 digits. With JAX below
# (JAX_ENABLE_X64=1) the product is right, and keras.ops.mean rounds a float64 loss to float32. So central differences
# of a "float64" Keras model are those of float32, and a gradient that underflows in float32 underflows.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 jax==0.10.2 numpy==2.4.6
cat >"$folder/precision.py" <<'PYTHON'
import keras
import numpy as np

keras.config.set_floatx("float64")
random = np.random.default_rng(0)
one, two = random.standard_normal((4, 5)), random.standard_normal((5, 3))
dense = keras.layers.Dense(3)
dense.build((4, 5))
dense.set_weights([two, np.zeros(3)])
product, output, mean = keras.ops.matmul(one, two), dense(one), keras.ops.mean(keras.ops.convert_to_tensor(one))
array = keras.ops.convert_to_numpy
errors = [float(np.abs(array(a) - b).max()) for a, b in ((product, one @ two), (output, one @ two), (mean, one.mean()))]
print(f"{keras.backend.backend()}: Dense holds {dense.kernel.dtype}; types joined: "
      f"{keras.backend.result_type('float64', 'float32')}; errors of matmul, Dense, mean: "
      + ", ".join(f"{error:.0e}" for error in errors))
assert keras.backend.result_type("float64", "float32") == "float32"
wrong = [error > 1e-10 for error in errors]
assert wrong == ([True, True, True] if keras.backend.backend() == "torch" else [False, False, True]), errors
PYTHON
for backend in torch jax; do
    KERAS_BACKEND=$backend JAX_ENABLE_X64=1 "$folder/venv/bin/python" "$folder/precision.py"
done
