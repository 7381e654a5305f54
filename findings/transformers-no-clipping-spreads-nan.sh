#!/usr/bin/env bash
# transformers.Trainer with clipping switched off (max_grad_norm=0): one infinite gradient entry makes all weights NaN.
#
# transformers 5.24.0 asks for the norm that it logs by accelerator.clip_grad_norm_(parameters, inf) where it doesn't clip.
# With an infinite norm the coefficient of PyTorch 2.13.0 is inf / inf, which is NaN, and every gradient is multiplied by
# it. Below, one weight of a model gets an infinite gradient and another one a gradient of 1. Plain SGD spoils the first
# alone; under the Trainer the second is NaN after the same step, too. So "clipping is off" doesn't mean that gradients
# are left as they are, and the layers with NaN say nothing about where a run broke. With max_grad_norm=1.0, the default,
# the coefficient is 1 / inf = 0: the second weight stays, and the infinite entry becomes NaN.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import torch
from torch import nn
from transformers import Trainer, TrainingArguments


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def forward(self, inputs, labels):
        return {"loss": self.one * 1e30 * 1e30 + self.other * inputs.mean(), "logits": labels}


def after_a_step(**options):
    arguments = TrainingArguments(
        "run", max_steps=1, report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, optim="sgd",
        learning_rate=0.1, **options,
    )
    trainer = Trainer(Model(), arguments, train_dataset=[{"inputs": torch.ones(1), "labels": torch.zeros(1)}] * 8)
    trainer.train()
    return [parameter.item() for parameter in trainer.model.parameters()]


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.ones(1), torch.zeros(1))["loss"].backward()
optimizer.step()
plain = [parameter.item() for parameter in model.parameters()]
print("plain SGD:", plain)
off, on = after_a_step(max_grad_norm=0.0), after_a_step(max_grad_norm=1.0)
print("Trainer, max_grad_norm=0:", off, "max_grad_norm=1:", on)
assert not math.isfinite(plain[0]) and abs(plain[1] - 0.9) < 1e-6
assert math.isnan(off[0]) and math.isnan(off[1])
assert math.isnan(on[0]) and on[1] == 1.0
PYTHON
