#!/bin/sh
# optax.clip_by_global_norm sets ordinary float16 gradients to zero as soon as their norm reaches 256.
#
# optax 0.2.8 (JAX 0.10.2) squares gradients in their own type, and float16 ends at 65504. Where the norm is 256 or more,
# which the gradients of any loss scaled for half precision have, it is infinite, and every gradient becomes zero: the
# model stops learning, without NaN, without a message. The same gradients in float32 are clipped as they should be. At a
# limit of 0, a gradient of zeros becomes NaN.
#
# Seen: four entries of 127 (norm 254) clipped to 1: 0.5 each; of 129 (norm 258): 0 each; in float32: 0.5 each;
#   zeros clipped to 0: nan.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import jax.numpy as jnp
import numpy as np
import optax


def clipped(entry, dtype, limit=1.0):
    gradients = {"w": jnp.full(4, entry, dtype)}
    clip = optax.clip_by_global_norm(limit)
    updates, _ = clip.update(gradients, clip.init(gradients))
    return np.asarray(updates["w"], "float32").tolist()


for entry, dtype in ((127, "float16"), (129, "float16"), (129, "float32")):
    print(f"four entries of {entry} in {dtype}, clipped to 1: {clipped(entry, dtype)}")
print(f"zeros, clipped to 0: {clipped(0, 'float32', 0.0)}")
assert np.allclose(clipped(127, "float16"), 0.5, atol=1e-3)
assert clipped(129, "float16") == [0.0] * 4
assert np.allclose(clipped(129, "float32"), 0.5)
assert np.isnan(clipped(0, "float32", 0.0)).all()
PYTHON
