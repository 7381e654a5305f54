#!/usr/bin/env bash
# torchtest's and torcheck's check that all parameters change is passed by a network whose first layers get no gradient,
# as soon as the optimizer has weight decay.
#
# torchtest 0.5, torcheck 1.0.1, PyTorch 2.13.0. Both compare weights before and after a step. In a network of 100
# sigmoid layers the first layer's gradient is exactly zero in float32. SGD leaves it, and both say so; AdamW with its
# default decay of 0.01 shrinks every weight by a hundred-thousandth, and both are content: with a network that can't
# learn. Adam hides more than zeros: it divides by the size of the gradient, and takes 1e-9 to a step of 1e-4.
#
# What it means: that weights move says nothing about whether they learn. Such a check needs an optimizer without decay
# and momentum, and even then tells only zero from anything else.
#
# Seen: SGD: both raise; AdamW: both pass, with a gradient of exactly 0 in the first layer.
#
# Exits with a code other than 0 if this is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 torchtest==0.5 setuptools
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps torcheck==1.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torch import nn
from torch.nn import functional as F

import torcheck
import torchtest

inputs, labels = torch.randn(16, 8), torch.arange(16) % 2
OPTIMIZERS = {"SGD": lambda own: torch.optim.SGD(own, lr=1e-3), "AdamW": lambda own: torch.optim.AdamW(own, lr=1e-3)}


def network():
    torch.manual_seed(0)
    hidden = [module for _ in range(100) for module in (nn.Linear(8, 8), nn.Sigmoid())]
    return nn.Sequential(*hidden, nn.Linear(8, 2))


def by_torchtest(model, optimizer):
    torchtest.assert_vars_change(model, F.cross_entropy, optimizer, [inputs, labels], "cpu")


def by_torcheck(model, optimizer):
    torcheck.register(optimizer)
    torcheck.add_module_changing_check(model, module_name="network")
    optimizer.zero_grad()
    F.cross_entropy(model(inputs), labels).backward()
    optimizer.step()


for name, build in OPTIMIZERS.items():
    for check in (by_torchtest, by_torcheck):
        model = network()
        try:
            check(model, build(model.parameters()))
            said = "passes"
        except Exception as problem:  # each has exceptions of its own
            said = type(problem).__name__
        print(f"{name}, {check.__name__}: first layer's gradient {model[0].weight.grad.norm():.1g}, {said}")
        assert model[0].weight.grad.norm() == 0
        assert (said == "passes") == (name == "AdamW")
PYTHON
