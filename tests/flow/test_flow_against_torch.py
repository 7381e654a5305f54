"""Whole networks in PyTorch, float64, with the same weights and data: every number that both have."""

import itertools
import math

import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.loss import cross_entropy, mean_square
from gradcheck.engine.normalization import NORMS
from gradcheck.flow.gradient_flow import measure
from gradcheck.spec import FREE_SCALE, INITIALIZERS

torch = pytest.importorskip("torch")
functional = torch.nn.functional

BOUND = 1e-10

TORCH_ACTIVATIONS = {
    "linear": lambda z: z,
    "step": lambda z: (z > 0).to(z.dtype),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hard_tanh": functional.hardtanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": lambda z: functional.softplus(z, threshold=1000),  # torch's own cuts at 20, off by 2e-9
    "mish": functional.mish,
}
TORCH_NORMS = {
    "none": lambda z: z,
    "batch": lambda z: functional.batch_norm(z, None, None, training=True, eps=1e-5),
    "layer": lambda z: functional.layer_norm(z, z.shape[1:], eps=1e-5),
    "rms": lambda z: functional.rms_norm(z, z.shape[1:], eps=1e-5),
}


class TorchRun:
    """Forward and backward through the network, keeping what the flow measures."""

    def __init__(self, network, activation, norm, inputs, loss):
        self.weights, self.z, self.outputs = [], [], []
        x = torch.from_numpy(inputs)
        for layer in range(1, network.depth + 1):
            self.z.append(self.linear(network.linear(layer), x))
            branch = TORCH_ACTIVATIONS[activation](TORCH_NORMS[norm](self.z[-1]))
            skips = network.skip_scale is not None and layer > 1
            x = x + network.skip_scale * branch if skips else branch
            self.outputs.append(x)
        self.logits = self.linear(network.readout, x)
        self.loss = loss(self.logits)
        self.loss.backward()

    def linear(self, dense, x):
        self.weights.append(torch.tensor(dense.weight, requires_grad=True))
        z = x @ self.weights[-1]
        if dense.bias is not None:
            z = z + torch.from_numpy(dense.bias)
        z.retain_grad()
        return z

    def measures(self):
        *hidden, readout = self.weights
        return {
            "log10_gradient_rms": [rms(gradient(z)) for z in self.z],
            "log10_weight_gradient_norm": [torch.linalg.norm(gradient(weight)) for weight in hidden],
            "log10_activation_rms": [rms(x) for x in self.outputs],
            "log10_preactivation_std": [z.std(unbiased=False) for z in self.z],
            "log10_weight_norm": [torch.linalg.norm(weight) for weight in hidden],
            "log10_logit_rms": [rms(self.logits)],
            "log10_readout_gradient_norm": [torch.linalg.norm(gradient(readout))],
        }


def gradient(tensor):
    """Return the gradient; zero where there is no path to the loss."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def rms(tensor):
    return tensor.square().mean().sqrt()


def relative_errors(flow, run):
    ours = {name: flow.column(name) for name in flow.layers[0]._fields}
    ours["log10_logit_rms"] = [flow.output.log10_logit_rms]
    ours["log10_readout_gradient_norm"] = [flow.output.log10_weight_gradient_norm]
    errors = {"loss": abs(flow.output.loss / run.loss.item() - 1)}
    for name, theirs in run.measures().items():
        pairs = zip(ours[name], theirs, strict=True)
        errors[name] = np.max([relative_error_of_power(*pair) for pair in pairs])
    return errors


def relative_error_of_power(ours, theirs):
    """Relative error of 10**ours; 0 where both are exactly zero."""
    theirs = math.log10(theirs.item()) if theirs else -math.inf
    return 0.0 if ours == theirs else abs(math.expm1((ours - theirs) * math.log(10)))


@pytest.fixture
def compare(network_of, record_error):
    def errors(batch, loss_name, seed, **fields):
        network = network_of(seed=seed, **fields)
        generator = np.random.default_rng(seed)
        inputs = generator.standard_normal((batch, network.widths[0]))
        labels = generator.integers(0, network.widths[-1], batch)
        ours, theirs = {
            "cross_entropy": (
                cross_entropy(labels),
                lambda y: functional.cross_entropy(y, torch.from_numpy(labels)),
            ),
            "mean_square": (mean_square, lambda y: y.square().mean()),
        }[loss_name]
        run = TorchRun(network, fields["activation"], fields["norm"], inputs, theirs)
        found = relative_errors(measure(network, inputs, ours), run)
        for name, error in found.items():
            record_error(f"networks against torch, {name.removeprefix('log10_')}", error)
        return found

    return errors


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_combination_agrees(activation, norm, residual, compare):
    found = compare(
        batch=9, loss_name="cross_entropy", seed=11, activation=activation, norm=norm,
        residual=residual, residual_scale=0.7, depth=5, width=8, bias_std=0.1, init="lecun",
    )  # fmt: skip
    assert np.max(list(found.values())) < BOUND, found


def random_network(seed):
    pick = np.random.default_rng([77, seed])
    depth, residual, init = int(pick.integers(1, 13)), bool(pick.integers(2)), str(pick.choice(INITIALIZERS))
    width = int(pick.integers(3, 40)) if residual else tuple(pick.integers(3, 40, depth).tolist())
    # every activation × norm comes round in 52 seeds
    activation, norm = list(itertools.product(ACTIVATIONS, NORMS))[seed % 52]
    return {
        "batch": int(pick.integers(3, 25)),
        "loss_name": str(pick.choice(["cross_entropy", "mean_square"])),
        # with one feature a batch norm all but undoes each step of its input: ~1e-10 of it is left, and any two
        # programs differ (both lose the same digits against 80-bit arithmetic)
        "features": int(pick.integers(2, 30)),
        "classes": int(pick.integers(2, 12)),
        "activation": activation,
        "norm": norm,
        "depth": depth,
        "width": width,
        "init": init,
        "weight_std": float(pick.uniform(0.1, 0.4)) if init in FREE_SCALE else None,
        "gain": float(pick.uniform(0.5, 1.5)),
        "bias_std": float(pick.choice([0, 0.3])),
        "residual": residual,
        "residual_scale": float(pick.uniform(-1, 1.5)),
    }


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 104))])
def test_random_networks_agree(seed, compare):
    found = compare(seed=seed, **random_network(seed))
    assert np.max(list(found.values())) < BOUND, found


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_at_a_kink_is_that_of_torch(name):
    points = np.array([-1.0, 0.0, 1.0])
    z = torch.tensor(points, requires_grad=True)
    value = TORCH_ACTIVATIONS[name](z)
    expected = torch.autograd.grad(value.sum(), z)[0] if value.requires_grad else torch.zeros(3)
    np.testing.assert_allclose(ACTIVATIONS[name].evaluate(points)[1], expected.numpy(), rtol=1e-12)
