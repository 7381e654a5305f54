#!/usr/bin/env bash
# Laws that look at a depthwise kernel's shape draw it too small by the root of its channels: Keras by default,
# PyTorch's Xavier and fan_out.
#
# Keras 3.15.1, PyTorch 2.13.0. Each output of a depthwise convolution of 3 x 3 sees 9 numbers. Keras' DepthwiseConv2D,
# with it SeparableConv2D, and Conv2D(groups=channels) take 9 x channels for the inputs or the outputs of its Glorot
# law. torch.nn.init takes 9 x channels for the outputs: kaiming_normal_(mode="fan_out"), with which MobileNets are
# drawn, and xavier_normal_. Right are PyTorch's default and mode="fan_in".
#
# What it means: with 256 channels a depthwise layer starts 11 to 16 times too small. A batch norm behind it hides that;
# where there is none (or one in evaluation mode) the signal, and the gradient, loses a decade a layer.
#
# Seen, 256 channels, deviation times 3, which keeps the signal at 1: Keras 0.09 three times; PyTorch fan_out 0.09 (with
# He's root of 2), Xavier 0.09, fan_in 1.41.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 numpy==2.4.6
KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PYTHON'
import keras
import torch
from torch import nn

CHANNELS = 256
keras.utils.set_random_seed(0)

for layer in (
    keras.layers.DepthwiseConv2D(3),
    keras.layers.SeparableConv2D(CHANNELS, 3),
    keras.layers.Conv2D(CHANNELS, 3, groups=CHANNELS),
):
    layer.build((1, 8, 8, CHANNELS))
    kernel = keras.ops.convert_to_numpy(layer.weights[0])
    assert kernel.size == 9 * CHANNELS
    print(f"keras {type(layer).__name__}: {3 * kernel.std():.2f}")
    assert 0.08 < 3 * kernel.std() < 0.10

kernel = nn.Conv2d(CHANNELS, CHANNELS, 3, groups=CHANNELS).weight
for law, low, high in (
    (lambda: nn.init.kaiming_normal_(kernel, mode="fan_out"), 0.08, 0.10),
    (lambda: nn.init.xavier_normal_(kernel), 0.08, 0.10),
    (lambda: nn.init.kaiming_normal_(kernel, mode="fan_in"), 1.30, 1.50),
):
    deviation = 3 * law().std().item()
    print(f"torch {law.__code__.co_names[2]} {deviation:.2f}")
    assert low < deviation < high
PYTHON
