import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest

from gradcheck import spec
from gradcheck.engine.initializers import (
    BIAS_STREAM,
    INITIALIZERS,
    WEIGHT_STREAM,
    Law,
    cut_deviation,
    random_stream,
    truncated,
)

FANS = 300, 200

#: Standard deviation of N(0, 1) cut at two, as the sources of Keras, JAX and Haiku have it (from SciPy's truncnorm).
OF_TWO = 0.87962566103423978

VARIANCE = {
    "xavier": 2 / 500,
    "xavier_uniform": 2 / 500,
    "he": 2 / 300,
    "he_uniform": 2 / 300,
    "lecun": 1 / 300,
    "lecun_uniform": 1 / 300,
    "torch_default": 1 / 900,
    "normal": 1.0,
    "uniform": 1.0,
    "xavier_truncated": 2 / 500,
    "he_truncated": 2 / 300,
    "lecun_truncated": 1 / 300,
    "haiku_default": OF_TWO**2 / 300,
    "truncated_normal": OF_TWO**2,
    "trunc_normal": 1.0,  # its limits come with the given deviation
}
#: Law ↦ its largest size in standard deviations of a weight.
CUT = dict.fromkeys(
    ("xavier_truncated", "he_truncated", "lecun_truncated", "haiku_default", "truncated_normal"), 2 / OF_TWO
)
UNIFORM = {"xavier_uniform", "he_uniform", "lecun_uniform", "torch_default", "uniform"}
independent = pytest.mark.parametrize("init", VARIANCE)
every_init = pytest.mark.parametrize("init", INITIALIZERS)


def test_table_and_spec_name_the_same_initializers():
    assert tuple(INITIALIZERS) == spec.INITIALIZERS
    assert {*VARIANCE, "orthogonal"} == set(INITIALIZERS)


@independent
@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_weights_have_mean_zero_and_the_variance_of_the_paper(init, scale):
    weight = Law(init, scale).weight(3, 1, *FANS)
    expected = VARIANCE[init] * scale**2
    assert weight.shape == FANS
    assert abs(weight.mean()) < 4 * math.sqrt(expected / weight.size)
    assert weight.var() == pytest.approx(expected, rel=4 * math.sqrt(2 / weight.size))


def test_uniform_laws_fill_their_bounds_and_normal_ones_have_tails():
    for init in VARIANCE:
        weight = Law(init).weight(4, 1, *FANS)
        bound = math.sqrt(3 * VARIANCE[init])
        largest = np.abs(weight).max()
        if init in UNIFORM:
            assert 0.999 * bound < largest <= bound, init
        elif init in CUT:
            bound = CUT[init] * math.sqrt(VARIANCE[init])
            assert 0.999 * bound < largest <= bound * (1 + 1e-12), init
        else:
            assert largest > 2 * bound, init
            assert (weight**4).mean() / weight.var() ** 2 == pytest.approx(3, rel=0.05), init


def integrated_deviation(cut):
    """The deviation of a normal law cut at ±cut, by adding up its density."""
    x = (np.arange(200_000) + 0.5) / 200_000 * cut
    density = np.exp(-x * x / 2)
    return math.sqrt((x * x * density).sum() / density.sum())


@pytest.mark.parametrize("cut", [1e-4, 0.009, 0.011, 0.5, 1.0, 2.0, 3.0, 8.0])
def test_the_deviation_of_a_cut_law_is_that_of_its_density(cut):
    assert cut_deviation(cut) == pytest.approx(integrated_deviation(cut), rel=1e-8)


def test_the_deviation_of_two_is_the_constant_of_the_frameworks():
    assert cut_deviation(2.0) == pytest.approx(OF_TWO, rel=1e-15)


@pytest.mark.parametrize("cut", [0.02, 0.7, 1.3, 2.0, 100.0])
def test_a_cut_law_stays_within_its_limits_and_has_the_quantiles_of_a_normal_one(cut):
    entries = np.sort(truncated(cut)(np.random.default_rng(1), 200, 200).ravel()) * cut_deviation(cut)
    assert np.abs(entries).max() <= cut * (1 + 1e-12)
    inside = 2 * NormalDist().cdf(cut) - 1
    for part in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = NormalDist().inv_cdf((1 - inside) / 2 + part * inside)
        density = NormalDist().pdf(expected) / inside
        assert abs(np.quantile(entries, part) - expected) < 4.5 * math.sqrt(part * (1 - part) / entries.size) / density


@pytest.mark.parametrize("fans", [(7, 7), (40, 9), (9, 40), (1, 5), (5, 1)])
@pytest.mark.parametrize("gain", [1.0, 0.5, 3.0])
def test_orthogonal_weights_have_an_orthonormal_shorter_side_times_the_gain(fans, gain):
    weight = Law("orthogonal", gain).weight(0, 1, *fans)
    assert weight.shape == fans
    gram = weight.T @ weight if fans[0] >= fans[1] else weight @ weight.T
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(fans)), atol=1e-13 * gain**2)


@pytest.mark.parametrize("fans", [(3, 3), (4, 2), (2, 4)])
def test_orthogonal_weights_are_spread_evenly_over_all_frames(fans):
    frames = np.array([Law("orthogonal").weight(seed, 1, *fans) for seed in range(1000)])
    sigma = 1 / math.sqrt(max(fans))  # of one entry
    assert np.abs(frames.mean(0)).max() < 4 * sigma / math.sqrt(len(frames))
    np.testing.assert_allclose((frames**2).mean(0), sigma**2, rtol=0.15)


def test_determinants_of_square_orthogonal_weights_take_both_signs():
    signs = [np.linalg.det(Law("orthogonal").weight(seed, 1, 4, 4)) for seed in range(400)]
    assert abs(np.mean(signs)) < 4 / math.sqrt(400)


@pytest.mark.parametrize("init", [name for name in INITIALIZERS if name != "torch_default"])
def test_biases_are_zero_unless_asked_for(init):
    assert Law(init, scale=2.0).bias(0, 1, *FANS) is None


def test_torch_default_draws_biases_between_the_bounds_of_its_weights():
    bias = Law("torch_default", scale=7.0).bias(0, 1, 100, 50_000)
    assert 0.0999 < np.abs(bias).max() <= 0.1
    assert bias.var() == pytest.approx(1 / 300, rel=0.03)


def test_bias_std_sets_the_deviation_of_normal_biases():
    for init in INITIALIZERS:
        bias = Law(init, scale=7.0, bias_std=0.2).bias(0, 1, 10, 50_000)
        assert bias.shape == (50_000,), init
        assert bias.std() == pytest.approx(0.2, rel=0.02), init
        assert np.abs(bias).max() > 0.6, init


def test_the_same_seed_and_layer_draw_the_same_weights():
    for init in INITIALIZERS:
        law = Law(init, bias_std=0.1)
        np.testing.assert_array_equal(law.weight(5, 7, 6, 4), law.weight(5, 7, 6, 4), err_msg=init)
        np.testing.assert_array_equal(law.bias(5, 7, 6, 4), law.bias(5, 7, 6, 4), err_msg=init)


def test_seeds_and_layers_draw_different_weights():
    for init in INITIALIZERS:
        law = Law(init)
        assert not np.isclose(law.weight(5, 7, 6, 4), law.weight(6, 7, 6, 4)).any(), init
        assert not np.isclose(law.weight(5, 7, 6, 4), law.weight(5, 8, 6, 4)).any(), init


def test_streams_of_different_seeds_purposes_and_layers_share_no_number():
    keys = list(itertools.product((0, 1), (WEIGHT_STREAM, BIAS_STREAM), (0, 1, 2)))
    draws = np.concatenate([random_stream(*key).standard_normal(10) for key in keys])
    assert len(set(draws)) == 10 * len(keys)


def test_streams_are_uncorrelated():
    draws = np.array([random_stream(0, WEIGHT_STREAM, layer).standard_normal(5000) for layer in range(20)])
    off_diagonal = np.corrcoef(draws)[~np.eye(20, dtype=bool)]
    assert np.abs(off_diagonal).max() < 4.5 / math.sqrt(5000)
