#!/bin/sh
# transformers.Trainer logs losses that never were as soon as some are NaN or infinite: 0, half of the others, or 1e7.
#
# transformers 5.24.0 (PyTorch 2.13.0). logging_nan_inf_filter is on by default; its help says that such a loss is
# left out, and the average of the current logging window taken instead. What is done: for each such loss the window's
# sum so far is divided by 1 + the updates since the last log, and added to itself. Without accumulation that is less
# than the average: a window of ten whose first loss alone is finite is logged at 0.55 of it, and one without a finite
# loss as 0. With gradient_accumulation_steps the updates stand still while the sum grows: it doubles with each such
# batch before the first update, and grows by a half before the second.
#
# Here the model is sound: its loss has the term t·log t of the targets, which is NaN where a target is 0, but not in
# the gradient. So a loss that leaps by decades, or halves, beside a steady gradient norm needn't be the model's.
# logging_nan_inf_filter=False shows nan instead.
#
# Issue 6702 of TRL names the filter, as one that repeats the average; what it really adds isn't told there.
#
# Seen: the mean of the finite losses, what is logged, the gradient norm:
#   1 batch a step, logged every 10 steps, the first finite, 19 NaN: 0.65, logged 0.36 and then 0, norm 1.4
#   16 batches a step, the last 4 NaN, logged every step: 0.65, logged 7.8, norm 1.4
#   16 batches a step, the last 4 NaN, logged every 10 steps: 0.65, logged 8e+02, norm 1.4
#   32 batches a step, the last 8 NaN, logged every 10 steps: 0.65, logged 1e+07, norm 1.4
#
# Exits with a code other than 0 if this is no longer so.
set -eu
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
from transformers import PrinterCallback, Trainer, TrainingArguments

SOFT, WITH_A_ZERO = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.7, 0.3, 0.0])


class Student(nn.Module):
    """A classifier that learns a teacher's probabilities; it keeps its losses."""

    def __init__(self):
        super().__init__()
        self.layer, self.losses = nn.Linear(4, 3), []

    def forward(self, inputs, targets):
        loss = (targets * (targets.log() - self.layer(inputs).log_softmax(-1))).sum(-1).mean()
        self.losses.append(loss.item())
        return {"loss": loss}


def logged(targets, **options):
    """Return what the Trainer logs, and the mean of the losses that are finite."""
    torch.manual_seed(0)
    arguments = TrainingArguments(
        "run", num_train_epochs=1, per_device_train_batch_size=1, learning_rate=1e-6, optim="sgd", report_to=[],
        train_sampling_strategy="sequential", save_strategy="no", use_cpu=True, disable_tqdm=True, **options,
    )
    data = [{"inputs": torch.ones(4), "targets": target} for target in targets]
    trainer = Trainer(Student(), arguments, train_dataset=data)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    losses = [loss for loss in trainer.model.losses if math.isfinite(loss)]
    rows = [(row["loss"], row["grad_norm"]) for row in trainer.state.log_history if "loss" in row]
    assert all(torch.isfinite(parameter).all() for parameter in trainer.model.parameters())
    assert all(0 < norm < 2 for _, norm in rows)
    return rows, sum(losses) / len(losses)


def accumulated(batches, without, every):
    """Return the first loss that is logged over the mean of the finite ones."""
    step = [SOFT] * (batches - without) + [WITH_A_ZERO] * without
    rows, mean = logged(step * 10, gradient_accumulation_steps=batches, logging_steps=every)
    print(
        f"{batches} batches a step, {without} of them NaN, logged every {every}: mean {mean:.2f}, logged"
        f" {rows[0][0]:.3g}, norm {rows[0][1]:.1f}"
    )
    return rows[0][0] / mean


alone = [SOFT] + [WITH_A_ZERO] * 19
(first, second), mean = logged(alone, logging_steps=10)
print(f"one finite loss, then 19 NaN: mean {mean:.2f}, logged {first[0]:.2f} and {second[0]}, norm {first[1]:.1f}")
assert abs(first[0] / mean - 0.55) < 1e-3 and second[0] == 0
assert abs(accumulated(16, 4, 1) / (0.75 * 2**4) - 1) < 1e-3
assert accumulated(16, 4, 10) > 1e3
assert accumulated(32, 8, 10) > 1e6
(first, _), _ = logged(alone, logging_steps=10, logging_nan_inf_filter=False)
print("without the filter:", first[0])
assert math.isnan(first[0])
PYTHON
