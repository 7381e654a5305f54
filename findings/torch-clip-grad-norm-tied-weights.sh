#!/bin/sh
# A weight that is tied and listed twice is scaled twice by torch.nn.utils.clip_grad_norm_, and counts twice in the norm.
#
# PyTorch 2.13.0. model.parameters() yields a tied weight once; but [*encoder.parameters(), *decoder.parameters()], as one
# writes it for two groups, yields it twice. Its gradient is then multiplied by the coefficient twice: with a norm ten
# times the limit it keeps a hundredth of its length where all others keep a tenth, so that the tied layer nearly stops.
# The norm that is returned, and logged, is too large as well. Nothing warns.
#
# Seen: a gradient of norm 5, clipped to 1: listed once 1.00, listed twice 0.10; the norm that is returned 5.00 and 7.07.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from torch import nn

warnings.simplefilter("error")


def clipped(listed):
    encoder, decoder = nn.Embedding(2, 1), nn.Linear(1, 2, bias=False)
    decoder.weight = encoder.weight  # tied
    encoder.weight.grad = torch.tensor([[3.0], [4.0]])
    parameters = [*encoder.parameters(), *(decoder.parameters() if listed == 2 else ())]
    norm = nn.utils.clip_grad_norm_(parameters, 1.0)
    return encoder.weight.grad.norm().item(), norm.item()


once, twice = clipped(1), clipped(2)
print(f"listed once:  gradient {once[0]:.2f}, norm that is returned {once[1]:.2f}")
print(f"listed twice: gradient {twice[0]:.2f}, norm that is returned {twice[1]:.2f}")
assert abs(once[0] - 1) < 1e-3 and abs(once[1] - 5) < 1e-3
assert abs(twice[0] - 5 / 50) < 1e-3 and abs(twice[1] - 50**0.5) < 1e-3
PYTHON
