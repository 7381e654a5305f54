"""Copies of one perceptron, each of which is trained at a learning rate of its own, all at once, in PyTorch.

The copies start with the same weights, those that gradcheck draws, and see the same batches, those of gradcheck's runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gradcheck.data.epochs import Batches
from gradcheck.families import trainable
from gradcheck.simulation.experiment import Experiment

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_tanh": functional.hardtanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "mish": functional.mish,
}
NORMS = {
    "none": lambda z: z,
    "layer": lambda z: functional.layer_norm(z, z.shape[-1:]),
    "batch": lambda z: (z - z.mean(-2, keepdim=True)) * (z.var(-2, keepdim=True, correction=0) + 1e-5).rsqrt(),
    "rms": lambda z: z * (z.square().mean(-1, keepdim=True) + 1e-5).rsqrt(),
}

#: Weights and biases: first layer, hidden ones behind it, read-out; (replicas, …) each, as `stacked` lays them out.
Parameters = list[Tensor]


class Perceptron(NamedTuple):
    """A network as data: what happens between its matrices, and the weights with which it starts."""

    activation: str
    norm: str
    skip: float | None
    start: Parameters  # W (64, w), b (w,), W (layers − 1, w, w), b (layers − 1, w), W (w, 10), b (10,)
    batches: Batches

    def copies(self, count: int) -> Parameters:
        """Return the parameters of so many copies, (count, …) each."""
        return [one.expand(count, *one.shape).clone() for one in self.start]

    def losses(self, parameters: Parameters, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of each copy (replicas,) of a batch (examples, 64)."""
        activation, norm = ACTIVATIONS[self.activation], NORMS[self.norm]
        first, first_bias, hidden, hidden_bias, readout, readout_bias = parameters
        given = inputs.expand(len(first), *inputs.shape)
        x = activation(norm(torch.baddbmm(first_bias[:, None], given, first)))
        for weight, bias in zip(hidden.unbind(1), hidden_bias.unbind(1), strict=True):
            y = activation(norm(torch.baddbmm(bias[:, None], x, weight)))
            x = y if self.skip is None else x + self.skip * y
        logits = torch.baddbmm(readout_bias[:, None], x, readout)
        wanted = labels.expand(len(first), len(labels))
        return functional.cross_entropy(logits.transpose(1, 2), wanted, reduction="none").mean(1)

    def gradient(self, parameters: Parameters, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Parameters]:
        """Return the losses (replicas,) and their gradients."""
        leaves = [one.detach().requires_grad_() for one in parameters]
        losses = self.losses(leaves, inputs, labels)
        return losses.detach(), list(torch.autograd.grad(losses.sum(), leaves))

    def stream(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (examples, 64) and labels (examples,), epoch by epoch without an end."""
        for inputs, labels in self.batches.without_end():
            yield torch.from_numpy(inputs), torch.from_numpy(labels).long()


def perceptron(options: dict[str, Any], seed: int = 0) -> Perceptron:
    """Return the network that gradcheck's options describe, in float32."""
    experiment = Experiment.from_options(options | {"seed": seed, "dtype": "float32"}, stored="is trained")
    network = experiment.stored_network("seed", "are drawn anew")
    maps = [one for _, one in trainable(experiment.network, network, experiment.dataset.features, "float32").maps]
    spec = experiment.network
    weights = [torch.from_numpy(one.weight) for one in maps]
    biases = [torch.from_numpy(one.bias) for one in maps]
    width = weights[0].shape[1]
    hidden = torch.stack(weights[1:-1]) if len(maps) > 2 else torch.empty(0, width, width)
    hidden_bias = torch.stack(biases[1:-1]) if len(maps) > 2 else torch.empty(0, width)
    start = [weights[0], biases[0], hidden, hidden_bias, weights[-1], biases[-1]]
    batches = Batches(experiment.data, experiment.dataset, seed, "float32")
    return Perceptron(spec.activation, spec.norm, spec.residual_scale if spec.residual else None, start, batches)


#: Those that divide by the root of the second moment; the weight decay of AdamW.
ADAMS, WEIGHT_DECAY = ("adam", "adamw"), 0.01


class Optimizer:
    """What an optimizer adds to the parameters at rate 1, each step: SGD, SGD with momentum, Adam, AdamW.

    As torch.optim defines them with their defaults; momentum 0.9, AdamW's weight decay 0.01.
    """

    def __init__(self, name: str, parameters: Parameters) -> None:
        self.name = name
        self.steps = 0
        self.first = [torch.zeros_like(one) for one in parameters]
        self.second = [torch.zeros_like(one) for one in parameters] if name in ADAMS else []

    def keep(self, chosen: Tensor) -> None:
        """Forget all replicas but the chosen ones."""
        self.first, self.second = ([one[chosen] for one in part] for part in (self.first, self.second))

    def update(self, gradients: Parameters, parameters: Parameters) -> Parameters:
        """Take in a step's gradients; return the update for rate 1."""
        self.steps += 1
        if self.name == "sgd":
            return [-one for one in gradients]
        if self.name == "momentum":
            torch._foreach_mul_(self.first, 0.9)
            torch._foreach_add_(self.first, gradients)
            return [-one for one in self.first]
        torch._foreach_lerp_(self.first, gradients, 0.1)
        torch._foreach_mul_(self.second, 0.999)
        torch._foreach_addcmul_(self.second, gradients, gradients, 0.001)
        scale = (1 - 0.999**self.steps) ** 0.5
        root = torch._foreach_sqrt(self.second)
        torch._foreach_div_(root, scale)
        torch._foreach_add_(root, 1e-8)
        update = torch._foreach_div(self.first, root)
        torch._foreach_mul_(update, -1 / (1 - 0.9**self.steps))
        if self.name == "adamw":
            torch._foreach_add_(update, parameters, alpha=-WEIGHT_DECAY)
        return list(update)


def along(parameters: Parameters, update: Parameters, rates: Tensor) -> Parameters:
    """Return θ + rate·Δ of each copy, rates (replicas,)."""
    return [
        torch.addcmul(one, rates.view(-1, *(1,) * (one.dim() - 1)), step)
        for one, step in zip(parameters, update, strict=True)
    ]


def train(network: Perceptron, optimizer: str, rates: Sequence[float], steps: int, warm_up: int = 0) -> Tensor:
    """Return the loss of each batch before its step, (steps, replicas), one copy trained at each rate.

    With a warm-up the rate rises linearly over so many steps. A copy that diverges is left out from then on.
    """
    given, left = torch.tensor(rates), torch.arange(len(rates))
    parameters = network.copies(len(rates))
    rule = Optimizer(optimizer, parameters)
    losses = torch.full((steps, len(rates)), torch.inf)
    for step, (inputs, labels) in enumerate(islice(network.stream(), steps)):
        loss, gradients = network.gradient(parameters, inputs, labels)
        losses[step, left] = loss
        update = rule.update(gradients, parameters)
        finite = loss.isfinite()
        if not finite.all():
            left, parameters, update = (
                left[finite],
                [one[finite] for one in parameters],
                [one[finite] for one in update],
            )
            rule.keep(finite)
        if not len(left):
            break
        parameters = along(parameters, update, given[left] * min(1.0, (step + 1) / (warm_up + 1)))
    return losses
