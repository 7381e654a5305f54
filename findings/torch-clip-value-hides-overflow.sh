#!/usr/bin/env bash
# torch.nn.utils.clip_grad_value_ makes a gradient that overflowed look healthy; clip_grad_norm_ does the opposite.
#
# PyTorch 2.13.0: clip_grad_value_ turns an entry of inf into the limit itself (nan stays nan). A check for finite
# gradients that comes after the clipping passes, and the optimizer takes a full step in the direction of the overflow.
# clip_grad_norm_ turns the same entry into nan, and every other gradient of the model, however sound, into exactly
# zero: the rest of the model learns nothing in that step.
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

INF = float("inf")


def clipped(clip):
    first, second = (nn.Parameter(torch.zeros(2)) for _ in range(2))
    first.grad, second.grad = torch.tensor([INF, 1.0]), torch.tensor([3.0, 4.0])
    clip([first, second], 0.5)
    return first.grad.tolist(), second.grad.tolist()


by_value, by_norm = clipped(nn.utils.clip_grad_value_), clipped(nn.utils.clip_grad_norm_)
print("before:  [inf, 1.0] [3.0, 4.0]")
print("by value:", *by_value)
print("by norm: ", *by_norm)
assert by_value == ([0.5, 0.5], [0.5, 0.5])
assert str(by_norm) == "([nan, 0.0], [0.0, 0.0])"
PYTHON
