#!/bin/sh
# Lightning's and Accelerate's gradient accumulation: the last step of every epoch gets a fraction of its gradient.
#
# Lightning 2.6.6 and Accelerate 1.15.0 (PyTorch 2.13.0). Both divide each loss by the number of batches to accumulate,
# and both step at the end of an epoch with what there is. Where an epoch's batches aren't a multiple of that number,
# the last sum has fewer terms and the same divisor. With 9 batches and 4 to accumulate, the gradient of the third step
# is a quarter of its mean, and so is its norm in a log: a dip at the end of each epoch, not of the model.
# SGD takes that step four times too short; Adam's averages take in a gradient four times too small. No warning; neither
# documents it. transformers.Trainer divides by the batches there are.
# Cure: drop_last, or a number of batches that divides.
#
# Known upstream: issue 19987 of Lightning (open).
#
# Seen: a loss whose gradient is 1 on every batch, 9 batches, 4 to accumulate, norms at the steps of two epochs:
#   1, 1, 0.25, 1, 1, 0.25 in both
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 lightning==2.6.6 accelerate==1.15.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging

import lightning
import torch
from accelerate import Accelerator
from lightning.pytorch.utilities import grad_norm
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
BATCHES = TensorDataset(torch.ones(9, 1))


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer, self.norms = nn.Linear(1, 1, bias=False), []

    def training_step(self, batch, _):
        return self.layer(batch[0]).mean()

    def on_before_optimizer_step(self, _):
        self.norms.append(grad_norm(self.layer, 2)["grad_2.0_norm_total"].item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def with_lightning():
    model = Model()
    lightning.Trainer(
        accelerator="cpu", max_epochs=2, accumulate_grad_batches=4, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(model, DataLoader(BATCHES, 1))
    return model.norms


def with_accelerate():
    accelerator, layer, norms = Accelerator(cpu=True, gradient_accumulation_steps=4), nn.Linear(1, 1, bias=False), []
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    layer, optimizer, loader = accelerator.prepare(layer, optimizer, DataLoader(BATCHES, 1))
    for _ in range(2):
        for (batch,) in loader:
            with accelerator.accumulate(layer):
                accelerator.backward(layer(batch).mean())
                if accelerator.sync_gradients:
                    norms.append(accelerator.clip_grad_norm_(layer.parameters(), 10.0).item())
                optimizer.step()
                optimizer.zero_grad()
    return norms


found = {"Lightning": with_lightning(), "Accelerate": with_accelerate()}
for name, norms in found.items():
    print(f"{name}: {norms}")
    assert torch.allclose(torch.tensor(norms), torch.tensor([1, 1, 0.25] * 2))
PYTHON
