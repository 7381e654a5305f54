"""Models to look at: ``cd examples``, then ``gradcheck probe models:sixteen_convolutions --input 8x3x32x32``."""

from torch import nn


def sixteen_convolutions() -> nn.Module:
    """Return convolutions and ReLUs with PyTorch's own initialisation: its gradient fades, a factor of 0.4 a layer."""
    layers: list[nn.Module] = []
    for index in range(16):
        layers += [nn.Conv2d(16 if index else 3, 16, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def softmax_at_the_end() -> nn.Module:
    """Return a classifier that ends in a softmax, which ``--loss cross-entropy`` applies once more."""
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))


def large_readout() -> nn.Module:
    """Return a classifier whose read-out is drawn too large: its loss starts at several times what guessing costs."""
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.normal_(model[-1].weight, std=2.0)
    return model


def healthy(depth: int = 8) -> nn.Module:
    """Return a perceptron with layer norms, as many hidden layers as ``--kwargs '{"depth": 8}'`` says."""
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Linear(64 if index else 32, 64), nn.LayerNorm(64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))
