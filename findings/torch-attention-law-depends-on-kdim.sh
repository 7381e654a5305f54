#!/usr/bin/env bash
# torch.nn.MultiheadAttention draws its queries' weights by another law as soon as keys have another width.
#
# PyTorch 2.13.0: with keys and values of the model's width, queries, keys and values share one matrix of 3 width x
# width, and xavier_uniform_ takes 3 width for its outputs: a deviation of 0.707/sqrt(width). With kdim or vdim of
# another width, if only by one, there are three matrices, and each gets 1/sqrt(width). The attention scores double.
# So cross-attention starts sharper than self-attention of the same size, and xavier_uniform_ of a stacked matrix
# isn't that of its parts.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import math

import torch
from torch import nn

WIDTH = 512
torch.manual_seed(0)
together, apart = nn.MultiheadAttention(WIDTH, 8), nn.MultiheadAttention(WIDTH, 8, kdim=WIDTH - 1)
stacked = together.in_proj_weight.chunk(3)
one = [weight.std().item() * math.sqrt(WIDTH) for weight in stacked]
other = [getattr(apart, f"{name}_proj_weight").std().item() * math.sqrt(WIDTH) for name in "qkv"]
x = torch.randn(256, WIDTH)
scores = (x @ stacked[0].T) @ (x @ stacked[1].T).T
scores_apart = (x @ apart.q_proj_weight.T) @ (x[:, :-1] @ apart.k_proj_weight.T).T
for name, deviations in (("", one), (", kdim=511", other)):
    print(f"deviation times sqrt(width) of q, k, v{name}:", *(f"{value:.4f}" for value in deviations))
ratio = (scores_apart.std() / scores.std()).item()
print(f"the scores grow by {ratio:.3f}")
assert all(abs(value / math.sqrt(0.5) - 1) < 0.01 for value in one)
assert all(abs(value - 1) < 0.01 for value in other)
assert 1.8 < ratio < 2.2
PYTHON
