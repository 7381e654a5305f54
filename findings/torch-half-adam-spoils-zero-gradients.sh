#!/usr/bin/env bash
# torch.optim.Adam on float16 weights makes NaN of a gradient of zero, and infinity of one of 0.001; fused=True doesn't.
#
# PyTorch 2.13.0, on the CPU. The usual eps, 1e-8, is zero in float16, and so is the square of 0.001 times 1 - beta2.
# The step is then 0/0 or 0.0001/0. Adam(foreach=True) and (foreach=False) compute in the weights' type; the fused
# kernel computes in float32 and takes a step of the size of the rate.
#
# What it means: a model.half() with a dead unit, a row of an embedding that wasn't looked up, or simply small
# gradients, has NaN in its weights after one step, while every gradient of that step is finite: who looks for the fault
# among gradients looks in the wrong place. bfloat16 has the range, and stays finite.
#
# Seen, weights 1, gradients 0, 0.001 and 1, rate 0.01: nan, -inf and 0.9902; fused: 1.0, 0.9902 and 0.9902.
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


def stepped(dtype, **how):
    weight = nn.Parameter(torch.ones(3, dtype=dtype))
    weight.grad = torch.tensor([0.0, 1e-3, 1.0], dtype=dtype)
    torch.optim.Adam([weight], lr=1e-2, **how).step()
    return weight.detach()


for how in ({"foreach": False}, {"foreach": True}):
    weights = stepped(torch.float16, **how)
    print(f"float16, {how}: {weights.tolist()}")
    assert weights[0].isnan() and weights[1].isinf() and weights[2].isfinite()
for dtype, how in ((torch.float16, {"fused": True}), (torch.bfloat16, {"foreach": False})):
    weights = stepped(dtype, **how)
    print(f"{dtype}, {how}: {weights.tolist()}")
    assert weights.isfinite().all() and weights[0] == 1 and weights[1] < 1
PYTHON
