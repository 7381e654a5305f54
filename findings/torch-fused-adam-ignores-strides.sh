#!/usr/bin/env bash
# torch.optim.Adam(fused=True) on the CPU, where a parameter and its gradient lie in memory in different orders.
#
# PyTorch 2.13.0's kernel for the CPU goes through memory from the first to the last number, whatever the strides are. A
# gradient that is a transposed matrix moves the wrong entries, in silence; the optimizer without fused=True moves the
# right ones. backward() lays gradients out as their parameters are; torch.autograd.grad doesn't, nor does a gradient that
# is set by hand.
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


def step(gradient, fused):
    """Return by how much Adam's first step moves each entry."""
    parameter = nn.Parameter(torch.zeros(2, 3))
    parameter.grad = gradient
    torch.optim.Adam([parameter], lr=1.0, fused=fused).step()
    return parameter.detach()


gradient = torch.tensor([[1.0, -1.0], [1.0, -1.0], [1.0, -1.0]]).t()
plain, fused = step(gradient, False), step(gradient, True)
print("gradient:", gradient.tolist())
print("step of Adam:", plain.round().tolist())
print("step of Adam(fused=True):", fused.round().tolist())
assert torch.equal(plain.sign(), -gradient.sign())
assert not torch.equal(fused.sign(), -gradient.sign())
assert torch.equal(step(gradient.contiguous(), True).sign(), plain.sign())
PYTHON
