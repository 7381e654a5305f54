import numpy as np
import pytest

from gradcheck.engine.noise import Noise
from gradcheck.engine.pieces import PIECE

SHAPE = 7, PIECE // 2 + 11  # three and a half pieces, no row of which begins where a row does


@pytest.fixture(scope="module")
def pieces():
    """Numbers of eight neighbouring pieces, one a row."""
    return Noise(5, 3)(1, 8, PIECE)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_numbers_are_the_same_on_any_number_of_threads(dtype, on_threads):
    alone, *shared = (on_threads(count, lambda: Noise(5, 3, dtype)(1, *SHAPE)) for count in (1, 2, 3))
    assert (alone.shape, alone.dtype) == (SHAPE, dtype)
    for numbers in shared:
        np.testing.assert_array_equal(numbers, alone)


def test_the_numbers_are_the_same_each_time_they_are_asked_for():
    noise = Noise(5, 3)
    np.testing.assert_array_equal(noise(1, 3, 4), noise(1, 3, 4))
    np.testing.assert_array_equal(noise(1, 3, 4), Noise(5, 3)(1, 3, 4))


def test_the_numbers_handed_out_are_the_callers_own():
    noise = Noise(5, 3)
    before = noise(1, 3, 4)
    noise(1, 3, 4)[:] = 0
    np.testing.assert_array_equal(noise(1, 3, 4), before)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (3, 4)])
def test_numbers_of_any_shape_can_be_asked_for(shape):
    assert Noise(0, 0)(0, *shape).shape == shape


@pytest.mark.parametrize(
    "other",
    [(Noise(6, 3), 1), (Noise(5, 4), 1), (Noise(5, 3), 2), (Noise(3, 5), 1), (Noise(5, 2), 2), (Noise(5, 1), 3)],
)
def test_another_seed_layer_or_purpose_has_its_own_numbers(other):
    noise, purpose = other
    one, two = Noise(5, 3)(1, 200, 300), noise(purpose, 200, 300)
    assert not np.isin(two, one).any()
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4 / np.sqrt(one.size)


@pytest.mark.parametrize(("moment", "expected"), [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)])
def test_every_piece_has_the_moments_of_the_normal_law(moment, expected, pieces, means_p_value):
    for piece in pieces:
        assert means_p_value(piece[:, None] ** moment, np.array([expected])) > 1e-3 / len(pieces)


def test_pieces_are_not_correlated(pieces, means_p_value):
    """Neither their numbers nor their sizes, in place and with a shift of one."""
    pairs = np.triu_indices(len(pieces), 1)
    for numbers in (pieces, pieces**2 - 1, np.roll(pieces, 1, axis=1) * pieces):
        products = (numbers[pairs[0]] * numbers[pairs[1]]).T
        assert means_p_value(products, np.zeros(len(pairs[0]))) > 1e-3


def test_numbers_of_a_piece_follow_each_other_without_memory(pieces, means_p_value):
    for shift in (1, 2, 8, 64):
        products = (pieces[:, shift:] * pieces[:, :-shift]).T
        assert means_p_value(products, np.zeros(len(pieces))) > 1e-3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_numbers_are_distributed_as_those_of_numpys_default(dtype, rng, ks_p_value):
    assert ks_p_value(Noise(1, 2, dtype)(3, 300, 300), rng.standard_normal(90_000)) > 1e-3


def test_numbers_that_were_begun_are_those_that_are_asked_for(on_threads):
    def begun(rows):
        noise = Noise(5, 3)
        noise.begin(1, rows, PIECE)
        return noise(1, 3, PIECE)

    expected = Noise(5, 3)(1, 3, PIECE)
    for rows in (2, 3, 5):  # too few, as many, more
        np.testing.assert_array_equal(on_threads(2, lambda rows=rows: begun(rows)), expected)
