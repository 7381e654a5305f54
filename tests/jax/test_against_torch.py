"""Convolutional and recurrent networks of Equinox and Flax have the numbers of PyTorch's with the same weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("equinox")
pytest.importorskip("flax")

import equinox as eqx  # noqa: E402
from flax import linen  # noqa: E402
from jax import numpy as jnp  # noqa: E402
from torch import nn  # noqa: E402

import gradcheck.torch  # noqa: E402
from gradcheck.jax import probe  # noqa: E402


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    return generator.standard_normal((12, 3, 6, 6)), generator.integers(0, 5, 12)


class OfTorch(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8)
        self.inner, self.outer, self.head = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = x + self.outer(torch.tanh(self.inner(x)))
        return self.head(x.mean((2, 3)))


class OfEquinox(eqx.Module):
    stem: eqx.nn.Conv2d
    norm: eqx.nn.GroupNorm
    inner: eqx.nn.Conv2d
    outer: eqx.nn.Conv2d
    head: eqx.nn.Linear

    def __call__(self, x):
        x = jax.nn.relu(self.norm(self.stem(x)))
        x = x + self.outer(jnp.tanh(self.inner(x)))
        return self.head(x.mean((1, 2)))


class OfLinen(linen.Module):
    @linen.compact
    def __call__(self, x):
        options = {"param_dtype": np.float64}
        x = linen.Conv(8, (3, 3), padding="VALID", name="stem", **options)(x)
        x = linen.relu(linen.GroupNorm(2, epsilon=1e-5, name="norm", **options)(x))
        h = linen.tanh(linen.Conv(8, (1, 1), name="inner", **options)(x))
        x = x + linen.Conv(8, (1, 1), name="outer", **options)(h)
        return linen.Dense(5, name="head", **options)(x.mean((1, 2)))


@pytest.fixture(scope="module")
def convolutional():
    torch.manual_seed(0)
    return OfTorch().double()


def numbers(report):
    """Every number that both have, by its place."""
    found = {"score": report.verdict.score, "elasticity": report.model.elasticity}
    for layer in report.to_dict()["layers"]:
        found |= {(layer["name"], name): value for name, value in layer.items() if name != "role"}
    for part in ("output", "summary"):
        found |= {(part, name): value for name, value in report.to_dict()[part].items()}
    return found


def assert_same(found, expected):
    one, other = numbers(found), numbers(expected)
    assert one.keys() == other.keys()
    for place, value in other.items():
        assert one[place] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), place


def test_convolutions_with_a_norm_and_a_branch_in_equinox(convolutional, images):
    k = jax.random.key(0)
    model = OfEquinox(
        eqx.nn.Conv2d(3, 8, 3, key=k), eqx.nn.GroupNorm(2, 8), eqx.nn.Conv2d(8, 8, 1, key=k),
        eqx.nn.Conv2d(8, 8, 1, key=k), eqx.nn.Linear(8, 5, key=k),
    )  # fmt: skip
    parameters, rest = eqx.partition(model, eqx.is_array)
    leaves, structure = jax.tree.flatten(parameters)
    given = [one.detach().numpy() for one in convolutional.parameters()]
    weights = [jnp.array(one).reshape(leaf.shape) for leaf, one in zip(leaves, given, strict=True)]
    model = eqx.combine(jax.tree.unflatten(structure, weights), rest)
    expected = gradcheck.torch.probe(convolutional, tuple(map(torch.tensor, images)), trial=False)
    assert_same(probe(model, images, trial=False), expected)


def test_convolutions_with_channels_last_in_flax(convolutional, images):
    own = {name: one.detach().numpy() for name, one in convolutional.named_parameters()}
    params = {}
    for name, value in own.items():
        layer, kind = name.split(".")
        kind = kind if kind == "bias" else "scale" if layer == "norm" else "kernel"
        turned = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        params.setdefault(layer, {})[kind] = jnp.array(turned)
    x, y = images
    expected = gradcheck.torch.probe(convolutional, (torch.tensor(x), torch.tensor(y)), trial=False)
    assert_same(probe((OfLinen(), params), (x.transpose(0, 2, 3, 1), y), trial=False), expected)


def test_a_cell_that_reads_a_sequence_in_equinox():
    class Read(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.LSTMCell(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            state = None
            for step in range(x.shape[1]):
                state = self.cell(x[:, step], state)
            return self.head(state[0])

    class Scan(eqx.Module):
        cell: eqx.nn.LSTMCell
        head: eqx.nn.Linear

        def __call__(self, x):
            (h, _), _ = jax.lax.scan(lambda state, x: (self.cell(x, state), None), (jnp.zeros(6), jnp.zeros(6)), x)
            return self.head(h)

    torch.manual_seed(0)
    of_torch, k = Read().double(), jax.random.key(0)
    model = Scan(eqx.nn.LSTMCell(4, 6, key=k), eqx.nn.Linear(6, 3, key=k))
    cell = of_torch.cell
    own = [cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh, of_torch.head.weight, of_torch.head.bias]
    places = lambda one: [one.cell.weight_ih, one.cell.weight_hh, one.cell.bias, one.head.weight, one.head.bias]  # noqa: E731
    model = eqx.tree_at(places, model, [jnp.array(value.detach().numpy()) for value in own])
    x, y = np.random.default_rng(0).standard_normal((10, 5, 4)), np.arange(10) % 3
    (found,) = probe(model, (x, y), trial=False).layers
    (expected,) = gradcheck.torch.probe(of_torch, (torch.tensor(x), torch.tensor(y)), trial=False).layers
    for name in ("gradient_rms", "activation_rms", "effective_rank", "weight_norm", "weight_gradient_norm"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9), name
    assert (found.kind, found.fan_out) == (expected.kind, expected.fan_out)
