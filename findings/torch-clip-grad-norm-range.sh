#!/usr/bin/env bash
# torch.nn.utils.clip_grad_norm_ on float32 gradients beyond 1.8e19, or below 1e-23.
#
# PyTorch 2.13.0 squares float32 entries in float32. Four gradient entries of 1e19 are finite, and so is their norm,
# 2e19, in float32; yet the computed norm is inf, the clip coefficient is 0, and every gradient is set to zero: the step
# is lost in silence, and nothing non-finite is left to show it. With error_if_nonfinite=True the same finite gradients
# raise the error about a non-finite norm. At the other end, four entries of 1e-23 have the norm 0.0: a log with a
# grad_norm of 0 doesn't prove that no gradient arrived.
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


def clipped(entry, **how):
    parameter = nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), entry)
    norm = nn.utils.clip_grad_norm_([parameter], 1.0, **how)
    return norm.item(), parameter.grad.tolist()


for entry in (1e18, 1e19, 1e-18, 1e-23):
    print(f"entries {entry:g}: norm, gradient after clipping to 1: {clipped(entry)}")
assert clipped(1e18) == (1.999999968613499e18, [0.5] * 4)
assert clipped(1e19) == (float("inf"), [0.0] * 4)
assert clipped(1e-18)[0] > 0 and clipped(1e-23)[0] == 0
try:
    clipped(1e19, error_if_nonfinite=True)
except RuntimeError as error:
    print("error_if_nonfinite:", str(error)[:60], "...")
else:
    raise SystemExit("there is no error any more")
wide = torch.full((4,), 1e19)
print("the norm in float64:", torch.linalg.vector_norm(wide, dtype=torch.float64).item())
PYTHON
