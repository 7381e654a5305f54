import math

import numpy as np
import pytest

from gradcheck.engine import diversity
from gradcheck.engine.diversity import LeastRank, effective_rank, mean_cosine, measure_diversity, rank_at_least


def with_spectrum(spectrum, batch, units, rng):
    """Centred outputs (batch, units) with the given singular values."""
    ones_first = np.column_stack([np.ones(batch), rng.standard_normal((batch, len(spectrum)))])
    left = np.linalg.qr(ones_first)[0][:, 1:]
    right = np.linalg.qr(rng.standard_normal((units, len(spectrum))))[0]
    return left * spectrum @ right.T


def by_svd(outputs):
    squares = np.linalg.svd(outputs - outputs.mean(0), compute_uv=False) ** 2
    shares = squares[squares > 0] / squares.sum()
    return math.exp(-(shares * np.log(shares)).sum())


def by_pairs(outputs):
    cosines = [
        x @ y / math.sqrt((x @ x) * (y @ y)) for i, x in enumerate(outputs) for j, y in enumerate(outputs) if i != j
    ]
    return sum(cosines) / len(cosines)


@pytest.mark.parametrize(("batch", "units"), [(20, 8), (8, 20), (9, 8)])
@pytest.mark.parametrize("directions", [1, 3, 7])
def test_effective_rank_counts_equally_strong_directions(batch, units, directions, rng):
    outputs = with_spectrum(np.ones(directions), batch, units, rng) + rng.standard_normal(units)
    assert effective_rank(outputs) == pytest.approx(directions, rel=1e-12)


@pytest.mark.parametrize(("batch", "units"), [(30, 6), (6, 30)])
def test_effective_rank_of_a_known_spectrum_is_the_entropy_of_its_squares(batch, units, rng):
    outputs = with_spectrum(np.sqrt([0.5, 0.25, 0.125, 0.125]), batch, units, rng)
    assert effective_rank(outputs) == pytest.approx(2 ** (1.75), rel=1e-12)  # entropy 1.75 bits


@pytest.mark.parametrize(("batch", "units"), [(2, 5), (5, 2), (12, 12), (40, 7), (7, 40)])
def test_effective_rank_agrees_with_a_singular_value_decomposition(batch, units, rng):
    outputs = rng.standard_normal((batch, units)) * np.geomspace(1, 1e-3, units) + 2
    assert effective_rank(outputs) == pytest.approx(by_svd(outputs), rel=1e-10)


def test_effective_rank_of_two_groups_is_one(rng):
    outputs = rng.standard_normal((2, 6))[[0, 1, 1, 0, 1]]
    assert effective_rank(outputs) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("scale", [2.0**-60, 1e-20, 3.0, 1e25])
def test_effective_rank_does_not_depend_on_scale(scale, rng):
    outputs = rng.standard_normal((10, 6))
    assert effective_rank(scale * outputs) == pytest.approx(effective_rank(outputs), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_examples_that_differ_by_rounding_only_have_rank_one(dtype, rng):
    outputs = np.tile(rng.uniform(0.1, 1, 50).astype(dtype), (16, 1))
    assert effective_rank(outputs) == 1
    rounding = np.finfo(dtype).eps * rng.integers(-1, 2, outputs.shape)
    assert effective_rank((outputs * (1 + rounding)).astype(dtype)) == 1


def test_outputs_that_are_all_zero_do_not_differ():
    assert effective_rank(np.zeros((4, 3))) == 1


def test_small_differences_above_rounding_are_seen(rng):
    outputs = 1 + 1e-9 * rng.standard_normal((16, 50))
    assert effective_rank(outputs) == pytest.approx(by_svd(outputs), rel=1e-6)
    assert effective_rank(outputs) > 10


def test_a_direction_whose_share_underflows_does_not_count():
    outputs = np.array([[2e-162, 10, 0], [2e-162, -10, 0], [-2e-162, 0, 10], [-2e-162, 0, -10]])
    assert effective_rank(outputs) == pytest.approx(2)


def test_a_single_example_has_neither_rank_nor_cosine(rng):
    single = rng.standard_normal((1, 8))
    assert math.isnan(effective_rank(single))
    assert math.isnan(mean_cosine(single))


@pytest.fixture
def many_outputs(rng):
    """Outputs of layers whose ranks go up and down, two alike and one whose examples don't differ."""
    spectra = [np.geomspace(1, 10.0**-decades, 9) for decades in (0, 3, 1, 5, 0.2, 5, 2)]
    return [*(with_spectrum(one, 12, 15, rng) + 1 for one in spectra), np.ones((12, 15))]


def test_the_least_rank_is_exactly_that_of_all_ranks(many_outputs):
    for outputs in (many_outputs, many_outputs[:-1], many_outputs[:1]):
        least, exact = LeastRank(), [effective_rank(one) for one in outputs]
        for layer, one in enumerate(outputs):
            least.add(layer, one, exact=layer == 4)
        ranks = least.ranks()
        assert min(ranks.values()) == min(exact)
        assert {layer: exact[layer] for layer in ranks} == ranks
        assert len(outputs) < 5 or 4 in ranks  # which was asked for


def test_layers_that_can_not_have_the_least_rank_are_not_decomposed(many_outputs, monkeypatch):
    decomposed, rank_of = [], diversity._rank_of
    monkeypatch.setattr(diversity, "_rank_of", lambda gram: decomposed.append(gram) or rank_of(gram))
    least = LeastRank()
    for layer, one in enumerate(many_outputs[:-1]):
        least.add(layer, one)
    assert least.ranks().keys() <= {3, 5, 6}
    assert len(decomposed) == len(least.ranks())


def test_a_few_layers_at_most_wait_for_their_decomposition(many_outputs, monkeypatch):
    monkeypatch.setattr(LeastRank, "WAITING", 2)
    least = LeastRank()
    for layer, one in enumerate(many_outputs[:-1]):
        least.add(layer, one)
        assert len(least._waiting) <= 2
    assert min(least.ranks().values()) == min(map(effective_rank, many_outputs[:-1]))


def test_the_bound_lies_below_the_rank_and_at_it_where_the_directions_are_equally_strong(rng):
    for _ in range(200):
        outputs = with_spectrum(rng.uniform(0, 1, 8) ** rng.uniform(0, 9), 12, 15, rng)
        gram = outputs @ outputs.T
        assert 0.6 * effective_rank(outputs) < rank_at_least(gram) <= effective_rank(outputs)
    equal = with_spectrum(np.ones(5), 12, 15, rng)
    assert rank_at_least(equal @ equal.T) == pytest.approx(5, rel=1e-5)


@pytest.mark.parametrize(("batch", "units"), [(2, 3), (9, 4), (30, 100)])
def test_mean_cosine_agrees_with_a_loop_over_all_pairs(batch, units, rng):
    outputs = rng.standard_normal((batch, units)) * rng.uniform(1e-6, 1e6, (batch, 1)) + 0.3
    assert mean_cosine(outputs) == pytest.approx(by_pairs(outputs), abs=1e-13)


def test_mean_cosine_of_parallel_examples_is_exactly_one_at_most(rng):
    outputs = rng.uniform(0, 1e9, (50, 1)) * rng.standard_normal(7)
    assert 1 - 1e-14 < mean_cosine(outputs) <= 1


def test_mean_cosine_of_opposite_examples_is_minus_one():
    assert mean_cosine(np.array([[3.0, 4.0], [-6.0, -8.0]])) == pytest.approx(-1, abs=1e-15)


def test_mean_cosine_of_orthogonal_examples_is_zero():
    assert mean_cosine(np.diag([1.0, 20.0, 0.5])) == pytest.approx(0, abs=1e-15)


def test_an_example_of_zeros_has_no_cosine():
    assert math.isnan(mean_cosine(np.array([[1.0, 2.0], [0.0, 0.0]])))


@pytest.mark.parametrize("shift", [0.0, 3.0, 300.0])
def test_rank_and_cosine_of_one_product_are_those_of_each_alone(shift, rng):
    outputs = rng.standard_normal((12, 40)) + shift
    found = measure_diversity(outputs)
    assert found.effective_rank == pytest.approx(by_svd(outputs), rel=1e-10)
    assert found.mean_cosine == pytest.approx(by_pairs(outputs), rel=1e-10)


def test_rank_of_one_product_in_single_precision_is_that_of_double(rng):
    outputs = rng.standard_normal((64, 300)) * np.geomspace(1, 1e-3, 300) + 5
    assert measure_diversity(outputs.astype(np.float32)).effective_rank == pytest.approx(by_svd(outputs), rel=1e-3)
