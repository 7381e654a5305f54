#!/usr/bin/env bash
# "Orthogonal" recurrent weights of an LSTM have gain 1 or 1/2, depending on whether the gates share one kernel.
#
# Flax 0.12.8 (jax 0.10.2) and Keras 3.15.1 both draw recurrent weights by "orthogonal". nnx.LSTMCell, and both LSTM
# cells of linen, draw an orthogonal matrix for each gate: what it does to the state's norm is 1.
# nnx.OptimizedLSTMCell, whose documentation says that its parameters are compatible with LSTMCell's, and
# keras.layers.LSTM draw one matrix of hidden x 4 hidden with orthonormal rows and cut it into four: a gate's block
# shrinks the state to 1/2 on average (in a GRU to 1/sqrt 3), and no block is orthogonal. So the gradient through time
# starts from another place, under one name.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    flax==0.12.8 jax==0.10.2 keras==3.15.1 numpy==2.4.6 scipy==1.17.1
JAX_PLATFORMS=cpu KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import jax
import keras
import numpy as np
from flax import linen, nnx

SIZE = 256
key, rngs = jax.random.key(0), nnx.Rngs(0)


def described(name, blocks):
    """Print and return a gate's gain, and how far its weights are from a multiple of an orthogonal matrix."""
    gain = np.sqrt(np.mean([np.sum(block**2) / SIZE for block in blocks]))
    away = max(np.abs(block.T @ block / gain**2 - np.eye(SIZE)).max() for block in blocks)
    print(f"{name}: gain {gain:.4f}, {'orthogonal' if away < 1e-4 else 'not orthogonal'}")
    return round(float(gain), 4), away < 1e-4


def of_linen(cell):
    carry = cell.initialize_carry(key, (1, SIZE))
    parameters = cell.init(key, carry, np.zeros((1, SIZE), "float32"))["params"]
    return [np.asarray(parameters[gate]["kernel"]) for gate in ("hi", "hf", "hg", "ho")]


def of_keras(layer, gates):
    layer.build((None, 5, SIZE))
    return np.split(np.asarray(layer.cell.recurrent_kernel), gates, axis=1)


plain, stacked = nnx.LSTMCell(SIZE, SIZE, rngs=rngs), nnx.OptimizedLSTMCell(SIZE, SIZE, rngs=rngs)
gated = nnx.GRUCell(SIZE, SIZE, rngs=rngs)
own = [np.asarray(gate.kernel[...]) for gate in (plain.hi, plain.hf, plain.hg, plain.ho)]
third = (0.5774, False)
assert described("nnx.LSTMCell", own) == (1.0, True)
assert described("nnx.OptimizedLSTMCell", np.split(np.asarray(stacked.dense_h.kernel[...]), 4, axis=1)) == (0.5, False)
assert described("nnx.GRUCell", np.split(np.asarray(gated.dense_h.kernel[...]), 3, axis=1)) == third
assert described("linen.LSTMCell", of_linen(linen.LSTMCell(SIZE))) == (1.0, True)
assert described("linen.OptimizedLSTMCell", of_linen(linen.OptimizedLSTMCell(SIZE))) == (1.0, True)
assert described("keras.layers.LSTM", of_keras(keras.layers.LSTM(SIZE), 4)) == (0.5, False)
assert described("keras.layers.GRU", of_keras(keras.layers.GRU(SIZE), 3)) == third
PYTHON
