import math

import numpy as np
import pytest

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.attention import Heads
from gradcheck.engine.loss import cross_entropy, mean_square
from gradcheck.engine.normalization import NORMS
from gradcheck.flow.gradient_flow import measure

BLOCKS, WIDTH, KEYS, HIDDEN, TOKENS, VOCABULARY = 8, 96, 48, 240, 5, 30
SIZES = {
    "blocks": BLOCKS, "model_width": WIDTH, "heads": 4, "kv_heads": 2, "mlp_ratio": 2.5, "tokens": TOKENS,
    "vocabulary": VOCABULARY,
}  # fmt: skip
PATCHES = {"patch": 7, "tied": False, "positions": "none"}
in_both_ways = pytest.mark.parametrize("layers", ["dense", "weightless"])


@pytest.fixture
def network(transformer_of):
    """Spec fields ↦ a transformer of the sizes above."""
    return lambda **fields: transformer_of(**(SIZES | fields))


@pytest.fixture
def ids(rng):
    return rng.integers(0, VOCABULARY, (3, TOKENS))


def matrix(linear, fan_in):
    """The matrix of a map, or one of its law where it holds none."""
    return linear(np.eye(fan_in))[0]


@pytest.fixture
def matrices(network):
    """Spec fields ↦ the matrices of the second block by what they are for."""

    def drawn(**fields):
        attention, mlp = (network(**fields).sublayer(number).branch for number in (3, 4))
        query, key, value = np.split(matrix(attention.project, WIDTH), [WIDTH, WIDTH + KEYS], axis=1)
        expand = matrix(mlp.expand, WIDTH)
        inner = {"gate": expand[:, :HIDDEN], "up": expand[:, HIDDEN:]} if mlp.gated else {"expand": expand}
        writing = {"write": matrix(attention.write, WIDTH), "contract": matrix(mlp.write, HIDDEN)}
        return {"query": query, "key": key, "value": value, **inner, **writing}

    return drawn


def assert_deviation(sample, expected):
    assert np.sqrt(np.square(sample).mean()) == pytest.approx(expected, rel=5 / math.sqrt(2 * sample.size))


# ---- the same again


@in_both_ways
def test_a_seed_draws_the_same_transformer_each_time_and_another_seed_another(layers, network, ids):
    first, again, other = (network(seed=seed, layers=layers, bias_std=0.1) for seed in (3, 3, 4))
    x = np.ones((2, WIDTH))
    for number in range(1, 2 * BLOCKS + 1):
        outputs = [one.sublayer(number).branch.maps[0](x)[0] for one in (first, again, other)]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert not np.isclose(outputs[0], outputs[2]).any()
    (stack, start), (same, same_start), (unlike, unlike_start) = (one.unrolled(ids) for one in (first, again, other))
    np.testing.assert_array_equal(start, same_start)
    np.testing.assert_array_equal(stack.readout(x)[0], same.readout(x)[0])
    assert not np.isclose(start, unlike_start).any()
    assert not np.isclose(stack.readout(x)[0], unlike.readout(x)[0]).any()


@in_both_ways
def test_a_blocks_weights_do_not_depend_on_the_number_of_blocks(layers, network, ids):
    shallow, deep = (network(blocks=blocks, layers=layers, bias_std=0.1) for blocks in (2, 40))
    for number in (1, 2, 3, 4):
        fans_in = WIDTH, WIDTH if number % 2 else HIDDEN
        maps = (one.sublayer(number).branch.maps for one in (shallow, deep))
        for fan_in, one, other in zip(fans_in, *maps, strict=True):
            np.testing.assert_array_equal(matrix(one, fan_in), matrix(other, fan_in))


def test_no_two_matrices_share_their_numbers(network):
    branches = [network(activation="swiglu").sublayer(number).branch for number in range(1, 2 * BLOCKS + 1)]
    weights = np.concatenate([dense.weight.ravel() for branch in branches for dense in branch.maps])
    assert len(np.unique(weights)) == len(weights)


# ---- laws


@in_both_ways
@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_a_given_deviation_times_the_gain_is_that_of_every_matrix(gain, activation, layers, matrices):
    for sample in matrices(init="normal", weight_std=0.02, gain=gain, activation=activation, layers=layers).values():
        assert_deviation(sample, 0.02 * gain)


@in_both_ways
def test_gpt2_scales_what_writes_to_the_stream_by_the_root_of_the_number_of_branches(layers, matrices):
    drawn = matrices(init="normal", weight_std=0.02, residual_scale="gpt2", layers=layers)
    for name, sample in drawn.items():
        assert_deviation(sample, 0.02 / (math.sqrt(2 * BLOCKS) if name in ("write", "contract") else 1))


@in_both_ways
@pytest.mark.parametrize("activation", ["relu", "geglu"])
def test_deepnorm_scales_all_matrices_but_those_of_queries_and_keys(activation, layers, matrices):
    options = {"init": "normal", "weight_std": 0.5, "norm_placement": "post", "activation": activation}
    for name, sample in matrices(**options, residual_scale="deepnorm", layers=layers).items():
        assert_deviation(sample, 0.5 * (1 if name in ("query", "key") else (8 * BLOCKS) ** -0.25))


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("xavier", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("xavier_uniform", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("he", lambda fan_in, fan_out: 2 / fan_in),
        ("lecun_uniform", lambda fan_in, fan_out: 1 / fan_in),
        ("torch_default", lambda fan_in, fan_out: 1 / (3 * fan_in)),
    ],
)
def test_every_part_is_drawn_from_the_law_of_its_own_fans(init, variance, matrices):
    for activation in ("gelu", "swiglu"):
        for sample in matrices(init=init, activation=activation, biases=False).values():
            assert_deviation(sample, math.sqrt(variance(*sample.shape)))


@pytest.mark.parametrize("init", ["xavier", "he", "lecun"])
def test_a_weightless_part_has_the_law_of_its_own_fans_too(init, matrices):
    dense = {"xavier": "xavier_uniform", "he": "he_uniform", "lecun": "lecun_uniform"}[init]  # other draws, same law
    theirs = matrices(init=dense)
    for name, sample in matrices(init=init, layers="weightless").items():
        assert_deviation(sample, math.sqrt(np.square(theirs[name]).mean()))


@in_both_ways
def test_orthogonal_is_orthogonal_part_by_part(layers, matrices):
    for sample in matrices(init="orthogonal", gain=0.5, activation="swiglu", layers=layers).values():
        gram = sample.T @ sample if sample.shape[0] >= sample.shape[1] else sample @ sample.T
        np.testing.assert_allclose(gram, 0.25 * np.eye(len(gram)), atol=1e-13)


@in_both_ways
def test_biases_are_normal_and_alike_with_and_without_matrices(layers, network):
    biases = [
        dense.bias
        for number in range(1, 9)
        for dense in network(bias_std=0.3, layers=layers).sublayer(number).branch.maps
    ]
    theirs = [dense.bias for number in range(1, 9) for dense in network(bias_std=0.3).sublayer(number).branch.maps]
    assert_deviation(np.concatenate(biases), 0.3)
    for one, other in zip(biases, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@in_both_ways
@pytest.mark.parametrize("fields", [{}, {"biases": False}, {"init": "orthogonal"}])
def test_without_a_deviation_there_are_no_biases(fields, layers, network):
    maps = network(layers=layers, tied=False, **fields).sublayer(1).branch.maps
    zero = np.zeros((1, WIDTH))
    assert not any(linear(zero)[0].any() for linear in maps)


def test_no_biases_leaves_out_even_those_of_torchs_law(network):
    there, none = (network(init="torch_default", biases=biases).sublayer(2).branch.maps for biases in (True, False))
    assert all(dense.bias.any() for dense in there)
    assert all(dense.bias is None for dense in none)


# ---- what a spec says is what is built


@pytest.mark.parametrize(("placement", "where"), [("pre", "before"), ("post", "outer"), ("both", "before after")])
def test_the_norms_stand_where_the_placement_says(placement, where, network, ids):
    one = network(norm="rms", norm_placement=placement)
    for number in (1, 2):
        sublayer = one.sublayer(number)
        for name in ("before", "after", "outer"):
            assert getattr(sublayer, name) is NORMS["rms" if name in where.split() else "none"].block
    assert one.unrolled(ids)[0].ending.norm is NORMS["none" if placement == "post" else "rms"].block


@pytest.mark.parametrize(
    ("scale", "branch", "stream"), [(1.0, 1.0, 1.0), (0.3, 0.3, 1.0), ("gpt2", 1.0, 1.0), ("deepnorm", 1.0, 2.0)]
)
def test_the_scales_are_those_of_the_residual_scale(scale, branch, stream, network):
    for number in (1, 2):
        sublayer = network(residual_scale=scale, norm_placement="post").sublayer(number)
        assert (sublayer.branch_scale, sublayer.stream_scale) == (branch, stream)  # 16 branches: 16 ** ¼ = 2


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_the_heads_are_laid_out_as_the_spec_says(positions, causal, network):
    fields = {"positions": positions, "causal": causal}
    rotary = positions == "rotary"
    assert network(**fields).sublayer(1).branch.heads == Heads(TOKENS, 4, 2, 24, causal, rotary)
    assert network(**fields, kv_heads=None).sublayer(1).branch.heads == Heads(TOKENS, 4, 4, 24, causal, rotary)


@pytest.mark.parametrize(
    ("name", "inner", "gated"),
    [("gelu", "gelu", False), ("tanh", "tanh", False), ("geglu", "gelu", True), ("swiglu", "silu", True)],
)
def test_an_mlp_has_the_activation_of_its_name(name, inner, gated, network):
    branch = network(activation=name).sublayer(2).branch
    assert branch.activation is ACTIVATIONS[inner]
    assert branch.gated is gated
    assert branch.expand.weight.shape == (WIDTH, HIDDEN * (1 + gated))


# ---- a measurement


@pytest.mark.parametrize(
    ("layers", "fields"), [("dense", {}), ("weightless", {"causal": False, "tied": False}), ("dense", PATCHES)]
)
def test_less_memory_changes_no_number(fields, layers, network, ids, rng):
    inputs = rng.standard_normal((3, 28)) if "patch" in fields else ids
    stack, start = network(layers=layers, bias_std=0.1, **fields).unrolled(inputs)
    loss = mean_square if "patch" in fields else cross_entropy(ids.reshape(-1))
    whole, some, each = (measure(stack, start, loss, memory) for memory in (2**40, 2_000_000, 1))
    assert whole.reached == 3 * BLOCKS
    assert repr(whole) == repr(some) == repr(each)  # nan is nan


@in_both_ways
def test_what_is_kept_is_one_number_a_layer_and_grows_with_the_rows(layers, network, ids):
    stack, _ = network(layers=layers).unrolled(ids)
    one, two = np.array(stack.kept(100)), np.array(stack.kept(200))
    assert len(one) == stack.depth == 3 * BLOCKS
    assert (one >= 100 * WIDTH).all()
    assert (two > one).all()


def test_stored_matrices_are_kept_beside_the_rows_and_others_are_not(network, ids):
    weights = [sum(dense.weight.size for dense in network().sublayer(number).branch.maps) for number in (1, 2)]
    assert network().unrolled(ids)[0].kept(0) == [*weights, 0] * BLOCKS
    assert network(layers="weightless").unrolled(ids)[0].kept(0) == [0] * 3 * BLOCKS


@in_both_ways
def test_single_precision_is_single_everywhere(layers, network, ids):
    stack, start = network(dtype="float32", layers=layers, bias_std=0.1, activation="swiglu").unrolled(ids)
    assert start.dtype == np.float32
    x = start
    for layer in range(1, stack.depth + 1):
        point = stack.hidden(layer)(x)
        back = point.pullback(np.ones_like(point.output))
        assert point.output.dtype == point.preactivation.dtype == back.at_x.dtype == back.at_z.dtype == np.float32
        x = point.output
    logits, through_readout = stack.readout(x)
    assert logits.dtype == through_readout(np.ones_like(logits)).dtype == np.float32
