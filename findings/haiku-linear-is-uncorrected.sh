#!/usr/bin/env bash
# Haiku's Linear draws weights of deviation 0.88/sqrt(inputs) where it names 1/sqrt(inputs); its GRU keeps to that.
#
# dm-haiku 0.0.17 (jax 0.10.2): hk.Linear, and with it LSTM, VanillaRNN and the convolutions, cut a normal law at two
# deviations without making up for the variance that this takes; hk.GRU, by hk.initializers.VarianceScaling, makes up
# for it. A stack of 50 linear layers of 512 shrinks its signal to 0.8796^50 = 0.0016 of what the documented deviation
# would keep, the gradient alike.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dm-haiku==0.0.17 jax==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import haiku as hk
import jax
import numpy as np

WIDTH, DEPTH = 512, 50
key, x = jax.random.key(0), jax.random.normal(jax.random.key(1), (64, WIDTH))


def of_gru(x):
    cell = hk.GRU(WIDTH)
    return cell(x, cell.initial_state(64))[0]


linear = hk.transform(lambda x: hk.Linear(WIDTH)(x)).init(key, x)["linear"]["w"]
gru = hk.transform(of_gru).init(key, x)["gru"]["w_i"]
stack = hk.transform(lambda x: hk.Sequential([hk.Linear(WIDTH) for _ in range(DEPTH)])(x))
kept = float(np.std(stack.apply(stack.init(key, x), key, x)) / np.std(x))
scaled = [float(np.std(kernel) * np.sqrt(WIDTH)) for kernel in (linear, gru)]
print(f"deviation times sqrt(inputs): Linear {scaled[0]:.4f}, GRU {scaled[1]:.4f}")
print(f"largest weight times sqrt(inputs): Linear {float(np.abs(linear).max() * np.sqrt(WIDTH)):.4f}")
print(f"{DEPTH} linear layers leave {kept:.5f} of the signal; 0.8796^{DEPTH} = {0.87963**DEPTH:.5f}")
assert np.allclose(scaled, [0.8796, 1.0], rtol=0.01)
assert 0.5 < kept / 0.87963**DEPTH < 2
PYTHON
