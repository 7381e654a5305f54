#!/usr/bin/env bash
# torch.nn.functional.normalize multiplies the gradient of a vector that is zero by 1e12; other distances have 1e8, 1 or
# 0.
#
# PyTorch 2.13.0. normalize divides by max(norm, 1e-12). Where a vector is zero the maximum is a constant, and its
# reciprocal, 1e12, is the derivative. cosine_similarity has 1e8 there. pairwise_distance adds 1e-6 to each difference,
# so that two equal vectors are pushed apart along (1, ..., 1) with a gradient of length 1; cdist and vector_norm have
# 0.
#
# What it means: a projection whose weights start at zero, as the last layer of a branch often does, in front of
# normalize has a first gradient of some 1e12. It reads like an explosion through depth and is none. clip_grad_norm_
# then leaves every other parameter of the model 1e-12 of its gradient: with SGD all but one layer stand still, and
# nothing warns. A small random start (a deviation of 1e-3) is all that it takes.
#
# Seen: norm of the projection's gradient 8e11, and 83 from a deviation of 0.001; that of the other layer, 1.39, is
# 2e-12 and 0.02 after clipping to 1; equal vectors: pairwise_distance 1.0, cdist 0.0.
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
from torch.nn import functional as F


def gradients(start):
    """The norms of two layers' gradients, as they are and after clipping."""
    torch.manual_seed(0)
    projection, other = nn.Linear(16, 8, bias=False), nn.Linear(16, 1)
    nn.init.normal_(projection.weight, std=start)
    inputs, directions = torch.randn(32, 16), F.normalize(torch.randn(32, 8))
    alike = (F.normalize(projection(inputs)) * directions).sum(dim=1).mean()
    (other(inputs).square().mean() - alike).backward()
    before = projection.weight.grad.norm().item(), other.weight.grad.norm().item()
    nn.utils.clip_grad_norm_([*projection.parameters(), *other.parameters()], 1.0)
    return *before, other.weight.grad.norm().item()


zero, small = gradients(0.0), gradients(1e-3)
print(f"weights of zero:    projection {zero[0]:.1e}, the other layer {zero[1]:.2f}, after clipping {zero[2]:.0e}")
print(f"deviation of 0.001: projection {small[0]:.1e}, the other layer {small[1]:.2f}, after clipping {small[2]:.0e}")
assert zero[0] > 1e11 and zero[2] < 1e-11 * zero[1]
assert small[0] < 1e4 and small[2] > 1e-5 * small[1]

vector = torch.randn(1, 4)
for distance, length in ((F.pairwise_distance, 1.0), (torch.cdist, 0.0)):
    moved = vector.clone().requires_grad_()
    distance(moved, vector).sum().backward()
    print(f"{distance.__name__} of equal vectors: a gradient of length {moved.grad.norm():.1f}, {moved.grad[0].tolist()}")
    assert abs(moved.grad.norm().item() - length) < 1e-3
PYTHON
