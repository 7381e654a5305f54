#!/usr/bin/env bash
# torch.nn.init.trunc_normal_(weight, std=0.02) truncates nothing, and transformers' "LeCun normal" is 14 % too wide.
#
# PyTorch 2.13.0: the limits of trunc_normal_, -2 and 2, are numbers and not deviations. With std=0.02, as vision
# transformers are drawn, they are a hundred deviations away: the law is a plain normal one. transformers 5.24.0 has
# models of three kinds: the position embeddings of ViT are drawn so, with the deviation 0.02 that they name.
# ModernBERT hands the limits over as two deviations: its 0.02 is 0.0176. lecun_normal_, for the patches of SigLIP,
# divides the deviation by 0.8796 to make up for a truncation that does not take place: 1.137/sqrt(inputs).
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 transformers==5.24.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import torch
from transformers import ModernBertConfig, ModernBertModel, SiglipVisionConfig, SiglipVisionModel, ViTConfig, ViTModel

torch.manual_seed(0)
small = {"hidden_size": 384, "num_hidden_layers": 1, "num_attention_heads": 6, "intermediate_size": 384}
tokens = {"vocab_size": 1000, **{f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "cls", "sep")}}


def described(name, weight, unit=1.0):
    """Print and return the deviation, times a unit, and the largest weight in deviations."""
    deviation, largest = weight.std().item(), weight.abs().max().item()
    print(f"{name}: deviation {deviation * unit:.4f}, largest {largest / deviation:.2f} deviations")
    return deviation * unit, largest / deviation


by_torch = described("trunc_normal_(std=0.02)", torch.nn.init.trunc_normal_(torch.empty(1000, 1000), std=0.02))
of_one = described("trunc_normal_()", torch.nn.init.trunc_normal_(torch.empty(1000, 1000)))
vit = described("ViT, positions", ViTModel(ViTConfig(**small)).embeddings.position_embeddings)
modernbert = described(
    "ModernBERT, attention", ModernBertModel(ModernBertConfig(**small, **tokens)).layers[0].attn.Wqkv.weight
)
patches = dict(SiglipVisionModel(SiglipVisionConfig(**small)).named_parameters())["embeddings.patch_embedding.weight"]
siglip = described("SigLIP, patches, times sqrt(inputs)", patches, math.sqrt(patches[0].numel()))
assert abs(by_torch[0] / 0.02 - 1) < 0.01 and by_torch[1] > 4
assert abs(of_one[0] / 0.8796 - 1) < 0.01 and of_one[1] < 2.28
assert abs(vit[0] / 0.02 - 1) < 0.02 and vit[1] > 3.5
assert abs(modernbert[0] / 0.01759 - 1) < 0.01 and modernbert[1] < 2.28
assert abs(siglip[0] * 0.87963 - 1) < 0.01 and siglip[1] > 3.5
PYTHON
