"""Models as users write them, from torch.nn alone: what ``probe`` is tried on."""

import torch
from torch import nn
from torch.nn import functional

BATCH = 16


def mlp(activation=nn.ReLU, depth=12, width=64, init="he", gain=1.0, bias=0.0, features=32, classes=10):
    layers = []
    for _ in range(depth):
        linear = nn.Linear(features, width)
        variance = {"he": 2 / features, "lecun": 1 / features, "xavier": 2 / (features + width)}[init]
        nn.init.normal_(linear.weight, std=gain * variance**0.5)
        nn.init.constant_(linear.bias, bias)
        layers += [linear, activation()]
        features = width
    return nn.Sequential(*layers, nn.Linear(width, classes))


class Residual(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


def residual_mlp(depth=12, width=64):
    def block():
        wide = 2 * width
        return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))

    blocks = [Residual(block()) for _ in range(depth)]
    return nn.Sequential(nn.Linear(32, width), *blocks, nn.LayerNorm(width), nn.Linear(width, 10))


def vgg(norm=True, widths=(16, "M", 32, "M", 64, 64, "M", 128, 128, "M", 128, 128, "M")):
    layers, channels = [], 3
    for width in widths:
        if width == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers.append(nn.ReLU(inplace=True))
        channels = width
    head = [nn.Flatten(), nn.Linear(channels, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10)]
    return nn.Sequential(nn.Sequential(*layers), *head)


def drawn(model, std):
    """Draw all weights from one law, as VGG's were, which stalled with more layers (Simonyan & Zisserman 2015)."""
    for one in model.parameters():
        nn.init.normal_(one, std=std) if one.dim() > 1 else nn.init.zeros_(one)
    return model


class Bottleneck(nn.Module):
    def __init__(self, channels, inner, stride):
        super().__init__()
        outer = 4 * inner
        self.conv1, self.bn1 = nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer)
        changes = stride > 1 or channels != outer
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)) if changes else None
        )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return functional.relu(y, inplace=True)


def resnet(blocks=(3, 4, 6, 3), width=8):
    layers, channels = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)], width
    for stage, count in enumerate(blocks):
        inner = width * 2**stage
        for block in range(count):
            layers.append(Bottleneck(channels, inner, 2 if stage and not block else 1))
            channels = 4 * inner
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()

        def twice(channels, outer):
            first = [nn.Conv2d(channels, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU()]
            return nn.Sequential(*first, nn.Conv2d(outer, outer, 3, padding=1), nn.BatchNorm2d(outer), nn.ReLU())

        self.down1, self.down2 = twice(3, width), twice(width, 2 * width)
        self.middle = twice(2 * width, 4 * width)
        self.up2, self.merge2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), twice(4 * width, 2 * width)
        self.up1, self.merge1 = nn.ConvTranspose2d(2 * width, width, 2, 2), twice(2 * width, width)
        self.out = nn.Conv2d(width, 4, 1)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(functional.max_pool2d(one, 2))
        three = self.middle(functional.max_pool2d(two, 2))
        y = self.merge2(torch.cat([self.up2(three), two], 1))
        return self.out(self.merge1(torch.cat([self.up1(y), one], 1)))


class Transformer(nn.Module):
    def __init__(self, pre=True, blocks=4, width=32):
        super().__init__()
        self.embedding = nn.Embedding(256, width)
        self.positions = nn.Parameter(0.02 * torch.randn(1, 24, width))
        block = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True, norm_first=pre)
        self.encoder = nn.TransformerEncoder(block, blocks, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 256)

    def forward(self, tokens):
        return self.head(self.norm(self.encoder(self.embedding(tokens) + self.positions)))


class Reader(nn.Module):
    """A recurrent network that answers after the last step."""

    def __init__(self, kind=nn.LSTM, layers=1, **options):
        super().__init__()
        self.recurrence = kind(16, 64, layers, batch_first=True, **options)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.recurrence(x)[0][:, -1])


class StepByStep(nn.Module):
    """One cell that is called anew at each step."""

    def __init__(self, nonlinearity="tanh", gain=1.0):
        super().__init__()
        self.cell = nn.RNNCell(16, 64, nonlinearity=nonlinearity)
        nn.init.orthogonal_(self.cell.weight_hh, gain)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        state = x.new_zeros(len(x), 64)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.head(state)


class Mixing(nn.Module):
    def __init__(self, tokens, channels):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.tokens = nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens))
        self.channels = nn.Sequential(nn.Linear(channels, 128), nn.GELU(), nn.Linear(128, channels))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 4, 4)
        self.blocks = nn.Sequential(*[Mixing(64, 64) for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x).flatten(2).transpose(1, 2))).mean(1))


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag, self.hidden, self.head = nn.EmbeddingBag(500, 32), nn.Linear(32, 32), nn.Linear(32, 4)

    def forward(self, tokens):
        return {"logits": self.head(torch.relu(self.hidden(self.bag(tokens)))), "tokens": tokens}


class Gated(nn.Module):
    """Beside the main way a branch whose gate never opens."""

    def __init__(self):
        super().__init__()
        self.main, self.branch, self.gate, self.head = (nn.Linear(32, 32) for _ in range(4))
        nn.init.constant_(self.gate.bias, -100.0)

    def forward(self, x):
        return self.head(torch.tanh(self.main(x)) + torch.tanh(self.branch(x)) * torch.relu(self.gate(x)))


class Unused(nn.Module):
    """One layer is never called, one only without a gradient."""

    def __init__(self):
        super().__init__()
        self.first, self.head, self.forgotten, self.cut = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x):
        y = torch.relu(self.first(x))
        return self.head(y + self.cut(y).detach())


class Shared(nn.Module):
    """One layer is used four times, by two names, its activation in place."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.head = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.alias = self.again

    def forward(self, x):
        x = self.first(x).relu_()
        for layer in (self.again, self.again, self.alias, self.alias):
            x = functional.relu(layer(x), inplace=True)
        return self.head(x), x


def image():
    return torch.randn(BATCH, 3, 32, 32)


def tokens():
    return torch.randint(256, (8, 24))


def sequence():
    return torch.randn(BATCH, 48, 16)


def rows():
    return torch.randn(BATCH * 4, 32)


#: What users build, and what goes in.
ARCHITECTURES = {
    "mlp": (mlp, rows),
    "residual mlp": (residual_mlp, rows),
    "vgg": (vgg, image),
    "resnet": (resnet, image),
    "unet": (UNet, image),
    "transformer pre": (Transformer, tokens),
    "transformer post": (lambda: Transformer(pre=False), tokens),
    "lstm": (Reader, sequence),
    "lstm of three layers": (lambda: Reader(layers=3), sequence),
    "gru": (lambda: Reader(nn.GRU), sequence),
    "rnn cell": (StepByStep, sequence),
    "mixer": (Mixer, image),
    "embedding bag": (Bag, lambda: torch.randint(500, (BATCH, 20))),
    "shared": (Shared, rows),
}

HEALTHY = {
    "he relu": (mlp, rows),
    "wide he relu": (lambda: mlp(width=256, depth=8), rows),
    "tanh at the critical gain": (lambda: mlp(nn.Tanh, 20, init="lecun"), rows),
    "residual mlp": (residual_mlp, rows),
    "default mlp": (lambda: nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 9)),
                    rows),
    "vgg with batch norm": (vgg, image),
    "resnet": (resnet, image),
    "unet": (UNet, image),
    "transformer pre": (Transformer, tokens),
    "mixer": (Mixer, image),
    "lstm over 48 steps": (Reader, sequence),
    "gru over 48 steps": (lambda: Reader(nn.GRU), sequence),
    "tanh cell over 48 steps": (StepByStep, sequence),
}  # fmt: skip

#: Builder, inputs, the verdict.
SICK = {
    "deep sigmoid": (lambda: mlp(nn.Sigmoid, 20, init="xavier"), rows, "vanishing"),
    "relu, gain too small": (lambda: mlp(gain=0.5, depth=20), rows, "vanishing"),
    "relu, gain too large": (lambda: mlp(gain=3.0, depth=20), rows, "exploding"),
    "tanh ordered": (lambda: mlp(nn.Tanh, 30, init="lecun", gain=0.7), rows, "vanishing"),
    "tanh chaotic": (lambda: mlp(nn.Tanh, 30, init="lecun", gain=3.0), rows, "exploding"),
    "he relu, far too deep": (lambda: mlp(depth=60), rows, "collapsed"),
    "dead by its bias": (lambda: mlp(bias=-30.0, depth=8), rows, "dead"),
    "vgg without norm": (lambda: drawn(vgg(norm=False), 0.01), image, "vanishing"),
    "a gate that never opens": (Gated, rows, "dead"),
    "softmax over one unit": (lambda: nn.Sequential(*mlp(depth=3, classes=1), nn.Softmax(1)), rows, "dead"),
}


def batch():
    """What --batch calls."""
    return torch.randn(BATCH, 32), torch.randint(10, (BATCH,))


def absolute(output, targets):
    """A loss of the user's own."""
    return (output - targets.unsqueeze(1)).abs().mean()


def wide(width):
    """What transfer builds: a perceptron of a width, with PyTorch's defaults."""
    return nn.Sequential(nn.Linear(32, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 10))


def adam(model):
    """What --optimizer of transfer names."""
    return torch.optim.Adam(model.parameters(), lr=0.01)
