"""What ``gradcheck simulate --depth 50 --json`` measures, written by hand in PyTorch.

Run it as ``python benchmarks/torch_simulate.py``; ``speed.py`` runs it beside gradcheck.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

DIGITS = Path(__file__).parents[1] / "gradcheck" / "datasets" / "digits.npz"
DEPTH, WIDTH, FEATURES, OUTPUTS, BATCH, SEED = 50, 128, 64, 10, 64, 0
SATURATED_BELOW = 0.01 * 0.25  # 1 % of the sigmoid's steepest slope


class HiddenPass(NamedTuple):
    """One batch's way through a hidden layer: pre-activation and output are (batch, width)."""

    linear: nn.Linear
    preactivation: Tensor
    output: Tensor


def main() -> None:
    """Measure every layer in one forward and backward pass, and print JSON."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(SEED)
    inputs, labels = batch()
    passes = list(forward(hidden_layers(), inputs))
    logits = dense(WIDTH, OUTPUTS)(passes[-1].output)
    nn.functional.cross_entropy(logits, labels).backward()
    layers = [forward_measures(layer_pass) | backward_measures(layer_pass) for layer_pass in passes]
    add_ratios(layers)
    print(json.dumps({"layers": layers}, indent=2))


def batch() -> tuple[Tensor, Tensor]:
    """Return standardised digits (BATCH, FEATURES) and their labels (BATCH,), shuffled by the seed."""
    with np.load(DIGITS) as digits:
        x, y = torch.from_numpy(digits["x"]).double(), torch.from_numpy(digits["y"]).long()
    chosen = torch.randperm(len(x))[:BATCH]
    return ((x - x.mean()) / x.std(correction=0))[chosen], y[chosen]


def dense(fan_in: int, fan_out: int) -> nn.Linear:
    """Return a linear layer with Xavier-normal weights and zero biases."""
    linear = nn.Linear(fan_in, fan_out)
    nn.init.xavier_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def hidden_layers() -> list[nn.Linear]:
    """Return the linear maps of the hidden layers."""
    return [dense(fan_in, fan_out) for fan_in, fan_out in pairwise([FEATURES] + [WIDTH] * DEPTH)]


def forward(layers: list[nn.Linear], x: Tensor) -> Iterator[HiddenPass]:
    """Pass x (batch, features) through the hidden layers; each pre-activation will keep its gradient."""
    for linear in layers:
        z = linear(x)
        z.retain_grad()
        x = torch.sigmoid(z)
        yield HiddenPass(linear, z, x)


@torch.no_grad()
def forward_measures(layer_pass: HiddenPass) -> dict[str, float]:
    """Measure a layer's signal."""
    _, z, y = layer_pass
    slope = y * (1 - y)
    return {
        "preactivation_std": z.std(correction=0).item(),
        "activation_rms": rms(y),
        "input_cosine": mean_cosine(y),
        "effective_rank": effective_rank(y),
        "dead_fraction": (slope == 0).all(0).double().mean().item(),
        "saturated_fraction": (slope < SATURATED_BELOW).double().mean().item(),
    }


@torch.no_grad()
def backward_measures(layer_pass: HiddenPass) -> dict[str, float]:
    """Measure a layer's gradient, and its weights."""
    weight = layer_pass.linear.weight
    return {
        "gradient_rms": rms(layer_pass.preactivation.grad),
        "weight_norm": torch.linalg.vector_norm(weight).item(),
        "weight_gradient_norm": torch.linalg.vector_norm(weight.grad).item(),
    }


def add_ratios(layers: list[dict[str, float]]) -> None:
    """Add each layer's gradient over the last layer's, and over the next one's (null for the last)."""
    gradients = [layer["gradient_rms"] for layer in layers]
    for layer, gradient, beyond in zip(layers, gradients, [*gradients[1:], None], strict=True):
        layer["gradient_ratio"] = gradient / gradients[-1]
        layer["local_gain"] = gradient / beyond if beyond else None


def rms(tensor: Tensor) -> float:
    """Return the root mean square of the entries."""
    return tensor.square().mean().sqrt().item()


def mean_cosine(outputs: Tensor) -> float:
    """Return the mean cosine between distinct examples."""
    unit = nn.functional.normalize(outputs)  # (batch, width)
    cosines = unit @ unit.T  # (batch, batch)
    return ((cosines.sum() - cosines.trace()) / (BATCH * (BATCH - 1))).item()


def effective_rank(outputs: Tensor) -> float:
    """Return exp of the entropy of the normalised squared singular values of the centred outputs."""
    energies = torch.linalg.svdvals(outputs - outputs.mean(0)).square()
    return torch.special.entr(energies / energies.sum()).sum().exp().item()


if __name__ == "__main__":
    main()
