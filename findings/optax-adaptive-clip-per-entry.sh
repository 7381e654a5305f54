#!/bin/sh
# optax.adaptive_grad_clip clips 1-D convolutions entry by entry, and stacked layers across the layers.
#
# optax 0.2.8 (JAX 0.10.2). unitwise_norm, which it goes by, is documented to measure a kernel of three axes, like one
# of four, over the axes 0, 1 and 2; it takes the first alone. In a 1-D convolution (width, inputs, outputs) a "unit"
# is then the few taps between one input and one output, not all that reaches an output: with width 1, the same map as
# a dense layer, every entry is clipped by itself, and the direction of the gradient is lost. In layers stacked by
# nn.scan or jax.vmap (layers, inputs, outputs) the first axis is that of the layers: one layer whose gradient
# explodes silences the same entries of all others. Only attention's (inputs, heads, size) is measured over its
# inputs.
# Cure: optax.adaptive_grad_clip(..., axis=...), with optax.masked or optax.partition for the kernels with three axes.
#
# Seen: the cosine between gradient and clipped gradient, 64 inputs and 32 outputs: 0.99 of a dense layer, 0.63 of a
#   1-D convolution of width 1, 0.99 of a 2-D one of 1 x 1. Four layers whose gradients are within the limit, but for
#   the first, which is 1000 times as large: the others keep all of their norm one by one, 0.08 to 0.11 of it stacked.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 numpy==2.4.6
cd "$folder"
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import jax
import jax.numpy as jnp
import numpy as np
import optax


def clipped(gradient, weight):
    clip = optax.adaptive_grad_clip(0.01)
    updates, _ = clip.update(gradient, clip.init(weight), weight)
    return np.asarray(updates)


def drawn(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


weight, gradient = drawn(0, 64, 32) / 8, drawn(1, 64, 32)
cosines = {}
for name, leading in (("dense layer", ()), ("1-D convolution, width 1", (1,)), ("2-D convolution, 1 x 1", (1, 1))):
    after = clipped(gradient.reshape(*leading, 64, 32), weight.reshape(*leading, 64, 32)).ravel()
    before = np.asarray(gradient).ravel()
    cosines[len(leading)] = after @ before / np.linalg.norm(after) / np.linalg.norm(before)
    print(f"{name}: cosine {cosines[len(leading)]:.2f}")
assert cosines[0] > 0.98 and cosines[2] > 0.98 and cosines[1] < 0.7

weights = drawn(2, 4, 64, 32) / 8
gradients = (drawn(3, 4, 64, 32) / 8 / 200).at[0].multiply(1000)
kept = {
    "one by one": [clipped(gradients[layer], weights[layer]) for layer in range(4)],
    "stacked": clipped(gradients, weights),
}
for name, layers in kept.items():
    kept[name] = [np.linalg.norm(layer) / np.linalg.norm(whole) for layer, whole in zip(layers, gradients, strict=True)]
    print(name, [f"{share:.4f}" for share in kept[name]])
assert min(kept["one by one"][1:]) > 0.999 and max(kept["stacked"][1:]) < 0.2
PYTHON
