"""Plain chains of layers as PyTorch draws them: what ``probe`` says, and what training does.

    python benchmarks/default_chains.py
    python benchmarks/default_chains.py --activation tanh --depth 12,20 --steps 300

Each is probed with a batch of the digits, and then trained on all of them from the same start, with Adam at 1e-3 and
with SGD with momentum 0.9 at four rates. Needs PyTorch.
"""

import argparse
import os
from collections.abc import Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from gradcheck.data.datasets import load_dataset
from gradcheck.spec.data import DataSpec
from gradcheck.torch import probe

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
RATES, MOMENTUM, ADAM, BATCH = (0.01, 0.03, 0.1, 0.3), 0.9, 1e-3, 64

#: Training ends early where this share of the digits is told right.
ENOUGH = 0.95


def main(arguments: Sequence[str] | None = None) -> None:
    """Probe, train and print."""
    parser = argparse.ArgumentParser(description="Probe and train plain chains as PyTorch draws them.")
    parser.add_argument("--activation", default="relu", choices=ACTIVATIONS)
    parser.add_argument("--depth", default="6,8,10,12,14,16,20", help="hidden layers")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--steps", type=int, default=800)
    asked = parser.parse_args(arguments)
    inputs, labels = digits()
    for depth in map(int, asked.depth.split(",")):
        torch.manual_seed(0)
        model = chain(depth, asked.width, ACTIVATIONS[asked.activation])
        report = probe(model, (inputs[:BATCH], labels[:BATCH]))
        first = report.verdict.causes[0].code if report.verdict.causes else ""
        print(f"{asked.activation} {depth}: {report.verdict.status} ({first}), "
              f"{report.summary.gradient_span:.2f} decades", flush=True)  # fmt: skip
        start = {name: one.clone() for name, one in model.state_dict().items()}
        for rate in (None, *RATES):
            model.load_state_dict(start)
            share, steps = trained(model, rate, inputs, labels, asked.steps)
            print(
                f"    {'Adam' if rate is None else f'SGD {rate:g}'}: {share:.3f} right after {steps} steps", flush=True
            )


def digits() -> tuple[Tensor, Tensor]:
    """Return the digits, standardised, in a random order, and their classes."""
    dataset = load_dataset(DataSpec())
    order = torch.randperm(len(dataset.inputs), generator=torch.Generator().manual_seed(0))
    inputs = torch.tensor(dataset.inputs, dtype=torch.float32)
    return ((inputs - inputs.mean()) / inputs.std())[order], torch.tensor(dataset.labels)[order].long()


def chain(depth: int, width: int, activation: type[nn.Module]) -> nn.Sequential:
    """Return a perceptron as PyTorch draws it."""
    hidden = [part for _ in range(depth - 1) for part in (nn.Linear(width, width), activation())]
    return nn.Sequential(nn.Linear(64, width), activation(), *hidden, nn.Linear(width, 10))


def trained(model: nn.Module, rate: float | None, inputs: Tensor, labels: Tensor, steps: int) -> tuple[float, int]:
    """Train with SGD at a rate, or with Adam; return the share that is told right in the end, and the steps."""
    own, share = list(model.parameters()), 0.0
    optimizer = torch.optim.Adam(own, ADAM) if rate is None else torch.optim.SGD(own, rate, MOMENTUM)
    batches = len(inputs) // BATCH
    for step in range(1, steps + 1):
        at = slice(BATCH * (step % batches), BATCH * (step % batches + 1))
        loss = nn.functional.cross_entropy(model(inputs[at]), labels[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 60 == 0 or step == steps:
            with torch.no_grad():
                share = float((model(inputs).argmax(-1) == labels).float().mean())
            if share >= ENOUGH:
                return share, step
    return share, steps


if __name__ == "__main__":
    main()
