#!/usr/bin/env bash
# MLX's he_normal() and he_uniform() leave out the factor 2 that He's law has for ReLU: they draw LeCun's law.
#
# mlx 0.32.4, on the CPU: nn.init.he_normal() has a gain of 1 by default, so its deviation is 1/sqrt(inputs), where
# PyTorch's kaiming_normal_, Keras' he_normal and jax.nn.initializers.he_normal have sqrt(2/inputs). A ReLU network of
# 50 layers loses a factor of sqrt 2 a layer, 2^-25 = 3e-8 in all; with gain sqrt 2 it keeps its signal. The gain is
# an argument of the function that he_normal() returns: he_normal()(weights, gain=2**0.5).
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "mlx[cpu]==0.32.4" numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import math

import mlx.core as mx
import numpy as np
from mlx import nn

WIDTH, DEPTH = 512, 50
mx.random.seed(0)
mx.set_default_device(mx.cpu)
normal, uniform = (np.array(law()(mx.zeros((300, WIDTH)))) for law in (nn.init.he_normal, nn.init.he_uniform))


def kept(**options):
    """Return what 50 layers of ReLU leave of the signal's root mean square."""
    x = mx.random.normal((64, WIDTH))
    before = mx.sqrt(mx.mean(x**2))
    for _ in range(DEPTH):
        x = nn.relu(x @ nn.init.he_normal()(mx.zeros((WIDTH, WIDTH)), **options).T)
    return (mx.sqrt(mx.mean(x**2)) / before).item()


scaled = [float(np.std(weights) * math.sqrt(WIDTH)) for weights in (normal, uniform)]
print(f"deviation times sqrt(inputs): he_normal {scaled[0]:.4f}, he_uniform {scaled[1]:.4f}")
default, with_gain = kept(), kept(gain=math.sqrt(2))
print(f"50 layers of ReLU leave {default:.2g} of the signal; with gain sqrt 2 {with_gain:.2g}")
assert np.allclose(scaled, 1.0, rtol=0.01)
assert 0.1 < default * 2**25 < 10 and 0.1 < with_gain < 10
PYTHON
