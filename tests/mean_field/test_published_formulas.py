"""The covariances of transformers against closed forms that papers publish, each computed here a second way."""

import math

import numpy as np
import pytest

from gradcheck.mean_field.attention import AttentionLaw
from gradcheck.mean_field.blocks import MlpLaw, SublayerLaw, Tokens, no_alignment
from gradcheck.mean_field.layers import LayerLaw
from gradcheck.mean_field.token_kernels import Pairs

UNIT = LayerLaw(1, 1, 1.0, 0.0)

#: Variances that agree in four digits of their logarithm share a series.
SERIES = 2e-4


def alike(rows, cosine, square=1.0):
    """Covariances of tokens each two of which are equally alike."""
    return square * ((1 - cosine) * np.eye(rows) + cosine)


def attention(rows, *, scores=0.0, value=1.0, bias=0.0, sampled=2):
    """Attention whose scores between unlike tokens of unit size have this standard deviation; it writes as it reads."""
    seen = np.ones((rows, rows), bool)
    read, values = LayerLaw(64, 64, scores / 64, 0.0), LayerLaw(64, 64, value / 64, bias)
    return AttentionLaw(read, read, values, UNIT, 1, 1, 64, seen, None, sampled)


def mlp(activation, *, weight=1.0, bias=0.0):
    return MlpLaw(LayerLaw(1, 1, weight, bias), LayerLaw(1, 1, weight, bias), activation, False)


def sublayer(branch, branch_scale, stream_scale=1.0, *, pre=False, post=False):
    return SublayerLaw(branch, pre, False, post, False, branch_scale, stream_scale)


def passed(kernel, *sublayers):
    """Tokens after sublayers, and what each made of them."""
    passes, x = [], Tokens(kernel, np.zeros(len(kernel)))
    for number, one in enumerate(sublayers):
        passes.append(one.forward(number, x))
        x = passes[-1].output
    return x.kernel, passes


def gaussian_mean(function):
    """E[f(z)] of a standard normal z."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    return float(weights @ function(nodes) / weights.sum())


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_tokens_alignment_under_uniform_attention_is_that_of_noci_et_al(strength):
    """2022 (2206.03126), Σ_ij ⟨x_i, x_j⟩ / (n Σ ‖x_i‖²) = 1/(1 + (n − 1) e^−a) where branches are scaled by √(a/L)."""
    tokens, blocks = 16, 100
    block = sublayer(attention(tokens), (strength / blocks) ** 0.5), sublayer(mlp("linear"), (0.7 / blocks) ** 0.5)
    kernel, _ = passed(np.eye(tokens), *block * blocks)
    aligned = kernel.sum() / (tokens * kernel.trace())
    assert aligned == pytest.approx(1 / (1 + (tokens - 1) * math.exp(-strength)), rel=0.03)
    at_this_depth = (1 + strength / blocks) ** -blocks
    assert aligned == pytest.approx(1 / (1 + (tokens - 1) * at_this_depth), rel=1e-9)


@pytest.mark.parametrize("cosine", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("square", [0.1, 1.0, 10.0])
def test_moments_of_relu_and_gelu_are_those_of_kedia_et_al(cosine, square):
    """2024 (2403.09635), table of component moments: E[φφ'] less the means, E[φ'φ'] of two tokens."""
    relu, gelu = (Pairs(name, alike(2, cosine, square)) for name in ("relu", "gelu"))
    root = math.sqrt(1 - cosine**2)
    covariance = (math.pi * cosine + root - cosine * math.acos(cosine) - 1) / (2 * math.pi)
    assert relu.product[0, 1] - square / (2 * math.pi) == pytest.approx(square * covariance, rel=1e-9, abs=1e-9)
    assert relu.slopes[0, 1] == pytest.approx(0.25 + math.asin(cosine) / (2 * math.pi), rel=1e-9)
    share, wide = square / (1 + square), (1 + square) ** 2 - (cosine * square) ** 2
    mean_square = square * share / (2 * math.pi)
    product = (square * (1 - cosine**2) + 1 + cosine**2) * square * 2 / math.pi / ((square + 1) * math.sqrt(wide))
    whole = square / 4 * (cosine + cosine * math.asin(cosine * share) * 2 / math.pi + product)
    assert gelu.product[0, 1] == pytest.approx(whole, rel=SERIES)
    variance = math.pi - share - math.acos(share) + 2 * share * math.sqrt((1 - share) / (1 + share))
    assert gelu.product[0, 0] - mean_square == pytest.approx(square / (2 * math.pi) * variance, rel=SERIES)
    inner = (square + 1) * (2 * square + 3) - 2 * (cosine * square) ** 2
    slopes = 0.5 + (cosine * share * inner / wide**1.5 - math.acos(cosine * share)) / (2 * math.pi)
    assert gelu.slopes[0, 1] == pytest.approx(slopes, rel=SERIES)


@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.6])
def test_attention_with_small_scores_has_the_moments_of_kedia_et_al(cosine):
    """The same table: variance of the output, and its covariances."""
    tokens, scores, kernel = 96, 0.36, alike(96, cosine)
    law = attention(tokens, scores=scores, sampled=16)
    out = law.forward(kernel, law.sample(kernel, 0))
    variance = math.exp((1 - cosine) * scores**2) * (1 - cosine) / tokens + cosine
    others = (1 - cosine) / tokens + cosine
    assert out.diagonal().mean() == pytest.approx(variance, rel=0.05)
    assert (out.sum() - out.trace()) / (tokens * (tokens - 1)) == pytest.approx(others, rel=0.05)


def came_back(scores, cosine=0.3, tokens=96):
    """Mean square of the gradient at attention's input, that at its output being 1, over what uniform attention gives.

    Gradients of two tokens have a cosine of 1/2.
    """
    law, kernel = attention(tokens, scores=scores, sampled=16), alike(tokens, cosine)
    back = law.backward(kernel, law.sample(kernel, 0), alike(tokens, 0.5)).mean(axis=0)
    return back.diagonal().mean() / ((1 + (tokens - 1) * 0.5) / tokens)


def test_kedia_et_al_leave_the_gradient_through_the_scores_out_which_holds_while_they_are_small():
    assert came_back(0.1) == pytest.approx(1, abs=0.01)
    assert came_back(0.36) == pytest.approx(1.06, abs=0.02)
    assert came_back(1.0) == pytest.approx(1.55, abs=0.1)


@pytest.mark.parametrize(("width", "strength"), [(1.0, 0.3), (2.0, 0.5), (3.0, 0.8)])
def test_near_collapse_both_exponents_are_those_of_cowsik_et_al(width, strength):
    """2024 (2403.02579), sections 4.1, 4.2: what a block makes of 1 − cosine, and of the squared gradient.

    √(1 − α²) x + α branch(norm(x)), uniform attention of unit values, tanh behind weights of deviation σ_w.
    """
    tokens, square = 100, strength**2
    rest = math.sqrt(1 - square)
    hidden = MlpLaw(LayerLaw(1, 1, width**2, 0.0), UNIT, "tanh", False)
    block = sublayer(attention(tokens), strength, rest, pre=True), sublayer(hidden, strength, rest, pre=True)
    kernel, passes = passed(alike(tokens, 1 - 1e-7), *block)
    slope = width**2 * gaussian_mean(lambda z: np.cosh(width * z) ** -4.0)
    level = gaussian_mean(lambda z: np.tanh(width * z) ** 2)
    of_difference, of_square = 1 - square + square * slope, 1 - square + square * level
    angle = (1 - square) * of_difference / of_square
    assert (1 - kernel[0, 1] / kernel[0, 0]) / 1e-7 == pytest.approx(angle, rel=2e-3)
    gradient, alignment = np.eye(tokens) / tokens, no_alignment(tokens)
    for one in reversed(passes):
        back = one.backward(gradient, alignment, 10**6)
        gradient = back.at_input
    assert gradient.trace() == pytest.approx((1 - square) * of_difference, rel=0.02)  # and α²/n for the mean token


@pytest.mark.parametrize("cosine", [0.2, 0.6, 0.9])
def test_a_block_with_small_scores_moves_the_cosine_as_giorlandino_and_goldt_say(cosine):
    """2025 (2505.24333): below β_c attention gives all tokens their mean; post-norm, ReLU, biases."""
    tokens, weight, bias, strength = 200, 0.2, 4e-4, 1.0
    branches = attention(tokens, value=weight, bias=bias), mlp("relu", weight=weight, bias=bias)
    kernel, _ = passed(alike(tokens, cosine), *(sublayer(one, 1.0, strength, post=True) for one in branches))
    read = cosine * weight + bias
    after = (read + strength**2 * cosine) / (read + strength**2)
    first, between = weight + bias, weight * after + bias
    likeness = between / first
    arc = (math.sqrt(1 - likeness**2) + likeness * (math.pi - math.acos(likeness))) / math.pi
    published = weight * first / 2 * arc + bias + strength**2 * after, weight * first / 2 + bias + strength**2
    assert kernel[0, 1] / kernel[0, 0] == pytest.approx(published[0] / published[1], abs=2e-3)


def test_above_the_critical_scores_the_random_energy_model_is_a_limit_that_few_tokens_are_far_from():
    """The same paper: Σ a² → 1 − β_c/β, β_c = √(2/(1 − p)), of scores of variance β² log n."""
    tokens, cosine, beta = 128, 0.3, 4.0
    deviation = beta * math.sqrt(math.log(tokens))
    law, kernel = attention(tokens, scores=deviation, sampled=32), alike(tokens, cosine)
    heads = law.sample(kernel, 0)
    focused = float(np.square(heads.weights).sum(-1).mean())
    drawn = np.random.default_rng(0).standard_normal((4000, tokens)) * deviation * math.sqrt(1 - cosine)
    shares = np.exp(drawn - drawn.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    assert focused == pytest.approx(np.square(shares).sum(-1).mean(), rel=0.05)  # the same model at this length
    limit = 1 - math.sqrt(2 / (1 - cosine)) / beta
    assert focused == pytest.approx(limit, abs=0.1)
