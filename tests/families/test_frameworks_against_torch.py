"""The laws of PyTorch's layers beside draws by PyTorch itself."""

import math

import numpy as np
import pytest

from gradcheck.families import drawn_network
from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec

torch = pytest.importorskip("torch")
nn = torch.nn

FEATURES, WIDTH, CLASSES = 150, 90, 40


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def assert_same_law(ours, theirs):
    """Two samples of one bounded law: Kolmogorov and Smirnov's distance, deviation, extremes."""
    one, other = np.sort(ours.ravel()), np.sort(theirs.detach().numpy().ravel())
    both = np.concatenate([one, other])
    ranks = [np.searchsorted(sample, both, side="right") / sample.size for sample in (one, other)]
    distance = np.abs(ranks[0] - ranks[1]).max()
    assert distance < 2.2 * math.sqrt(1 / one.size + 1 / other.size)  # p = 1e-4
    assert one.std() == pytest.approx(other.std(), rel=5 * math.sqrt(1 / one.size + 1 / other.size))


def test_a_linear_layer():
    hidden, readout = (
        dense
        for _, dense in drawn_network(
            NetworkSpec(init="torch", depth=1, width=WIDTH, activation="tanh"), FEATURES, CLASSES, 0
        ).maps
    )
    for ours, theirs in ((hidden, nn.Linear(FEATURES, WIDTH)), (readout, nn.Linear(WIDTH, CLASSES))):
        assert_same_law(ours.weight, theirs.weight)
        assert_same_law(ours.bias, theirs.bias)


@pytest.mark.parametrize(("arch", "kind"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_a_recurrent_layer(arch, kind):
    spec, theirs = RecurrentSpec(arch=arch, init="torch", width=WIDTH, steps=1), kind(FEATURES, WIDTH)
    of_input, of_state, _ = (dense for _, dense in drawn_network(spec, FEATURES, CLASSES, 0).maps)
    assert_same_law(of_input.weight, theirs.weight_ih_l0)
    assert_same_law(of_input.bias, theirs.bias_ih_l0)
    assert_same_law(of_state.weight, theirs.weight_hh_l0)
    assert_same_law(of_state.bias, theirs.bias_hh_l0)


def test_a_transformers_layer_and_its_embedding():
    spec = TransformerSpec(init="torch", blocks=1, model_width=64, heads=4, vocabulary=200, tokens=4)
    drawn = drawn_network(spec, 0, 200, 0, layers="dense")
    theirs = nn.TransformerEncoderLayer(64, 4, 256)
    (project, write), (expand, contract) = (drawn.sublayer(number).branch.maps for number in (1, 2))
    assert_same_law(project.weight, theirs.self_attn.in_proj_weight)
    assert_same_law(write.weight, theirs.self_attn.out_proj.weight)
    assert project.bias is write.bias is None
    assert not theirs.self_attn.in_proj_bias.any()
    assert not theirs.self_attn.out_proj.bias.any()
    for ours, linear in ((expand, theirs.linear1), (contract, theirs.linear2)):
        assert_same_law(ours.weight, linear.weight)
        assert_same_law(ours.bias, linear.bias)
    assert_same_law(drawn._embedding(200), nn.Embedding(200, 64).weight)


@pytest.mark.parametrize("std", [0.02, 0.9, 5.0])
def test_a_truncated_normal_law_with_absolute_limits(std):
    spec = NetworkSpec(init="trunc_normal", weight_std=std, depth=1, width=200)
    hidden = next(dense for _, dense in drawn_network(spec, 200, CLASSES, 0).maps)
    theirs = nn.init.trunc_normal_(torch.empty(200, 200), std=std)
    assert_same_law(hidden.weight, theirs)
    assert np.abs(hidden.weight).max() <= 2
