#!/usr/bin/env bash
# wandb.watch(log="gradients"): a gradient that is 99 % NaN is drawn as a healthy histogram of the rest, one that is all
# NaN isn't drawn at all; and what is drawn is neither accumulated, unscaled nor clipped.
#
# wandb 0.31.0, PyTorch 2.13.0. NaN and infinite entries are taken out before the histogram is made, and a gradient with
# no other entries is skipped. It is the gradient of one backward pass, taken by a hook: of several passes that are
# accumulated the last one's alone, with the loss scale of mixed precision in it, before any clipping.
#
# What it means: the chart doesn't show when gradients became NaN: its last healthy histogram stands there. Under a
# GradScaler all gradients look 65,536 times as large as they are, and move whenever the scale does.
#
# Seen: of 1,000 entries, 990 of them NaN, a histogram of 10; all NaN: none; two passes of a gradient of 4 with a loss
# scale of 65,536: 262,144 in the histogram, 8 for the optimizer.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check wandb==0.31.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
WANDB_MODE=offline WANDB_SILENT=true "$folder/venv/bin/python" - <<'PYTHON'
import torch
import wandb
from torch import nn

run = wandb.init(project="watched")
drawn, log = {}, run._log


def kept(data, *arguments, **keywords):
    """Keep what is logged."""
    drawn.update(data)
    return log(data, *arguments, **keywords)


run._log = kept
model, inputs = nn.Linear(10, 100), torch.randn(4, 10)
run.watch(model, log="gradients", log_freq=1)


def entries(spoiled):
    """Entries in the histogram of the weights' gradient, where so many of 100 outputs spoil theirs."""
    drawn.clear()
    model.zero_grad()
    factors = torch.ones(100)
    factors[:spoiled] = torch.nan
    (model(inputs) * factors).sum().backward()
    assert int(model.weight.grad.isnan().sum()) == 10 * spoiled
    found = drawn.get("gradients/weight")
    return None if found is None else int(sum(found.histogram))


found = {spoiled: entries(spoiled) for spoiled in (0, 99, 100)}
print(f"entries in the histogram, by outputs of 100 that are NaN: {found}")
assert found == {0: 1000, 99: 10, 100: None}

model.zero_grad()
for _ in range(2):  # accumulated
    (65_536 * model(inputs).sum()).backward()
shown, used = drawn["gradients/bias"].bins[0], model.bias.grad[0].item() / 65_536
print(f"shown {shown:,.0f}; the optimizer gets, unscaled, {used:.0f}")
assert shown == 4 * 65_536 and used == 8
run.finish()
PYTHON
