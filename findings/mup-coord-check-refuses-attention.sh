#!/bin/sh
# mup 1.0.0 (PyTorch 2.13): its coordinate check, get_coord_data, ends with "TypeError: 'NotImplementedType' object is
# not callable" on any model with nn.TransformerEncoderLayer, or with nn.MultiheadAttention that returns no weights:
# these return None beside the tensor, and what was to say that this is not supported is itself no exception.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy pyyaml pandas tqdm
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps mup==1.0.0
cat > "$folder/check.py" <<'PY'
import torch
from mup import MuReadout, set_base_shapes
from mup.coord_check import get_coord_data
from torch import nn


def model(width):
    block = nn.TransformerEncoderLayer(width, 2, width, batch_first=True)
    return nn.Sequential(nn.Linear(8, width), block, nn.Flatten(), MuReadout(5 * width, 4))


def lazily(width):
    return lambda: set_base_shapes(model(width), model(16), delta=model(32))


batch = torch.randn(4, 5, 8), torch.randint(4, (4,))
try:
    get_coord_data({32: lazily(32), 64: lazily(64)}, [batch], cuda=False, show_progress=False)
except TypeError as error:
    print("TypeError:", error)
    raise SystemExit(0 if "NotImplementedType" in str(error) else 1)
raise SystemExit(1)
PY
"$folder/venv/bin/python" "$folder/check.py"
