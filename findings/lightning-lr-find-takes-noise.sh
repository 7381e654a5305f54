#!/bin/sh
# Lightning 2.6.6 (PyTorch 2.13): Tuner.lr_find suggests a learning rate at which nothing is learned.
#
# The test goes from 1e-8 to 1 in equal steps of the logarithm. Since 2.5.3, suggestion() looks for the steepest fall of
# the loss over the rate itself, not over its logarithm: a fall at 1e-7 counts a million times as much as the same fall
# at 0.1, so the first dip of the noise wins. The running average adds to it: its bias correction divides by
# 1 - β^(t+1) after t losses, so the first average is half the loss, and the curve rises until the correction has faded.
#
# Known upstream: issue 21141 of Lightning (open; the average that starts too low: 14167), brought in by what closed
# 14248.
#
# Seen: a perceptron of two hidden layers with SGD. What Lightning suggests; fastai's "steep" (the steepest fall over
#   the logarithm) on the same losses, averaged with the right correction; the loss after 300 updates at either. Where
#   the losses of batches differ much, as in the regression, the noise can mislead fastai's rule as well:
#   ten classes: suggested 5e-04, steep 2e-01; loss 2.32, after 300 updates 2.31, at steep 0.32
#   ten classes: suggested 5e-04, steep 2e-01; loss 2.30, after 300 updates 2.30, at steep 0.33
#   ten classes: suggested 5e-04, steep 2e-01; loss 2.31, after 300 updates 2.30, at steep 0.30
#   regression: suggested 3e-07, steep 9e-08; loss 2.00, after 300 updates 2.05, at steep 2.05
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 lightning==2.6.6 numpy
cat > "$folder/find.py" <<'PY'
import logging

import lightning
import numpy as np
import torch
from lightning.pytorch.tuner import Tuner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Perceptron(lightning.LightningModule):
    def __init__(self, outputs, lr=0.01):
        super().__init__()
        self.lr, self.loss = lr, nn.functional.mse_loss if outputs == 1 else nn.functional.cross_entropy
        self.layers = nn.Sequential(
            nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, outputs)
        )

    def training_step(self, batch, _):
        return self.loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def task(outputs, seed):
    """Return a sine of a projection of the inputs (one output), or the greatest of ten projections (ten classes)."""
    generator = torch.Generator().manual_seed(seed)
    x, directions = torch.randn(6400, 32, generator=generator), torch.randn(32, outputs, generator=generator)
    projections = x @ directions
    return TensorDataset(x, torch.sin(projections / 4) * 2 if outputs == 1 else projections.argmax(1))


def found(outputs, seed):
    """Return the rates of the test, its averaged losses, and what Lightning suggests."""
    torch.manual_seed(seed)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )
    finder = Tuner(trainer).lr_find(Perceptron(outputs), DataLoader(task(outputs, seed), 64, shuffle=True))
    return np.array(finder.results["lr"]), np.array(finder.results["loss"]), finder.suggestion()


def rightly_corrected(averages, beta=0.98):
    steps = np.arange(1, len(averages) + 1)
    return averages * (1 - beta ** (steps + 1)) / (1 - beta**steps)


def steep(rates, losses):
    """Return fastai's rule: the steepest fall over the logarithm, without the first tenth and the last five."""
    rates, losses = rates[10:-5], losses[10:-5]
    return rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))]


def trained(outputs, seed, rate, updates=300):
    """Return the mean losses of the first twenty and of the last twenty updates."""
    torch.manual_seed(seed)
    model, data = Perceptron(outputs, rate), task(outputs, seed)
    optimizer, losses = model.configure_optimizers(), []
    while len(losses) < updates:
        for batch in DataLoader(data, 64, shuffle=True):
            loss = model.training_step(batch, 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses[:20])), float(np.mean(losses[updates - 20 : updates]))


wrong = []
for outputs, seed in ((10, 0), (10, 1), (10, 2), (1, 0)):
    rates, averages, suggested = found(outputs, seed)
    by_logarithm = steep(rates, rightly_corrected(averages))
    (before, after), (_, learned) = trained(outputs, seed, suggested), trained(outputs, seed, by_logarithm)
    name = "regression" if outputs == 1 else "ten classes"
    print(
        f"{name}: suggested {suggested:.0e}, steep {by_logarithm:.0e}; loss {before:.2f}, after 300 updates {after:.2f},"
        f" at steep {learned:.2f}"
    )
    wrong.append(after > 0.9 * before and (suggested < 1e-5 if outputs == 1 else learned < 0.8 * before))
raise SystemExit(0 if all(wrong) else 1)
PY
cd "$folder"
venv/bin/python -W ignore find.py 2>"$folder/messages" || { cat "$folder/messages"; exit 1; }
