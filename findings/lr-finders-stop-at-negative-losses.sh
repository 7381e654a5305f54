#!/bin/sh
# torch-lr-finder, MONAI and Lightning end a learning-rate test after its first steps where the loss is negative.
#
# torch-lr-finder 0.2.2, MONAI 1.6.1, Lightning 2.6.6 (PyTorch 2.13). Each stops as "diverged" when the loss is above
# 5 (Lightning: 4) times the best one. Of a best loss of -1 that is -5: every loss is above it, the best one, too. A
# negative log-likelihood of a density is often below zero (so are an ELBO, a flow's loss, a cosine similarity's). Their
# pages give the formula, and don't say that losses must be positive. torch-lr-finder and MONAI stop after the first of
# 100 rates, and say that the loss has diverged; Lightning has the few rates up to the first it looks at, and suggests
# none. The same loss plus 10 has the same gradients, and passes the test.
# Cure: add a constant to the loss during the test: its gradient is zero. In Lightning early_stop_threshold=None, too.
#
# Seen: rates tried of 100, a normal density fitted to data of deviation 0.1, loss about -0.9, and the same plus 10:
#   torch-lr-finder 1 and 100; MONAI 1 and 100; Lightning 2 and 100
#
# Exits with a code other than 0 if this is no longer so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 torch-lr-finder==0.2.2 monai==1.6.1 \
    lightning==2.6.6 numpy
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import math

import lightning
import monai.optimizers
import torch
import torch_lr_finder
from lightning.pytorch.tuner import Tuner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
RATES, LOWEST, HIGHEST = 100, 1e-6, 1e-3


class Density(lightning.LightningModule):
    """A normal density; its loss is the negative log-likelihood, plus a constant."""

    def __init__(self, constant):
        super().__init__()
        self.mean, self.deviation = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.tensor([math.log(0.1)]))
        self.constant, self.lr = constant, LOWEST

    def forward(self, data):
        return torch.distributions.Normal(self.mean, self.deviation.exp()).log_prob(data)

    def loss(self, output, target):
        return self.constant - output.mean()

    def training_step(self, batch):
        return self.loss(self(batch[0]), None)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def loader():
    torch.manual_seed(0)
    data = 0.1 * torch.randn(64 * RATES, 1)
    return DataLoader(TensorDataset(data, data), batch_size=64)


def by(finder, constant):
    """Return how many rates one of the finders tries that resemble each other."""
    model = Density(constant)
    test = finder(model, model.configure_optimizers(), model.loss)
    test.range_test(loader(), end_lr=HIGHEST, num_iter=RATES)
    return len(test.history["loss"])


def by_lightning(constant):
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False,
                                enable_model_summary=False, max_epochs=1)
    test = Tuner(trainer).lr_find(Density(constant), loader(), min_lr=LOWEST, max_lr=HIGHEST, num_training=RATES)
    return len(test.results["loss"])


for name, count in {
    "torch-lr-finder": lambda constant: by(torch_lr_finder.LRFinder, constant),
    "MONAI": lambda constant: by(monai.optimizers.LearningRateFinder, constant),
    "Lightning": by_lightning,
}.items():
    negative, positive = count(0.0), count(10.0)
    print(f"{name}: {negative} and {positive} of {RATES} rates")
    assert negative <= 5 and positive == RATES
PYTHON
