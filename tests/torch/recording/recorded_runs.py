"""A small model, its training under a recorder, and the records of it; plain PyTorch, as a user has it."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gradcheck.torch import Recorder  # noqa: E402

INPUTS, LABELS = torch.randn(24, 6, generator=torch.Generator().manual_seed(1)), torch.arange(24) % 3


def mlp(depth=2, width=8, activation=nn.ReLU, seed=0):
    torch.manual_seed(seed)
    sizes = [6, *[width] * depth]
    hidden = [part for one, two in pairwise(sizes) for part in (nn.Linear(one, two), activation())]
    return nn.Sequential(*hidden, nn.Linear(width, 3))


def loss_of(model):
    return nn.functional.cross_entropy(model(INPUTS), LABELS)


def train(model, file, steps=3, *, lr=0.1, clip=None, optimizer=None, **options):
    """Train and record; the losses."""
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    losses = []
    with Recorder(model, file, **{"every": 1} | options) as recorder:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_of(model)
            loss.backward()
            if clip is not None:
                recorder.clip_grad_norm_(clip)
            optimizer.step()
            recorder.step(loss)
            losses.append(loss.item())
    return losses


def lines(file):
    return [json.loads(line, parse_constant=pytest.fail) for line in file.read_text().splitlines()]


def records(file):
    return [line for line in lines(file) if "step" in line]


def naive_run(model, steps, lr, clip):
    """What the records should be, one tensor at a time in float64."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        weights = [one.detach().double().numpy().copy() for one in model.parameters()]
        gradients = [one.grad.double().numpy().copy() for one in model.parameters()]
        whole = math.sqrt(sum(float((one**2).sum()) for one in gradients))
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        after = [one.grad.double().numpy().copy() for one in model.parameters()]
        clipped = math.sqrt(sum(float((one**2).sum()) for one in after))
        optimizer.step()
        moved = [new.detach().double().numpy() - old for new, old in zip(model.parameters(), weights, strict=True)]
        sizes = {name: [np.linalg.norm(one.ravel()) for one in of] for name, of in (
            ("grad_norm", gradients), ("grad_norm_after", after), ("weight_norm", weights), ("update_ratio", moved),
        )}  # fmt: skip
        sizes["update_ratio"] = np.divide(sizes["update_ratio"], sizes["weight_norm"])
        yield {"loss": loss.item(), "lr": lr, "grad_norm": whole, "grad_norm_after": clipped, "max_norm": clip}, sizes


def deep(activation, gain, depth=20, width=32):
    model = mlp(depth, width, activation)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight, gain)
            nn.init.zeros_(module.bias)
    return model
