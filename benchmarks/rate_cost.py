"""What a search for the learning rate costs: python benchmarks/rate_cost.py [--stem imagenet] [--optimizer adamw].

The processor time of ``gradcheck.torch.rate`` on ResNet-18 (He et al. 2016), 32 × 32 pixels, batch 64, each update with
a new batch, over that of a plain forward and backward pass (model, loss, ``backward()``), which is taken between the
updates of the same run. One thread, so that processor time is the work done. What is kept before the first update and
put back after the last is part of it; the optimizer's steps are on the search's side alone.
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional

import gradcheck.torch


def convolution(channels: int, into: int, size: int, stride: int) -> nn.Conv2d:
    """Return a convolution without a bias, with as many rows as before over the stride."""
    return nn.Conv2d(channels, into, size, stride, size // 2, bias=False)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int, into: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            convolution(channels, into, 3, stride), nn.BatchNorm2d(into), nn.ReLU(),
            convolution(into, into, 3, 1), nn.BatchNorm2d(into),
        )  # fmt: skip
        around = nn.Sequential(convolution(channels, into, 1, stride), nn.BatchNorm2d(into))
        self.around = around if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both."""
        return functional.relu(self.branch(x) + self.around(x))


def resnet18(stem: str, classes: int = 10) -> nn.Sequential:
    """Return ResNet-18 with the stem of CIFAR (3 × 3, no pooling) or of ImageNet."""
    narrow = [convolution(3, 64, 3, 1), nn.BatchNorm2d(64), nn.ReLU()]
    wide = [convolution(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks, channels = [], 64
    for into in (64, 128, 256, 512):
        blocks += [Block(channels, into, 1 if channels == into else 2), Block(into, into, 1)]
        channels = into
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*(narrow if stem == "cifar" else wide), *blocks, *head)


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, pass between the updates, and print."""
    parser = argparse.ArgumentParser(description="What a search for the learning rate costs.")
    parser.add_argument("--stem", choices=("cifar", "imagenet"), default="cifar")
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--updates", type=int, help="of a run, by default as many as the model's passes allow")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, classes = resnet18(asked.stem), torch.randn(10, 3, 32, 32)
    twin = resnet18(asked.stem)  # what is timed beside: passes of its own leave the search alone

    def batch() -> tuple[Tensor, Tensor]:
        labels = torch.randint(10, (64,))
        return classes[labels] / 2 + torch.randn(64, 3, 32, 32), labels

    def plain() -> None:
        inputs, labels = beside
        twin.zero_grad()
        functional.cross_entropy(twin(inputs), labels).backward()

    beside, passes, between = batch(), list[float](), [0.0]

    def tick(_: float) -> None:
        start = time.process_time()
        plain()
        passes.append(time.process_time() - start)
        between[0] += passes[-1]

    plain(), plain()
    torch.optim.AdamW(twin.parameters()).step()  # what PyTorch loads at the first optimizer is loaded by all
    start = time.process_time()
    report = gradcheck.torch.rate(model, batch, None, asked.optimizer, updates=asked.updates, tick=tick)
    seconds = time.process_time() - start - between[0]
    print(report)
    print(f"{asked.optimizer}, stem of {asked.stem}: {seconds:.1f} s of processor time, {seconds / median(passes):.1f} "
          f"plain forward and backward passes of {median(passes):.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
