"""The two ends of a transformer: what the first layer is given, and the read-out."""

import math

import numpy as np
import pytest

from gradcheck.engine.attention import sinusoids
from gradcheck.engine.linear import Dense

WIDTH, TOKENS, VOCABULARY = 96, 5, 30
SIZES = {"blocks": 2, "model_width": WIDTH, "heads": 4, "tokens": TOKENS, "vocabulary": VOCABULARY}
NORMAL = {"init": "normal", "weight_std": 0.02}
PATCHES = {"patch": 7, "tied": False, "positions": "none"}
in_both_ways = pytest.mark.parametrize("layers", ["dense", "weightless"])


@pytest.fixture
def network(transformer_of):
    """Spec fields ↦ a transformer of the sizes above."""
    return lambda **fields: transformer_of(**(SIZES | fields))


@pytest.fixture
def ids(rng):
    """Three sequences of the first 20 of 30 kinds of tokens."""
    return rng.integers(0, 20, (3, TOKENS))


@pytest.fixture
def start_of(network, ids):
    """Spec fields ↦ what the first layer is given, (sequences, tokens, width)."""
    return lambda **fields: network(**fields).unrolled(ids)[1].reshape(3, TOKENS, -1)


def assert_deviation(sample, expected):
    assert np.sqrt(np.square(sample).mean()) == pytest.approx(expected, rel=5 / math.sqrt(2 * sample.size))


# ---- embeddings


@pytest.mark.parametrize(("fields", "scale"), [(NORMAL, 1.0), ({"init": "xavier"}, math.sqrt(WIDTH))])
def test_a_token_is_its_column_of_a_tied_readout_times_the_scale(fields, scale, network, ids):
    stack, start = network(positions="none", **fields).unrolled(ids)
    np.testing.assert_allclose(start, scale * stack.readout.weight.T[ids.reshape(-1)], rtol=1e-14)


@in_both_ways
@pytest.mark.parametrize(
    ("fields", "deviation"), [(NORMAL, 0.02), (NORMAL | {"gain": 3.0}, 0.02), ({}, 1.0), ({"init": "orthogonal"}, 1.0)]
)
def test_embeddings_at_the_input_have_the_given_deviation_or_else_a_unit_one(fields, deviation, layers, transformer_of):
    every = np.arange(600).reshape(-1, TOKENS)
    sizes = SIZES | {"vocabulary": 600, "positions": "none", "layers": layers}
    assert_deviation(transformer_of(**(sizes | fields)).unrolled(every)[1], deviation)


@in_both_ways
def test_equal_tokens_have_equal_embeddings_and_others_others(layers, start_of, ids):
    rows, tokens = start_of(positions="none", layers=layers).reshape(-1, WIDTH), ids.reshape(-1)
    assert len(np.unique(tokens)) < len(tokens)
    for row, token in zip(rows, tokens, strict=True):
        np.testing.assert_array_equal((rows == row).all(1), tokens == token)


# ---- positions


@in_both_ways
@pytest.mark.parametrize(("fields", "deviation"), [(NORMAL, 0.02), ({}, 1.0)])
def test_learned_positions_are_drawn_like_embeddings_and_alike_in_all_sequences(
    fields, deviation, layers, transformer_of
):
    sizes = SIZES | {"tokens": 100, "layers": layers} | fields
    ids = np.arange(200).reshape(2, 100) % VOCABULARY
    learned, none = (transformer_of(**sizes, positions=one).unrolled(ids)[1] for one in ("learned", "none"))
    table, again = (learned - none).reshape(2, 100, WIDTH)
    np.testing.assert_allclose(table, again, atol=1e-14)
    assert_deviation(table, deviation)
    assert np.abs(np.corrcoef(table) - np.eye(100)).max() < 5.5 / math.sqrt(WIDTH)


def test_a_positions_embedding_does_not_depend_on_the_number_of_tokens(transformer_of):
    one, other = (
        transformer_of(**(SIZES | {"tokens": tokens})).unrolled(np.zeros((1, tokens), int))[1] for tokens in (4, 9)
    )
    np.testing.assert_array_equal(one, other[:4])


@pytest.mark.parametrize("fields", [NORMAL, {}])
def test_sinusoidal_positions_add_the_papers_table_as_it_is(fields, start_of):
    added = start_of(positions="sinusoidal", **fields) - start_of(positions="none", **fields)
    for sequence in added:
        np.testing.assert_allclose(sequence, sinusoids(TOKENS, WIDTH), atol=1e-14)


def test_rotary_positions_add_nothing_at_the_input(start_of):
    np.testing.assert_array_equal(start_of(positions="rotary"), start_of(positions="none"))


# ---- patches


def unit_patches(examples, patch):
    """Examples of TOKENS − 1 patches, of which one number is 1."""
    return np.eye(examples, (TOKENS - 1) * patch)


@in_both_ways
def test_a_patch_goes_through_one_linear_map_wherever_it_stands(layers, network, rng):
    one = network(**PATCHES, layers=layers)
    weight = one.unrolled(unit_patches(28, 7))[1].reshape(28, TOKENS, WIDTH)[:7, 1]
    inputs = rng.standard_normal((4, 28))
    start = one.unrolled(inputs)[1].reshape(4, TOKENS, WIDTH)
    np.testing.assert_allclose(start[:, 1:], inputs.reshape(4, 4, 7) @ weight, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("fields", "deviation"), [({}, math.sqrt(2 / (7 + WIDTH))), (NORMAL, 0.02)])
def test_the_map_of_patches_is_drawn_by_the_law_of_the_matrices(fields, deviation, network):
    start = network(**PATCHES, **fields).unrolled(unit_patches(7, 7))[1].reshape(7, TOKENS, WIDTH)
    assert_deviation(start[:, 1], deviation)


@pytest.mark.parametrize(("fields", "deviation"), [({}, 1.0), (NORMAL, 0.02)])
def test_every_example_starts_with_the_same_class_token(fields, deviation, network, rng):
    start = network(**PATCHES, **fields).unrolled(rng.standard_normal((4, 28)))[1].reshape(4, TOKENS, WIDTH)
    assert (start[:, 0] == start[0, 0]).all()
    assert_deviation(start[0, 0], deviation)


@in_both_ways
def test_of_patches_the_class_token_alone_is_read(layers, network, rng):
    stack, start = network(**PATCHES, layers=layers).unrolled(rng.standard_normal((4, 28)))
    assert stack.ending.every == TOKENS
    read = stack.ending(start).output
    assert stack.readout(read)[0].shape == (4, VOCABULARY)
    np.testing.assert_array_equal(read, stack.ending.norm(start.reshape(4, TOKENS, WIDTH)[:, 0])[0])


# ---- read-outs


def test_a_tied_readout_is_the_transposed_embedding(network, ids):
    every = np.arange(VOCABULARY).reshape(-1, TOKENS)
    stack, start = network(positions="none", **NORMAL).unrolled(every)
    assert stack.readout.bias is None
    np.testing.assert_array_equal(stack.readout.weight, start.T)
    of_others, _ = network(positions="none", **NORMAL).unrolled(ids)  # whatever occurs
    np.testing.assert_array_equal(of_others.readout.weight, stack.readout.weight)


@in_both_ways
@pytest.mark.parametrize(
    ("fields", "deviation"), [(NORMAL | {"gain": 2.0}, 0.04), ({}, math.sqrt(2 / (WIDTH + VOCABULARY)))]
)
def test_an_untied_readout_is_drawn_by_the_law_of_the_matrices(fields, deviation, layers, network, ids):
    stack, _ = network(tied=False, positions="none", layers=layers, **fields).unrolled(ids)
    assert_deviation(stack.readout(np.eye(WIDTH))[0], deviation)


def test_without_matrices_a_tied_readout_has_the_embeddings_that_occur_in_their_columns(network, ids, rng):
    stack, start = network(positions="none", layers="weightless", **NORMAL).unrolled(ids)
    x = rng.standard_normal((6, WIDTH))
    logits = stack.readout(x)[0]
    assert logits.shape == (6, VOCABULARY)
    for token, row in zip(ids.reshape(-1), start, strict=True):
        np.testing.assert_allclose(logits[:, token], x @ row, rtol=1e-12, atol=1e-14)


def test_without_matrices_a_tied_readouts_gradient_has_the_embeddings_that_occur(network, ids, rng):
    stack, start = network(positions="none", layers="weightless", **NORMAL).unrolled(ids)
    _, through_readout = stack.readout(rng.standard_normal((6, WIDTH)))
    delta = np.zeros((6, VOCABULARY))
    known = np.unique(ids)
    delta[:, known] = rng.standard_normal((6, len(known)))
    rows = dict(zip(ids.reshape(-1).tolist(), start, strict=True))
    expected = delta[:, known] @ np.array([rows[token] for token in known.tolist()])
    np.testing.assert_allclose(through_readout(delta), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("fields", "deviation"), [(NORMAL, 0.02), ({"init": "orthogonal"}, WIDTH**-0.5)])
def test_without_matrices_logits_of_tokens_that_do_not_occur_have_the_dense_second_moment(
    fields, deviation, transformer_of, ids, rng
):
    x, absent = rng.standard_normal((1, WIDTH)), np.setdiff1d(np.arange(5000), ids)
    second_moment = np.square(x).sum() * deviation**2
    for layers in ("dense", "weightless"):
        stack, _ = transformer_of(**(SIZES | {"vocabulary": 5000, "layers": layers} | fields)).unrolled(ids)
        assert_deviation(stack.readout(x)[0][:, absent], math.sqrt(second_moment))


def test_without_matrices_a_readout_of_tokens_that_all_occur_is_the_dense_one(network):
    every = np.arange(VOCABULARY).reshape(-1, TOKENS)
    without, stored = (network(layers=layers).unrolled(every)[0].readout for layers in ("weightless", "dense"))
    assert isinstance(without, Dense)
    np.testing.assert_array_equal(without.weight, stored.weight)
