#!/usr/bin/env bash
# The gain that PyTorch recommends for tanh makes the gradients of a deep network grow; with gain 1 they shrink.
#
# PyTorch 2.13.0: nn.init.calculate_gain("tanh") is 5/3. With xavier_normal_ at that gain and zero biases, a tanh
# network of 50 layers of 256 units has a gradient that is about 80 times as large at its first layer as at its last,
# with gain 1 about an eighth as large; the gain that keeps its size lies in between. (Mean-field theory: with zero
# biases tanh is critical at a gain of 1, and chaotic above it; Poole et al. 2016, Schoenholz et al. 2017.) For relu the
# recommended gain, sqrt 2, is the critical one.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn


def growth(activation, gain, depth=50, width=256):
    """The norm of the loss gradient at the first layer's pre-activations over that at the last layer's."""
    torch.manual_seed(0)
    layers = [nn.Linear(width, width, dtype=torch.float64) for _ in range(depth)]
    x, kept = torch.randn(64, width, dtype=torch.float64), []
    for layer in layers:
        nn.init.xavier_normal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
        z = layer(x)
        z.retain_grad()
        kept.append(z)
        x = activation(z)
    (x * torch.randn_like(x)).sum().backward()
    return (kept[0].grad.norm() / kept[-1].grad.norm()).item()


recommended = nn.init.calculate_gain("tanh")
grown, shrunk = growth(torch.tanh, recommended), growth(torch.tanh, 1.0)
kept = growth(torch.relu, nn.init.calculate_gain("relu"))
print(f"tanh at gain {recommended:.3f}: x {grown:.3g}; at gain 1: x {shrunk:.3g}; relu at its gain: x {kept:.3g}")
assert recommended == 5 / 3
assert grown > 20
assert 0.01 < shrunk < 0.5
assert 0.3 < kept < 3
PYTHON
