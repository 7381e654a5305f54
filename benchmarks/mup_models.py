"""Networks whose parametrisation is known: those that the mup package's examples train, and others, right and wrong.

The perceptron and the transformer have the architecture, the initialisation and the settings of the examples of mup
1.0.0 (github.com/microsoft/mup, examples/MLP and examples/Transformer); the code is another.
"""

import math
from collections.abc import Callable, Iterator

import mup
import torch
from torch import Tensor, nn
from torch.nn import functional

Make = Callable[[int], nn.Module]

#: The shapes of what stays as it is at all widths are taken from models of these two.
BASE, DELTA = 32, 64


def in_mup(make: Make, *, strict: bool = True) -> Make:
    """Return what builds the same models with mup's base shapes."""

    def build(width: int) -> nn.Module:
        return mup.set_base_shapes(make(width), make(BASE), delta=make(DELTA), do_assert=strict)

    return build


def in_standard(make: Make) -> Make:
    """Return what builds them with their own shapes as base shapes: MuReadout is a linear layer then."""
    return lambda width: mup.set_base_shapes(make(width), None)


class Perceptron(nn.Module):
    """Three layers without biases, tanh, a read-out that starts at zero."""

    def __init__(self, width: int, features: int = 3072, classes: int = 10) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(features, width, bias=False), nn.Linear(width, width, bias=False)
        self.readout = mup.MuReadout(width, classes, bias=False)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        nn.init.zeros_(self.readout.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.readout(torch.tanh(self.second(torch.tanh(self.first(x)))))


class Attention(nn.Module):
    """Causal attention over (tokens, sequences, width); scores are divided by the width of a head to a power."""

    def __init__(self, width: int, heads: int, power: float, *, zero_queries: bool = False) -> None:
        super().__init__()
        self.heads, self.power = heads, power
        self.queries_keys_values, self.mix = _linear(width, 3 * width), _linear(width, width)
        if zero_queries:
            nn.init.zeros_(self.queries_keys_values.weight[:width])

    def forward(self, x: Tensor) -> Tensor:
        """Return what each token has read of itself and those before it."""
        tokens, sequences, width = x.shape
        parts = self.queries_keys_values(x).chunk(3, -1)
        query, key, value = (one.reshape(tokens, -1, width // self.heads).transpose(0, 1) for one in parts)
        scores = query @ key.mT * (width // self.heads) ** -self.power
        future = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).triu(1)
        read = scores.masked_fill(future, -math.inf).softmax(-1) @ value
        return self.mix(read.transpose(0, 1).reshape(tokens, sequences, width))


class Block(nn.Module):
    """Attention and a perceptron as wide as the stream; norms after each sum, or before each branch."""

    def __init__(self, width: int, heads: int, power: float, *, pre: bool, zero_queries: bool) -> None:
        super().__init__()
        self.attention = Attention(width, heads, power, zero_queries=zero_queries)
        self.up, self.down = _linear(width, width), _linear(width, width)
        self.norm1, self.norm2, self.pre = nn.LayerNorm(width), nn.LayerNorm(width), pre

    def forward(self, x: Tensor) -> Tensor:
        """Return the stream after this block."""
        if self.pre:
            x = x + self.attention(self.norm1(x))
            return x + self.down(torch.relu(self.up(self.norm2(x))))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.down(torch.relu(self.up(x))))


class Transformer(nn.Module):
    """Two blocks of two heads, sines for positions, no biases, a read-out that starts at zero; log-probabilities."""

    def __init__(
        self, width: int, vocabulary: int = 96, *, power: float = 1.0, pre: bool = False, heads: int = 2,
        zero_queries: bool = False, tied: bool = False, readout: type[nn.Linear] = mup.MuReadout,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList([Block(width, heads, power, pre=pre, zero_queries=zero_queries) for _ in range(2)])
        self.norm = nn.LayerNorm(width) if pre else None
        if tied:  # mup 1.0.0 gives a bias the shape of the width: findings/mup-shared-readout.sh
            self.readout = mup.MuSharedReadout(self.embedding.weight, bias=False)
        else:
            self.readout = readout(width, vocabulary, bias=False)
            nn.init.zeros_(self.readout.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the log-probabilities of (tokens, sequences)."""
        x = self.embedding(tokens)
        x = x + _sines(len(tokens), x.shape[-1])[:, None]
        for block in self.blocks:
            x = block(x)
        return functional.log_softmax(self.readout(x if self.norm is None else self.norm(x)), -1)


def _linear(fan_in: int, fan_out: int) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out, bias=False)
    nn.init.normal_(layer.weight, std=fan_in**-0.5)
    return layer


def _sines(tokens: int, width: int) -> Tensor:
    """Return the positions of Vaswani et al. 2017, (tokens, width)."""
    angles = torch.arange(tokens)[:, None] * 10000 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class Residual(nn.Module):
    """A residual stream with biases and a norm of any kind in each branch; the branches are multiplied by a scale."""

    def __init__(
        self, width: int, norm: type[nn.Module] = nn.Identity, depth: int = 2, scale: float = 1.0,
        readout: type[nn.Linear] = mup.MuReadout,
    ) -> None:  # fmt: skip
        super().__init__()
        self.enter, self.scale = nn.Linear(64, width), scale
        self.norms = nn.ModuleList([norm(width) for _ in range(depth)])
        self.branches = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.readout = readout(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = self.enter(x)
        for norm, branch in zip(self.norms, self.branches, strict=True):
            x = x + self.scale * branch(torch.relu(norm(x)))
        return self.readout(x)


class Images(nn.Module):
    """Two convolutions with batch norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.readout = mup.MuReadout(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = functional.max_pool2d(torch.relu(self.norm1(self.conv1(x))), 2)
        return self.readout(torch.relu(self.norm2(self.conv2(x))).mean((2, 3)))


class Multihead(nn.Module):
    """PyTorch's own attention, which divides scores by the square root of a head's width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(96, width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads)
        self.readout = mup.MuReadout(width, 96)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits."""
        x = self.embedding(tokens)
        y = self.norm(x)
        return self.readout(x + self.attention(y, y, y, need_weights=False)[0])


def groups(model: nn.Module, rate: Callable[[str], float]) -> Iterator[dict[str, object]]:
    """Yield a group of parameters for each, with a rate of its own by its name."""
    for name, parameter in model.named_parameters():
        yield {"params": [parameter], "lr": rate(name)}
