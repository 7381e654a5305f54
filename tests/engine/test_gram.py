import gc

import numpy as np
import pytest

from gradcheck.engine import gram as module
from gradcheck.engine.gram import gram, is_wide, known_square
from gradcheck.engine.magnitude import sum_of_squares


def test_the_gram_matrix_has_the_examples_inner_products(rng):
    x = rng.standard_normal((4, 7))
    np.testing.assert_allclose(gram(x), x @ x.T, rtol=1e-13, atol=1e-13)


def test_of_single_precision_the_gram_matrix_is_double(rng):
    x = rng.standard_normal((4, 70)).astype("float32")
    wide = x.astype("float64")
    np.testing.assert_allclose(gram(x), wide @ wide.T, rtol=1e-13, atol=1e-12)  # a BLAS has another way for one matrix


def test_it_is_computed_once_and_nobody_can_change_it(rng):
    x = rng.standard_normal((4, 7))
    assert known_square(x) is None
    assert gram(x) is gram(x)
    assert not gram(x).flags.writeable


def test_it_is_forgotten_with_its_array(rng):
    x = rng.standard_normal((4, 7))
    gram(x)
    before = len(module._KNOWN)
    del x
    gc.collect()
    assert len(module._KNOWN) == before - 1


def test_a_known_gram_matrix_gives_the_sum_of_squares(rng):
    x = rng.standard_normal((4, 7))
    plain = sum_of_squares(x)
    gram(x)
    assert sum_of_squares(x) == pytest.approx(plain, rel=1e-14)


@pytest.mark.parametrize(("shape", "wide"), [((3, 4), True), ((4, 4), False), ((5, 4), False), ((4,), False)])
def test_a_batch_is_wide_if_its_examples_are_longer_than_it(shape, wide):
    assert is_wide(np.zeros(shape)) == wide


def test_the_square_of_an_array_that_may_change_is_added_up_each_time():
    x = np.ones(4)
    assert sum_of_squares(x) == 4
    x[0] = 2
    assert sum_of_squares(x) == 7
