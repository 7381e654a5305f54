"""Attention's covariances against the sums that they are, and against heads that are drawn whole."""

import numpy as np
import pytest

from gradcheck.engine.attention import Heads
from gradcheck.mean_field.attention import AttentionLaw, _through_scores, _to_keys
from gradcheck.mean_field.layers import LayerLaw

TOKENS, WIDTH, HEAD = 5, 64, 16


def covariance(seed, rows=TOKENS):
    x = np.random.default_rng(seed).standard_normal((rows, 40))
    return x @ x.T / 40


def law(*, sampled=4000, causal=True, group=1, places=None, gain=1.0):
    part = LayerLaw(WIDTH, WIDTH, gain / WIDTH, 0.0)
    keys = LayerLaw(WIDTH, WIDTH // group, gain / WIDTH, 0.0)
    seen = np.tri(TOKENS, dtype=bool) if causal else np.ones((TOKENS, TOKENS), bool)
    return AttentionLaw(part, keys, keys, part, WIDTH // HEAD, group, HEAD, seen, places, sampled)


def derivatives(weights):
    return [np.diag(row) - np.outer(row, row) for row in weights]


def test_what_passes_through_the_scores_is_the_sum_over_softmax_s_derivatives():
    weights = law().sample(covariance(0), 0).weights[0]
    values, keys, pairs = covariance(1), covariance(2), covariance(3)
    through = derivatives(weights)
    rows = range(TOKENS)
    to_queries = [[np.sum(through[i] @ values @ through[k] * keys) for k in rows] for i in rows]
    to_keys = sum(pairs[i, k] * through[i] @ values @ through[k] for i in rows for k in rows)
    np.testing.assert_allclose(_through_scores(weights[None], values, keys[None])[0], to_queries, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(_to_keys(weights[None], values, pairs[None])[0], to_keys, rtol=1e-9, atol=1e-12)


def drawn(attention, kernel, gradient, heads, draws):
    """Covariances of the output and of the gradient at the input of attention whose matrices are drawn."""
    outputs, backs = np.zeros_like(kernel), np.zeros_like(kernel)
    rng = np.random.default_rng(0)
    roots = np.linalg.cholesky(kernel), np.linalg.cholesky(gradient)
    for _ in range(draws):
        x, delta = (root @ rng.standard_normal((TOKENS, WIDTH)) for root in roots)
        laws = (attention.query, attention.key, attention.value)
        project = np.hstack([np.sqrt(one.weight) * rng.standard_normal((WIDTH, one.fan_out)) for one in laws])
        write = np.sqrt(attention.write.weight) * rng.standard_normal((WIDTH, WIDTH))
        read, pullback = heads(x @ project)
        back = pullback(delta @ write.T) @ project.T
        outputs += (read @ write) @ (read @ write).T / WIDTH / draws
        backs += back @ back.T / WIDTH / draws
    return outputs, backs


@pytest.mark.parametrize(
    ("options", "heads"),
    [
        pytest.param({}, {}, id="causal", marks=pytest.mark.slow),  # as rotary ones are
        pytest.param({"causal": False, "gain": 3.0}, {"causal": False}, id="all and large scores"),
        pytest.param({"group": 2}, {"keys": 2}, id="shared keys", marks=pytest.mark.slow),
        pytest.param({"places": np.arange(TOKENS)}, {"rotary": True}, id="rotary"),
    ],
)
def test_attention_that_is_drawn_has_the_covariances(options, heads):
    attention, kernel, gradient = law(**options), covariance(4), covariance(5)
    own = Heads(**{"tokens": TOKENS, "queries": WIDTH // HEAD, "keys": WIDTH // HEAD, "width": HEAD} | heads)
    sampled = attention.sample(kernel, 1)
    outputs, backs = drawn(attention, kernel, gradient, own, 600)
    scale = np.sqrt(np.outer(outputs.diagonal(), outputs.diagonal()))
    np.testing.assert_allclose(attention.forward(kernel, sampled) / scale, outputs / scale, atol=0.06)
    ours = attention.backward(kernel, sampled, gradient).mean(axis=0)
    np.testing.assert_allclose(ours.diagonal(), backs.diagonal(), rtol=0.12)


@pytest.mark.parametrize("width", [3, 8, 16], ids=["fewer than rows", "fewer than twice the rows", "more"])
def test_queries_and_keys_in_few_coordinates_have_the_products_of_whole_ones(width):
    attention, kernel = law(sampled=40_000)._replace(width=width), covariance(6)
    q, k = attention._heads(kernel, 0)
    scores = q @ k[..., : q.shape[-1]].swapaxes(1, 2) / np.sqrt(width)
    own_q, own_k = (np.einsum("hij,hij->hi", one, one) / width for one in (q, k))
    scale = np.sqrt(np.outer(kernel.diagonal(), kernel.diagonal()))
    for one in (q, k):
        mean = (one @ one.swapaxes(1, 2)).mean(axis=0) / width
        np.testing.assert_allclose(mean / scale, kernel / scale, atol=0.02)
    pairs = np.einsum("hij,hkj->ik", scores, scores) / len(scores)  # K_ik · tr K
    np.testing.assert_allclose(pairs / scale, kernel.trace() * kernel / scale, atol=0.15)
    together = (np.square(scores) * own_q[:, :, None] * own_k[:, None, :]).mean(axis=0)  # (v_i v_j (1 + 2/width))²
    np.testing.assert_allclose(together / scale**4, (1 + 2 / width) ** 2, rtol=0.12)


def test_scores_that_are_all_alike_spread_attention_evenly():
    attention = law(gain=1e-6, causal=False)
    focus = attention.describe(covariance(0), attention.sample(covariance(0), 0))
    assert focus.attended == pytest.approx(TOKENS, rel=1e-6)
    assert focus.score_std < 1e-5


def test_the_standard_deviation_of_scores_is_that_of_drawn_ones():
    attention, kernel = law(causal=False), covariance(7)
    heads = attention.sample(kernel, 0)
    logarithms = np.log(heads.weights)
    assert attention.describe(kernel, heads).score_std == pytest.approx(
        np.sqrt(logarithms.var(axis=-1).mean()), rel=0.05
    )


def test_what_comes_back_through_a_saturated_softmax_has_no_negative_variance():
    """Next to nothing is left of large terms: their rounding may not stay behind as a variance below zero."""
    rng, heads, tokens = np.random.default_rng(0), 200, 8
    scores = 30 * rng.standard_normal((heads, tokens, tokens))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    queries = rng.standard_normal((heads, tokens, 64)) * 10.0 ** rng.uniform(0, 3, (heads, tokens, 1))
    back = _to_keys(weights, covariance(1, tokens), covariance(2, tokens) * (queries @ queries.swapaxes(1, 2)))
    lowest, highest = np.linalg.eigvalsh(back + back.swapaxes(1, 2))[:, [0, -1]].T
    assert (lowest >= -1e-4 * highest).all()
