"""One perceptron for all frameworks: its weights and batch as arrays, and what two reports on it have to share."""

import math
from itertools import pairwise

import numpy as np

WIDTHS = (12, 16, 16, 16, 16, 5)

#: Numbers beside those of the layers, the output and the summary.
OF_MODEL = ("elasticity",)


def weights(gain=1.0):
    """(fan_in, fan_out) matrices and biases, first to last."""
    random = np.random.default_rng(1)
    return [
        (gain * random.standard_normal((before, after)) / math.sqrt(before), 0.1 * random.standard_normal(after))
        for before, after in pairwise(WIDTHS)
    ]


def batch():
    random = np.random.default_rng(2)
    return random.standard_normal((24, WIDTHS[0])), random.integers(WIDTHS[-1], size=24)


def torch_report(activation="relu", **options):
    """What PyTorch's probe says of it."""
    import torch

    import gradcheck.torch

    parts = []
    for kernel, bias in weights():
        layer = torch.nn.Linear(*kernel.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = torch.tensor(kernel.T.copy()), torch.tensor(bias)
        parts += [layer, {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[activation]()]
    inputs, labels = batch()
    model = torch.nn.Sequential(*parts[:-1])
    return gradcheck.torch.probe(model, (torch.tensor(inputs), torch.tensor(labels)), "cross-entropy", **options)


def numbers(report):
    """Every number of a report's dict, by its place."""
    found = {}
    for place, layer in enumerate(report["layers"]):
        found |= {(place, name): value for name, value in layer.items() if isinstance(value, int | float)}
    for part in ("output", "summary"):
        found |= {(part, name): value for name, value in report[part].items()}
    found |= {("loss", name): report["model"]["loss"][name] for name in ("first", "constant_answer", "classes")}
    found["elasticity"], found["score"] = report["model"]["elasticity"], report["verdict"]["score"]
    return found


def largest_difference(one, other):
    """The largest relative difference between the numbers of two reports' dicts; None has to be None in both."""
    one, other = numbers(one), numbers(other)
    assert one.keys() == other.keys()
    assert {place for place, value in one.items() if value is None} == {
        place for place, value in other.items() if value is None
    }
    pairs = ((value, other[place]) for place, value in one.items() if value is not None)
    return max(abs(a - b) / max(abs(a), abs(b), 1e-300) if a != b else 0.0 for a, b in pairs)
