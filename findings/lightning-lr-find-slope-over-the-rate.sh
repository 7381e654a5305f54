#!/bin/sh
# Lightning 2.6.6 (PyTorch 2.13): Tuner.lr_find suggests a learning rate at which nothing is learned.
#
# The test goes from 1e-8 to 1 in equal steps of the logarithm. Since 2.5.3, suggestion() looks for the steepest fall of
# the loss over the rate itself, not over its logarithm: a fall at 1e-7 counts a million times as much as the same fall
# at 0.1, so a small dip at a small rate wins.
#
# Known upstream: issue 21141 of Lightning (open), brought in by what closed 14248.
#
# Seen: a perceptron of two hidden layers with SGD, ten classes, batches of 64, three seeds. What Lightning suggests;
#   fastai's "steep" (the steepest fall over the logarithm) on the same losses; the loss after 300 updates at either.
#   With batches of 32 the noise misled the rule over the logarithm as well in one of two tries, and on a regression in
#   all: this compares the two where the curve is smooth enough for one of them.
#   suggested 5e-04, steep 2e-01; loss 2.32, after 300 updates 2.31, at steep 0.32
#   suggested 5e-04, steep 2e-01; loss 2.30, after 300 updates 2.30, at steep 0.33
#   suggested 5e-04, steep 2e-01; loss 2.31, after 300 updates 2.30, at steep 0.30
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
    def __init__(self, lr=0.01):
        super().__init__()
        self.lr = lr
        self.layers = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def task(seed):
    """Return inputs and which of ten projections of theirs is the greatest."""
    generator = torch.Generator().manual_seed(seed)
    x, directions = torch.randn(6400, 32, generator=generator), torch.randn(32, 10, generator=generator)
    return TensorDataset(x, (x @ directions).argmax(1))


def found(seed):
    """Return the rates of the test, its averaged losses, and what Lightning suggests."""
    torch.manual_seed(seed)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )
    finder = Tuner(trainer).lr_find(Perceptron(), DataLoader(task(seed), 64, shuffle=True))
    return np.array(finder.results["lr"]), np.array(finder.results["loss"]), finder.suggestion()


def steep(rates, losses):
    """Return fastai's rule: the steepest fall over the logarithm, without the first tenth and the last five."""
    rates, losses = rates[10:-5], losses[10:-5]
    return rates[np.argmin(np.diff(losses) / np.diff(np.log(rates)))]


def trained(seed, rate, updates=300):
    """Return the mean losses of the first twenty and of the last twenty updates."""
    torch.manual_seed(seed)
    model, data = Perceptron(rate), task(seed)
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
for seed in range(3):
    rates, averages, suggested = found(seed)
    by_logarithm = steep(rates, averages)
    (before, after), (_, learned) = trained(seed, suggested), trained(seed, by_logarithm)
    print(
        f"suggested {suggested:.0e}, steep {by_logarithm:.0e}; loss {before:.2f}, after 300 updates {after:.2f},"
        f" at steep {learned:.2f}"
    )
    wrong.append(after > 0.9 * before and learned < 0.8 * before)
raise SystemExit(0 if all(wrong) else 1)
PY
cd "$folder"
venv/bin/python -W ignore find.py 2>"$folder/messages" || { cat "$folder/messages"; exit 1; }
