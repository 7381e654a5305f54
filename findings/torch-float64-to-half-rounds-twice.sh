#!/usr/bin/env bash
# float64 tensors cast to half precision or FP8, by PyTorch and by ml_dtypes (which JAX and TensorFlow use).
#
# PyTorch 2.13.0, ml_dtypes 0.6.0: a cast from float64 goes by way of float32, and rounds twice. 1 + 2**-11 + 2**-40
# lies above the middle between 1 and the next number of float16; NumPy rounds it up, PyTorch first to the middle and
# then, by the rule for ties, down to 1. So do both libraries with bfloat16 and float8_e4m3fn. A reference cast "in
# double precision" is therefore not the correctly rounded one: count what a format loses of float32 tensors, or
# round in float64 yourself.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 ml_dtypes==0.6.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import ml_dtypes
import numpy as np
import torch

#: Bits after the leading 1, and the types of PyTorch and of NumPy.
FORMATS = {
    "float16": (10, torch.float16, np.float16),
    "bfloat16": (7, torch.bfloat16, ml_dtypes.bfloat16),
    "float8_e4m3fn": (3, torch.float8_e4m3fn, ml_dtypes.float8_e4m3fn),
}
rounded_down = {}
for name, (bits, theirs, ours) in FORMATS.items():
    above_the_middle = 1 + 2.0 ** -(bits + 1) + 2.0**-40
    by_torch = torch.tensor(above_the_middle, dtype=torch.float64).to(theirs).double().item()
    by_numpy = float(np.float64(above_the_middle).astype(ours))
    print(f"{name}: 1 + 2**-{bits + 1} + 2**-40 becomes {by_torch} in PyTorch, {by_numpy} in NumPy; right: {1 + 2.0**-bits}")
    rounded_down[name] = by_torch == 1, by_numpy == 1
assert rounded_down == {"float16": (True, False), "bfloat16": (True, True), "float8_e4m3fn": (True, True)}
PYTHON
