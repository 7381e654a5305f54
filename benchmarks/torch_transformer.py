"""GPT-2 small, drawn and measured by hand in PyTorch; ``transformer.py`` runs it beside gradcheck."""

import math
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy, gelu, layer_norm

BLOCKS, WIDTH, HEADS, TOKENS, SEQUENCES, VOCABULARY, STD = 12, 768, 12, 32, 2, 50257, 0.02

#: (fan_in, fan_out, standard deviation) of a block's matrices: attention's two, the MLP's two.
WRITE = STD / math.sqrt(2 * BLOCKS)
MAPS = [(WIDTH, 3 * WIDTH, STD), (WIDTH, WIDTH, WRITE), (WIDTH, 4 * WIDTH, STD), (4 * WIDTH, WIDTH, WRITE)]


class Weights(NamedTuple):
    """A transformer's weights: (VOCABULARY, WIDTH), (TOKENS, WIDTH), and each matrix (fan_in, fan_out)."""

    embedding: Tensor
    positions: Tensor
    maps: list[Tensor]


class Flow(NamedTuple):
    """log10 of what is measured: two rms at each flow point; the norm of ∂𝓛/∂W of each map, the read-out's last."""

    activations: list[float]
    gradients: list[float]
    norms: list[float]


def drawn(seed: int) -> Weights:
    """Draw weights in PyTorch, float32."""
    torch.manual_seed(seed)

    def normal(rows: int, columns: int, std: float = STD) -> Tensor:
        return torch.nn.init.normal_(torch.empty(rows, columns), std=std)

    maps = [normal(*one) for _ in range(BLOCKS) for one in MAPS]
    return Weights(normal(VOCABULARY, WIDTH), normal(TOKENS, WIDTH), maps)


def measured(weights: Weights, inputs: Tensor, labels: Tensor) -> Flow:
    """Pass the batch forward and back."""
    norms: dict[int, Tensor] = {}

    def drop(number: int, weight: Tensor) -> None:
        norms[number] = vector_norm(weight.grad)
        weight.grad = None

    for number, weight in enumerate([*weights.maps, weights.embedding]):
        weight.requires_grad_().register_post_accumulate_grad_hook(partial(drop, number))
    start = (weights.embedding.detach()[inputs] + weights.positions).reshape(-1, WIDTH)
    *points, last = forward(weights.maps, start)
    points.append(last)
    for point in points:
        point.retain_grad()
    cross_entropy(normalised(last) @ weights.embedding.T, labels).backward()
    with torch.no_grad():
        sizes = [[one.square().mean().sqrt().log10().item() for one in (point, point.grad)] for point in points]
    activations, gradients = map(list, zip(*sizes, strict=True))
    return Flow(activations, gradients, [norms[number].log10().item() for number in sorted(norms)])


def forward(maps: list[Tensor], x: Tensor) -> Iterator[Tensor]:
    """Pass x (tokens of all sequences, WIDTH) through the blocks; yield what each branch adds, and the stream."""
    for block in range(BLOCKS):
        project, write, expand, contract = maps[len(MAPS) * block : len(MAPS) * (block + 1)]
        attention = attend(normalised(x) @ project) @ write
        x = x + attention
        mlp = gelu(normalised(x) @ expand) @ contract
        x = x + mlp
        yield from (attention, mlp, x)


def normalised(x: Tensor) -> Tensor:
    """Return the layer norm, its gain 1 and its bias 0."""
    return layer_norm(x, (WIDTH,), eps=1e-5)


def attend(rows: Tensor) -> Tensor:
    """Return what each token reads, given queries, keys and values side by side."""
    q, k, v = rows.view(SEQUENCES, TOKENS, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
    future = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    read = scores.masked_fill(future, -math.inf).softmax(-1) @ v  # (SEQUENCES, HEADS, TOKENS, WIDTH/HEADS)
    return read.transpose(1, 2).reshape(-1, WIDTH)


def warm_up() -> None:
    """Let PyTorch start its threads and its backward pass."""
    weight = torch.randn(WIDTH, WIDTH, requires_grad=True)
    gelu(normalised(torch.randn(TOKENS, WIDTH)) @ weight).sum().backward()
