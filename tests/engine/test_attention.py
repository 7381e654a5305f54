import cmath
import itertools
import math

import numpy as np
import pytest

from gradcheck.engine.attention import ROTARY_BASE, Heads, sinusoids

every_mask = pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
with_and_without_rotation = pytest.mark.parametrize("rotary", [False, True], ids=["unturned", "rotary"])
every_grouping = pytest.mark.parametrize("keys", [1, 2, 4])


@pytest.fixture
def rows(rng):
    """Heads, sequences ↦ random queries, keys and values."""
    return lambda heads, sequences=1: rng.standard_normal(
        (sequences * heads.tokens, (heads.queries + 2 * heads.keys) * heads.width)
    )


@pytest.fixture
def weights_of():
    """Heads of one query, queries and keys (tokens, width) ↦ the weights, read off by values that are unit vectors."""

    def weights(heads, queries, keys):
        values = np.eye(heads.tokens, heads.width)
        return heads(np.hstack([queries, keys, values]))[0][:, : heads.tokens]

    return weights


# ---- output and pullback


@pytest.mark.parametrize(
    ("keys", "causal", "rotary", "sequences", "tokens"),
    [
        *itertools.product([1, 2, 4], [False, True], [False, True], [2], [4]),
        (2, True, True, 1, 5),
        (2, True, True, 2, 1),
    ],
)
def test_pullback_agrees_with_autograd_and_differences(
    keys, causal, rotary, sequences, tokens, rows, check_pullback, by_autograd
):
    heads = Heads(tokens, 4, keys, 6, causal, rotary)
    check_pullback(heads, lambda x: by_autograd.attention(x, *heads), rows(heads, sequences))


def test_scores_may_have_another_scale_than_one_over_the_root_of_the_width(rows, check_pullback, by_autograd):
    heads = Heads(4, 2, 1, 6, scale=1 / 6)
    check_pullback(heads, lambda x: by_autograd.attention(x, *heads), rows(heads))


def test_scores_are_the_scaled_products_of_queries_and_keys(rows):
    heads = Heads(4, 1, 1, 6, scale=0.2)
    x = rows(heads)
    np.testing.assert_allclose(heads.scores(x)[0, 0, 0], 0.2 * x[:, :6] @ x[:, 6:12].T)


@pytest.mark.parametrize("width", [1, 3])
def test_a_head_that_is_not_turned_may_have_an_odd_width(width, rows, check_pullback, by_autograd):
    heads = Heads(4, 2, 2, width)
    check_pullback(heads, lambda x: by_autograd.attention(x, *heads), rows(heads, 2))


@with_and_without_rotation
@every_mask
def test_one_token_reads_its_own_value(causal, rotary, rows):
    heads = Heads(1, 4, 2, 6, causal, rotary)
    x = rows(heads, 3)
    first, second = x[:, 36:42], x[:, 42:]  # after four queries and two keys
    np.testing.assert_array_equal(heads(x)[0], np.hstack([first, first, second, second]))


@every_mask
def test_a_sequence_is_read_as_if_it_were_alone(causal, rows):
    heads = Heads(5, 4, 2, 6, causal, rotary=True)
    x, delta = rows(heads, 3), rows(heads, 3)[:, :24]
    output, pullback = heads(x)
    for start in (0, 5, 10):
        alone, pullback_alone = heads(x[start : start + 5])
        np.testing.assert_allclose(output[start : start + 5], alone, rtol=1e-13)
        np.testing.assert_allclose(
            pullback(delta)[start : start + 5], pullback_alone(delta[start : start + 5]), rtol=1e-11, atol=1e-14
        )


# ---- who sees whom


@with_and_without_rotation
@pytest.mark.parametrize("changed", range(5))
def test_a_causal_tokens_change_reaches_no_earlier_output_and_all_the_others(changed, rotary, rows):
    heads = Heads(5, 4, 2, 6, causal=True, rotary=rotary)
    x = rows(heads)
    other = x.copy()
    other[changed] = rows(heads)[changed]
    before, after = heads(x)[0], heads(other)[0]
    np.testing.assert_array_equal(after[:changed], before[:changed])
    assert (after[changed:] != before[changed:]).all()


@with_and_without_rotation
@pytest.mark.parametrize("read", range(5))
def test_a_causal_output_has_a_gradient_of_exactly_zero_at_later_tokens(read, rotary, rows):
    heads = Heads(5, 4, 2, 6, causal=True, rotary=rotary)
    delta = np.zeros((5, 24))
    delta[read] = 1.0
    gradient = heads(rows(heads))[1](delta)
    assert not gradient[read + 1 :].any()
    assert gradient[: read + 1, -12:].all()  # the values it reads


@pytest.mark.parametrize("changed", range(5))
def test_without_a_mask_a_tokens_change_reaches_every_output(changed, rows):
    heads = Heads(5, 4, 2, 6, causal=False)
    x = rows(heads)
    other = x.copy()
    other[changed] = rows(heads)[changed]
    assert (heads(x)[0] != heads(other)[0]).all()


# ---- weights


@with_and_without_rotation
@every_mask
@every_grouping
def test_weights_add_up_to_one(keys, causal, rotary, rows):
    heads = Heads(7, 4, keys, 6, causal, rotary)
    x = rows(heads, 2)
    x[:, (4 + keys) * 6 :] = 1.0
    np.testing.assert_allclose(heads(x)[0], 1.0, rtol=1e-14)


def test_equal_scores_read_the_mean_of_what_is_seen(rows):
    heads = Heads(6, 1, 1, 4)
    x = rows(heads)
    x[:, :4] = 0.0
    running_mean = np.cumsum(x[:, 8:], axis=0) / np.arange(1, 7)[:, None]
    np.testing.assert_allclose(heads(x)[0], running_mean, rtol=1e-13)


@every_mask
def test_huge_scores_read_the_value_of_the_nearest_key_alone(causal, rows, weights_of, rng):
    heads = Heads(6, 1, 1, 8, causal)
    queries, keys = 100 * rng.standard_normal((6, 8)), 100 * rng.standard_normal((6, 8))
    scores = queries @ keys.T / math.sqrt(8)
    assert np.abs(scores).max() > 1e4  # exp(1e4) overflows
    seen = np.where(np.tri(6, dtype=bool) | (not causal), scores, -math.inf)
    nearest = np.eye(6)[seen.argmax(1)]
    np.testing.assert_allclose(weights_of(heads, queries, keys), nearest, atol=1e-15)
    x, delta = np.hstack([queries, keys, rows(heads)[:, :8]]), rng.standard_normal((6, 8))
    gradient = heads(x)[1](delta)
    np.testing.assert_allclose(gradient[:, :16], 0, atol=1e-15)  # no step changes which key is the nearest
    np.testing.assert_allclose(gradient[:, 16:], nearest.T @ delta, atol=1e-15)


@with_and_without_rotation
@every_mask
def test_single_precision_stays_single_and_agrees(causal, rotary, rows, relative_error):
    heads = Heads(6, 4, 2, 8, causal, rotary)
    x, delta = rows(heads, 2), rows(heads, 2)[:, :32]
    output, pullback = heads(x)
    single, single_pullback = heads(x.astype(np.float32))
    gradient = single_pullback(delta.astype(np.float32))
    assert single.dtype == gradient.dtype == np.float32
    assert relative_error(single, output) < 1e-6
    assert relative_error(gradient, pullback(delta)) < 1e-6


# ---- rotary positions


def test_turned_scores_depend_on_the_distance_of_two_tokens_alone(weights_of, rng):
    heads = Heads(8, 1, 1, 10, causal=False, rotary=True)
    query, key = rng.standard_normal(10), rng.standard_normal(10)
    logarithms = np.log(weights_of(heads, np.tile(query, (8, 1)), np.tile(key, (8, 1))))
    scores = logarithms - np.diagonal(logarithms)[:, None]  # over the score at distance zero
    frequencies = ROTARY_BASE ** (-np.arange(5) / 5)

    def turned(distance):
        """The scalar product of complex numbers, one of them turned by the distance."""
        pairs = zip(query[:5] + 1j * query[5:], key[:5] + 1j * key[5:], frequencies, strict=True)
        return sum((q * k.conjugate() * cmath.exp(1j * distance * f)).real for q, k, f in pairs) / math.sqrt(10)

    for token, other in itertools.product(range(8), repeat=2):
        assert scores[token, other] == pytest.approx(turned(token - other) - turned(0), abs=1e-12)


def test_a_token_meets_its_own_key_as_if_neither_were_turned(weights_of, rng):
    heads = Heads(8, 1, 1, 10, causal=False, rotary=True)
    queries = rng.standard_normal((8, 10))
    keys = queries.copy()
    keys[0] = 0.0  # a score of zero to compare with
    weights = weights_of(heads, queries, keys)
    own = np.log(np.diagonal(weights) / weights[:, 0])
    lengths = np.square(queries).sum(1)  # which a rotation keeps
    np.testing.assert_allclose(own[1:], lengths[1:] / math.sqrt(10), rtol=1e-12)


def test_rotation_leaves_values_and_the_first_token_alone(rows):
    turned, unturned = (Heads(5, 2, 2, 6, rotary=rotary) for rotary in (True, False))
    x = rows(turned)
    np.testing.assert_array_equal(turned(x)[0][0], unturned(x)[0][0])
    x[:, :12] = 0.0  # queries: all scores are equal, values alone are left
    np.testing.assert_array_equal(turned(x)[0], unturned(x)[0])


# ---- the positions' fixed embedding


@pytest.mark.parametrize(("tokens", "width"), [(1, 1), (9, 6), (5, 7), (200, 2)])
def test_sinusoids_are_the_formula_of_the_paper(tokens, width):
    expected = np.empty((tokens, width))
    for position in range(tokens):
        for column in range(width):
            i = column // 2
            angle = position / 10_000 ** (2 * i / width)
            expected[position, column] = math.cos(angle) if column % 2 else math.sin(angle)
    np.testing.assert_allclose(sinusoids(tokens, width), expected, rtol=1e-12, atol=1e-13)


def test_sinusoids_of_four_numbers_turn_once_a_radian_and_once_a_hundredth():
    table = sinusoids(3, 4)
    assert table[0].tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(table[1], [0.8414709848, 0.5403023059, 0.0099998333, 0.9999500004], atol=1e-10)
    np.testing.assert_allclose(table[2], [0.9092974268, -0.4161468365, 0.0199986667, 0.9998000067], atol=1e-10)
