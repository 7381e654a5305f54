#!/bin/sh
# mup 1.0.0 (PyTorch 2.13): MuAdam with weight_decay multiplies the decay of hidden matrices by the width, as MuAdamW
# does. AdamW's decay is apart from the gradient and multiplied by the rate, which falls with the width, so the two
# cancel. Adam's decay is added to the gradient, whose entries fall as 1/width, and the sum is divided by its size: the
# wider the model, the more a step is that of the decay alone. The cosine between the first step of a hidden matrix and
# the step without decay: 0.92, 0.64, 0.13 at widths 64, 256, 1024 (decay 0.001); by MuAdamW it stays at 1.00.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy pyyaml pandas tqdm
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps mup==1.0.0
cat > "$folder/decay.py" <<'PY'
import torch
from mup import MuAdam, MuAdamW, MuReadout, set_base_shapes
from torch import nn


def perceptron(width):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), MuReadout(width, 10))


def step(optimizer, width, decay):
    torch.manual_seed(0)
    model = set_base_shapes(perceptron(width), perceptron(32), delta=perceptron(64))
    before = model[2].weight.detach().clone()
    optimizer = optimizer(model.parameters(), lr=0.01, weight_decay=decay)
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(32, 64, generator=generator), torch.randint(10, (32,), generator=generator)
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    return (model[2].weight.detach() - before).flatten()


found = {}
for optimizer in (MuAdam, MuAdamW):
    found[optimizer.__name__] = [
        float(torch.cosine_similarity(step(optimizer, width, 0.001), step(optimizer, width, 0.0), 0))
        for width in (64, 256, 1024)
    ]
    print(optimizer.__name__, [round(one, 2) for one in found[optimizer.__name__]])
raise SystemExit(0 if found["MuAdam"][2] < 0.5 < 0.9 < found["MuAdam"][0] and min(found["MuAdamW"]) > 0.9 else 1)
PY
"$folder/venv/bin/python" "$folder/decay.py"
