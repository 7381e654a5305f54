"""The sweep of ``sweep.py`` as a loop in PyTorch: the same networks, the same measurements, one after the other."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch_simulate import HiddenPass, backward_measures, batch, effective_rank, mean_cosine, rms

WIDTH, OUTPUTS = 128, 10

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "selu": nn.functional.selu,
}
STEEPEST = {"sigmoid": 0.25, "tanh": 1.0, "relu": 1.0, "gelu": 1.12890, "silu": 1.09984, "selu": 1.75810}
NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda z: z,
    "layer": lambda z: nn.functional.layer_norm(z, z.shape[1:]),
    "batch": lambda z: nn.functional.batch_norm(z, None, None, training=True),
}


def weights(init: str, fan_in: int, fan_out: int) -> Tensor:
    """Return a layer's weights (fan_out, fan_in)."""
    weight = torch.empty(fan_out, fan_in)
    if init == "orthogonal":
        return nn.init.orthogonal_(weight)
    variance = {"xavier": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[init]
    return nn.init.normal_(weight, std=math.sqrt(variance))


def layers(network: dict[str, Any]) -> Iterator[nn.Linear]:
    """Yield the hidden layers and the read-out, their biases zero."""
    widths = [64] + [WIDTH] * network["depth"] + [OUTPUTS]
    for fan_in, fan_out in pairwise(widths):
        linear = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
        linear.weight = nn.Parameter(weights(network["init"], fan_in, fan_out))
        nn.init.zeros_(linear.bias)
        yield linear


def simulate(network: dict[str, Any], seed: int) -> list[dict[str, float]]:
    """Pass a batch forward and its gradient back, and measure every layer."""
    torch.manual_seed(seed)
    x, labels = batch()
    *hidden, readout = layers(network)
    activation, norm = ACTIVATIONS[network["activation"]], NORMS[network["norm"]]
    passes, slopes = [], []
    for index, linear in enumerate(hidden):
        z = linear(x)
        z.retain_grad()
        inner = norm(z)
        y = activation(inner)
        slopes.append(slope(activation, inner))
        x = x + y if network["residual"] and index else y
        passes.append(HiddenPass(linear, z, x))
    nn.functional.cross_entropy(readout(x), labels).backward()
    steepest = STEEPEST[network["activation"]]
    pairs = zip(passes, slopes, strict=True)
    return [forward_measures(one, slope, steepest) | backward_measures(one) for one, slope in pairs]


def slope(activation: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Return the activation's derivative at z."""
    leaf = z.detach().requires_grad_()
    return torch.autograd.grad(activation(leaf).sum(), leaf)[0]


@torch.no_grad()
def forward_measures(layer_pass: HiddenPass, slope: Tensor, steepest: float) -> dict[str, float]:
    """Measure a layer's signal."""
    _, z, y = layer_pass
    return {
        "preactivation_std": z.std(correction=0).item(),
        "activation_rms": rms(y),
        "input_cosine": mean_cosine(y),
        "effective_rank": effective_rank(y),
        "dead_fraction": (slope == 0).all(0).double().mean().item(),
        "saturated_fraction": (slope.abs() < 0.01 * steepest).double().mean().item(),
    }
