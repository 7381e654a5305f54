#!/bin/sh
# mup 1.0.0 (PyTorch 2.13): MuSharedReadout, the read-out whose weight is an embedding's.
#
# 1. Its bias, which it has by default, has as many entries as the model is wide, not as there are tokens: it can't be
#    called unless the two are equal ("The expanded size of the tensor (50) must match the existing size (64)").
# 2. set_base_shapes multiplies its weight by the root of the width, as it does with a read-out that PyTorch has drawn
#    with deviation 1/√width. The weight is the embedding's, drawn with deviation 1, so the embedding grows with the
#    width before any training: 1.4, 2.8, 5.7 at widths 64, 256, 1024 over a base of 32. It keeps its size if it is
#    drawn again afterwards.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy pyyaml pandas tqdm
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps mup==1.0.0
cat > "$folder/shared.py" <<'PY'
import torch
from mup import MuSharedReadout, set_base_shapes
from torch import nn


def tied(width, bias):
    embedding = nn.Embedding(50, width)
    return nn.ModuleDict({"embedding": embedding, "readout": MuSharedReadout(embedding.weight, bias=bias)})


def built(width, bias):
    return set_base_shapes(tied(width, bias), tied(32, bias), delta=tied(64, bias))


torch.manual_seed(0)
model = built(64, bias=True)
print("bias of 50 tokens at width 64:", tuple(model["readout"].bias.shape))
try:
    model["readout"](torch.randn(4, 64))
    fails = False
except RuntimeError as error:
    fails = True
    print(error)
sizes = [float(built(width, bias=False)["embedding"].weight.detach().std()) for width in (64, 256, 1024)]
print("deviation of the embedding at widths 64, 256, 1024:", [round(one, 2) for one in sizes])
raise SystemExit(0 if fails and sizes[2] > 3.5 * sizes[0] else 1)
PY
"$folder/venv/bin/python" "$folder/shared.py"
