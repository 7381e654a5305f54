#!/bin/sh
# mup 1.0.0, PyTorch 2.13, Lightning 2.6.6: a scheduler or a rate finder that is given one rate undoes µP.
#
# MuAdam is µP by its parameter groups: the rate of hidden matrices is that of the others divided by the width over the
# base width. OneCycleLR, CyclicLR and SWALR take one number for the rate and give it to every group; Lightning's
# callback LearningRateFinder trains on with its suggestion in every group. Training goes on in the standard
# parametrization, without a message: the wider the model, the more its hidden layers change in a step. CosineAnnealingLR
# to 0 and LambdaLR multiply each group's own rate and keep the ratio. The first three also take a list of rates, one a
# group, as PyTorch documents; the callback takes none.
#
# Seen at width 1024 over a base of 32, rates of the vectors over those of the hidden matrix after five steps:
#   32 without a scheduler and with CosineAnnealingLR; 1 with OneCycleLR, CyclicLR and SWALR. In Lightning 32, with the
#   callback 1, in the training that follows its test.
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 lightning==2.6.6 numpy pyyaml pandas tqdm
"$folder/venv/bin/pip" install -q --disable-pip-version-check --no-deps mup==1.0.0
cat > "$folder/levelled.py" <<'PY'
import logging

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateFinder
from mup import MuAdam, MuReadout, set_base_shapes
from torch import nn
from torch.optim import lr_scheduler, swa_utils
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def perceptron(width):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), MuReadout(width, 4))


def built(width=1024):
    return set_base_shapes(perceptron(width), perceptron(32), delta=perceptron(64))


def ratio(optimizer):
    rates = [group["lr"] for group in optimizer.param_groups]
    return round(max(rates) / min(rates), 2)


def after_five_steps(scheduler):
    model = built()
    optimizer = MuAdam(model.parameters(), lr=0.01)
    stepped = scheduler(optimizer)
    for _ in range(5):
        model(torch.randn(16, 8)).square().mean().backward()
        optimizer.step()
        stepped.step()
    return ratio(optimizer)


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.lr, self.layers, self.seen = 0.01, built(), []

    def training_step(self, batch, _):
        if self.trainer.max_steps == 10:  # not in the callback's test
            self.seen.append(ratio(self.optimizers()))
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def configure_optimizers(self):
        return MuAdam(self.parameters(), lr=self.lr)


def by_lightning(callbacks):
    model, data = Model(), TensorDataset(torch.randn(640, 8), torch.randint(4, (640,)))
    lightning.Trainer(
        accelerator="cpu", max_steps=10, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=callbacks,
    ).fit(model, DataLoader(data, 16))
    return model.seen[-1]


torch.manual_seed(0)
found = {
    "no scheduler": after_five_steps(lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)),
    "CosineAnnealingLR": after_five_steps(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 100)),
    "OneCycleLR": after_five_steps(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=100)),
    "CyclicLR": after_five_steps(lambda optimizer: lr_scheduler.CyclicLR(optimizer, 1e-4, 0.01, cycle_momentum=False)),
    "SWALR": after_five_steps(lambda optimizer: swa_utils.SWALR(optimizer, 0.005, anneal_epochs=5)),
    "Lightning": by_lightning([]),
    "LearningRateFinder": by_lightning([LearningRateFinder(num_training_steps=30)]),
}
print(", ".join(f"{name} {one:g}" for name, one in found.items()))
kept = ("no scheduler", "CosineAnnealingLR", "Lightning")
levelled = ("OneCycleLR", "CyclicLR", "SWALR", "LearningRateFinder")
raise SystemExit(0 if all(found[one] == 32 for one in kept) and all(found[one] == 1 for one in levelled) else 1)
PY
cd "$folder"
venv/bin/python -W ignore levelled.py 2>"$folder/messages" || { cat "$folder/messages"; exit 1; }
