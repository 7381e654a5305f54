"""Architectures as published, small and from PyTorch alone: each trains, and has something that looks ill."""

import math

import torch
from torch import nn
from torch.nn import functional


class DiTBlock(nn.Module):
    """Shift, scale and gate come from the condition, by a layer that starts at zero (Peebles & Xie 2023)."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.modulation = nn.Linear(width, 3 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, condition):
        shift, scale, gate = self.modulation(functional.silu(condition)).chunk(3, -1)
        return x + gate * self.mlp(self.norm(x) * (1 + scale) + shift)


class DiT(nn.Module):
    """Gates of zero behind an output layer of zero."""

    def __init__(self, blocks=6, width=32):
        super().__init__()
        self.inputs, self.condition, self.output = (nn.Linear(width, width) for _ in range(3))
        self.blocks = nn.ModuleList(DiTBlock(width) for _ in range(blocks))
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x):
        condition, h = self.condition(x), self.inputs(x)
        for block in self.blocks:
            h = block(h, condition)
        return self.output(h)


class ReZero(nn.Module):
    """One gate of zero for each branch (Bachlechner et al. 2021)."""

    def __init__(self, depth=24, width=32):
        super().__init__()
        self.first, self.head, self.gates = nn.Linear(32, width), nn.Linear(width, 10), nn.Parameter(torch.zeros(depth))
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        x = self.first(x)
        for gate, layer in zip(self.gates, self.layers, strict=True):
            x = x + gate * functional.relu(layer(x))
        return self.head(x)


class LayerScale(nn.Module):
    """Branches multiplied by 1e-6 (Touvron et al. 2021)."""

    def __init__(self, blocks=6, width=32):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, width, 4, 4), nn.Linear(width, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 7, padding=3, groups=width), nn.GroupNorm(1, width),
                          nn.Conv2d(width, 4 * width, 1), nn.GELU(), nn.Conv2d(4 * width, width, 1))
            for _ in range(blocks)
        )  # fmt: skip
        self.scales = nn.ParameterList(torch.full((width, 1, 1), 1e-6) for _ in range(blocks))

    def forward(self, x):
        x = self.stem(x)
        for scale, block in zip(self.scales, self.blocks, strict=True):
            x = x + scale * block(x)
        return self.head(x.mean((2, 3)))


class SqueezeExcitation(nn.Module):
    """Channels weighted by what all positions say (Hu, Shen & Sun 2018)."""

    def __init__(self, width):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Inverted(nn.Module):
    """A mobile block: wide inside, one filter a channel, squeeze and excitation (Howard et al. 2019)."""

    def __init__(self, width):
        super().__init__()
        wide = 4 * width
        self.expand = nn.Sequential(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish())
        self.depthwise = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.Hardswish()
        )
        self.weighted, self.project = (
            SqueezeExcitation(wide),
            nn.Sequential(nn.Conv2d(wide, width, 1), nn.BatchNorm2d(width)),
        )

    def forward(self, x):
        return x + self.project(self.weighted(self.depthwise(self.expand(x))))


def mobile(blocks=8, width=16):
    """Gates beside a trunk, without a norm of their own."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.Hardswish(),
        *(Inverted(width) for _ in range(blocks)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10),
    )  # fmt: skip


def mixing(depth=12, width=48):
    """Norms after the activation (Trockman & Kolter 2022)."""

    def block():
        spatial = nn.Sequential(nn.Conv2d(width, width, 5, padding=2, groups=width), nn.GELU(), nn.BatchNorm2d(width))
        return nn.Sequential(Added(spatial), nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width))

    stem = nn.Conv2d(3, width, 4, 4), nn.GELU(), nn.BatchNorm2d(width)
    return nn.Sequential(
        *stem, *(block() for _ in range(depth)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)
    )


class Added(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


class Attention(nn.Module):
    """Queries, keys and values of their own, with dropout: PyTorch's safe softmax on a CPU."""

    def __init__(self, width, dropout):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.dropout = dropout

    def forward(self, x):
        query, key, value = (
            one(x).unflatten(-1, (4, -1)).transpose(1, 2) for one in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=self.dropout)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Bert(nn.Module):
    """Norms after the sums, weights N(0, 0.02²), dropout, a pooler that the loss doesn't use (Devlin et al. 2019)."""

    def __init__(self, blocks=8, width=64, words=200):
        super().__init__()
        self.words, self.head, self.pooler = (
            nn.Embedding(words, width),
            nn.Linear(width, words),
            nn.Linear(width, width),
        )
        self.attention = nn.ModuleList(Attention(width, 0.1) for _ in range(blocks))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for _ in range(blocks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * blocks))
        for one in self.modules():
            if isinstance(one, nn.Linear | nn.Embedding):
                nn.init.normal_(one.weight, std=0.02)

    def forward(self, tokens):
        x = self.words(tokens)
        for index, (attention, mlp) in enumerate(zip(self.attention, self.mlp, strict=True)):
            x = self.norms[2 * index](x + attention(x))
            x = self.norms[2 * index + 1](x + mlp(x))
        self.pooled = self.pooler(x[:, 0]).tanh()
        return self.head(x)


class ZeroProjections(nn.Module):
    """The last maps of all branches and the head start at zero (as nanochat does; Zhang, Dauphin & Ma 2019)."""

    def __init__(self, blocks=6, width=32, words=65):
        super().__init__()
        self.words, self.head, self.norm = nn.Embedding(words, width), nn.Linear(width, words), nn.LayerNorm(width)
        self.attention = nn.ModuleList(Attention(width, 0.0) for _ in range(blocks))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(blocks)
        )
        for one in (self.head, *(one.out for one in self.attention), *(one[-1] for one in self.mlp)):
            nn.init.zeros_(one.weight)

    def forward(self, tokens):
        x = self.words(tokens)
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            x = x + attention(self.norm(x))
            x = x + mlp(x)
        return self.head(self.norm(x))


class LoRA(nn.Module):
    """A frozen layer and a product of two small ones, the second of them zero (Hu et al. 2022)."""

    def __init__(self, inputs, outputs, rank=4):
        super().__init__()
        self.base = nn.Linear(inputs, outputs).requires_grad_(False)
        nn.init.kaiming_normal_(self.base.weight)
        self.down, self.up = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs, bias=False)
        nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.base(x) + self.up(self.down(x))


class Translator(nn.Module):
    """Two recurrences, the second started from the first one's state (Sutskever, Vinyals & Le 2014)."""

    def __init__(self, width=48, words=60):
        super().__init__()
        self.words, self.encoder = nn.Embedding(words, width), nn.GRU(width, width, batch_first=True)
        self.decoder, self.head = nn.GRU(width, width, batch_first=True), nn.Linear(width, words)

    def forward(self, tokens):
        x = self.words(tokens)
        _, state = self.encoder(x)
        return self.head(self.decoder(x, state)[0])


class Critic(nn.Sequential):
    """A critic of pictures whose loss has any sign (Arjovsky, Chintala & Bottou 2017)."""


def critic():
    layers = [part for inputs, outputs in ((3, 16), (16, 32), (32, 64))
              for part in (nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2))]  # fmt: skip
    return Critic(*layers, nn.Flatten(), nn.Linear(1024, 1))


def difference(output, targets):
    """Return what a critic of Wasserstein's distance makes small: the mean of the true ones less that of the others."""
    half = len(output) // 2
    return output[half:].mean() - output[:half].mean()


class Unnormalised(nn.Module):
    """Residual blocks of two maps, the second scaled by 1/√depth (Zhang, Dauphin & Ma 2019)."""

    def __init__(self, depth=16, width=32):
        super().__init__()
        self.first, self.head = nn.Linear(32, width), nn.Linear(width, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(depth)
        )
        for block in self.blocks:
            nn.init.kaiming_normal_(block[0].weight)
            nn.init.normal_(block[2].weight, std=(width * depth) ** -0.5)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)


class Highway(nn.Module):
    """Gates that start nearly shut, and carry the input (Srivastava, Greff & Schmidhuber 2015)."""

    def __init__(self, depth=20, width=32):
        super().__init__()
        self.layers, self.gates = (nn.ModuleList(nn.Linear(width, width) for _ in range(depth)) for _ in range(2))
        self.head = nn.Linear(width, 10)
        for gate in self.gates:
            nn.init.constant_(gate.bias, -2.0)

    def forward(self, x):
        for layer, gate in zip(self.layers, self.gates, strict=True):
            share = gate(x).sigmoid()
            x = share * layer(x).tanh() + (1 - share) * x
        return self.head(x)


class HashGrid(nn.Module):
    """Features of a plane's points from tables that start at 1e-4 (Müller et al. 2022)."""

    def __init__(self, levels=6, entries=256):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(entries, 2) for _ in range(levels))
        self.layers = nn.Sequential(
            nn.Linear(2 * levels, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3)
        )
        for table in self.tables:
            nn.init.uniform_(table.weight, -1e-4, 1e-4)

    def forward(self, x):
        found = []
        for level, table in enumerate(self.tables):
            at = x * 4 * 1.5**level
            corner, value = at.floor().long(), 0.0
            for right, up in ((0, 0), (0, 1), (1, 0), (1, 1)):
                number = (corner[:, 0] + right + (corner[:, 1] + up) * 2654435761) % table.num_embeddings
                share = 1 - (at - corner - torch.tensor([right, up])).abs()
                value = value + table(number) * share.prod(1, keepdim=True)
            found.append(value)
        return self.layers(torch.cat(found, 1))


def rows(width=32):
    return torch.randn(64, width), torch.arange(64) % 10


def noise():
    x = torch.randn(64, 32)
    return x, x.roll(1, -1)


def pictures():
    return torch.randn(8, 3, 32, 32), torch.arange(8) % 10


def plane():
    x = torch.rand(256, 2)
    return x, torch.cat([(6 * x).sin(), x.prod(1, keepdim=True)], 1)


def tokens(words, length=24):
    made = torch.randint(words, (8, length))
    return made, made


#: Name ↦ builder, batch, loss.
PUBLISHED = {
    "dit": (DiT, noise, "mean-square"),
    "rezero": (ReZero, rows, None),
    "layer scale": (LayerScale, pictures, None),
    "mobile with squeeze and excitation": (mobile, pictures, None),
    "norm after the activation": (mixing, pictures, None),
    "bert": (Bert, lambda: tokens(200), None),
    "zero projections": (ZeroProjections, lambda: tokens(65), None),
    "lora": (
        lambda: nn.Sequential(*(part for _ in range(4) for part in (LoRA(32, 32), nn.ReLU())), nn.Linear(32, 10)),
        rows, None,
    ),
    "translator": (Translator, lambda: tokens(60), None),
    "residual blocks without a norm": (Unnormalised, rows, None),
    "highway": (Highway, rows, None),
    "hash grid": (HashGrid, plane, "mean-square"),
    "wasserstein critic": (critic, lambda: (torch.randn(16, 3, 32, 32), torch.zeros(16)), difference),
}  # fmt: skip
