#!/usr/bin/env bash
# The default weights of a transposed convolution: PyTorch takes the outputs for the inputs, Equinox doesn't.
#
# PyTorch 2.13.0: ConvTranspose2d stores its kernel as (inputs, outputs, ...), and the default law takes the second
# axis for the inputs. The weights are U(-b, b) with b = 1/sqrt(outputs · kernel) and don't depend on the number of
# inputs at all. Equinox 0.13.8 (jax 0.10.2) takes 1/sqrt(inputs · kernel). A decoder layer from 512 to 64 channels
# starts 2.8 times as large in PyTorch, one from 64 to 512 2.8 times as small; layers of a U-Net that halve the
# channels amplify where the convolutions beside them shrink.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 equinox==0.13.8 jax==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import math

import equinox
import jax
import torch


def largest(inputs, outputs):
    """Return the largest weight of a transposed convolution of 3 x 3 in PyTorch, and in Equinox."""
    by_torch = torch.nn.ConvTranspose2d(inputs, outputs, 3).weight.abs().max().item()
    by_equinox = equinox.nn.ConvTranspose2d(inputs, outputs, 3, key=jax.random.key(0)).weight
    return by_torch, float(abs(by_equinox).max())


def one_over_root(channels):
    return 1 / math.sqrt(9 * channels)


torch.manual_seed(0)
for inputs, outputs in ((512, 64), (64, 512), (64, 64)):
    by_torch, by_equinox = largest(inputs, outputs)
    print(f"{inputs} to {outputs} channels: limit in PyTorch {by_torch:.4f}, in Equinox {by_equinox:.4f}")
    assert math.isclose(by_torch, one_over_root(outputs), rel_tol=1e-3)
    assert math.isclose(by_equinox, one_over_root(inputs), rel_tol=1e-3)
PYTHON
