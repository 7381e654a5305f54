"""A perceptron in PyTorch and the engine's, with the same weights and data: every number that both have."""

import numpy as np
import pytest

import gradcheck

torch = pytest.importorskip("torch")

BOUND = 1e-9

ACTIVATIONS = {
    "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU, "elu": torch.nn.ELU, "selu": torch.nn.SELU, "leaky_relu": torch.nn.LeakyReLU,
    "mish": torch.nn.Mish, "hard_tanh": torch.nn.Hardtanh, "softplus": lambda: torch.nn.Softplus(threshold=1000),
}  # fmt: skip

#: What probe and simulate both say of a layer.
SHARED = (
    "fan_in", "fan_out", "preactivation_std", "activation_rms", "input_cosine", "effective_rank", "dead_fraction",
    "saturated_fraction", "gradient_rms", "log10_gradient_rms", "gradient_ratio", "log10_gradient_ratio", "local_gain",
    "weight_norm", "weight_gradient_norm", "log10_weight_gradient_norm", "status", "flag",
)  # fmt: skip


@pytest.fixture
def both(tmp_path):
    """Options of a network ↦ its reports: simulate's, and probe's of the same network."""

    def reports(activation, labelled=True, **options):
        rng = np.random.default_rng(5)
        x, y = rng.standard_normal((24, 12)), rng.integers(0, 5, 24)
        np.savez(tmp_path / "data.npz", x=x, **({"y": y} if labelled else {}))
        theirs = gradcheck.simulate(
            data=tmp_path / "data.npz", batch_size=24, shuffle=False, activation=activation, layers="dense",
            save_weights=tmp_path / "weights.npz", **options,
        )  # fmt: skip
        weights = np.load(tmp_path / "weights.npz")
        modules = []
        for layer in range(1, options["depth"] + 1):
            modules += [_linear(weights, f"W{layer}", f"b{layer}"), ACTIVATIONS[activation]()]
        model = torch.nn.Sequential(*modules, _linear(weights, "W_out", "b_out"))
        inputs = torch.from_numpy((x - x.mean()) / x.std())
        targets = torch.from_numpy(y) if labelled else torch.zeros(24, weights["W_out"].shape[1])
        loss = "cross-entropy" if labelled else "mean-square"
        return theirs, gradcheck.torch.probe(model, (inputs, targets), loss, trial=False)

    return reports


def _linear(weights, name, bias):
    weight = torch.from_numpy(weights[name])
    linear = torch.nn.Linear(*weight.shape, bias=bias in weights, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(weight.T)
        if bias in weights:
            linear.bias.copy_(torch.from_numpy(weights[bias]))
    return linear


def disagreements(theirs, ours):
    """The names whose values differ by more than the bound."""
    alike = lambda one, other: one == other or other == pytest.approx(one, rel=BOUND, abs=BOUND)  # noqa: E731
    found = {
        name
        for one, other in zip(theirs.layers, ours.layers, strict=True)
        for name in SHARED
        if not alike(one[name], other[name])
    }
    found |= {name for name in theirs.output if not alike(theirs.output[name], ours.output[name])}
    return found | {name for name in theirs.summary if not alike(theirs.summary[name], ours.summary[name])}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_probe_and_simulate_agree_in_every_number(activation, both):
    theirs, ours = both(activation, depth=6, width=16, init="he", bias_std=0.1, seed=2)
    assert disagreements(theirs, ours) == set()
    assert ours.verdict.status == theirs.verdict.status


@pytest.mark.parametrize("options", [{"gain": 0.3}, {"gain": 4.0}, {"gain": 1.0}])
def test_verdict_and_score_are_those_of_simulate(options, both):
    theirs, ours = both("relu", depth=12, width=16, init="he", seed=1, **options)
    assert ours.verdict.status == theirs.verdict.status
    assert ours.verdict.score == pytest.approx(theirs.verdict.score, rel=1e-9)
    assert [region.flag for region in ours.regions] == [region.flag for region in theirs.regions]


def test_they_agree_on_a_mean_squared_read_out_as_well(both):
    theirs, ours = both("tanh", labelled=False, depth=4, width=9, init="lecun")
    assert disagreements(theirs, ours) == set()


def test_the_comparison_sees_a_network_of_other_weights(both):
    theirs, _ = both("tanh", depth=4, width=9, init="lecun", seed=1)
    _, ours = both("tanh", depth=4, width=9, init="lecun", seed=2)
    assert {"gradient_rms", "weight_norm", "loss"} <= disagreements(theirs, ours)
