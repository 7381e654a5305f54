#!/usr/bin/env bash
# nn.MultiheadAttention, a sequence that is padding only: NaN with need_weights=True (the default), zeros without.
#
# PyTorch 2.13.0. With need_weights=True the softmax is written out: a row whose keys are all masked is 0/0, and the NaN
# of that one sequence is in the gradient of every matrix, whatever the loss does with its output: to multiply it by
# zero doesn't help. With need_weights=False the fused attention gives such a row zeros, and all gradients are finite.
# nn.TransformerEncoderLayer asks for no weights.
#
# What it means: a model that trained for days makes NaN on the day when somebody plots its attention, or a batch of
# documents has an empty one; and to take the weights away looks like a cure, though the empty sequence is still there.
#
# Seen: gradients with need_weights=True: NaN in 3 of 4 parameters (not in the last bias's); without: in none.
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

tokens = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0))
padding = torch.tensor([[False, False, True], [True, True, True]])  # the second sequence is empty

spoiled = {}
for weights in (True, False):
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    outputs, _ = attention(tokens, tokens, tokens, key_padding_mask=padding, need_weights=weights)
    (outputs * ~padding[:, :, None]).sum().backward()  # padding has no part in the loss
    gradients = [parameter.grad for parameter in attention.parameters()]
    spoiled[weights] = sum(bool(gradient.isnan().any()) for gradient in gradients)
    print(f"need_weights={weights}: NaN in the gradients of {spoiled[weights]} of {len(gradients)} parameters")
assert spoiled[True] >= 3 and spoiled[False] == 0
PYTHON
