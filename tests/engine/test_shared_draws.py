import numpy as np
import pytest

from gradcheck.engine.initializers import INITIALIZERS, Law
from gradcheck.engine.magnitude import sum_of_squares
from gradcheck.engine.shared_draws import SharedDraws, share_from_now_on, shared, sharing


@pytest.mark.parametrize("init", INITIALIZERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shared_weights_are_those_that_are_drawn_alone(init, dtype):
    laws = [Law(init), Law(init, 0.3)]
    alone = [law.weight(3, 2, 7, 5, dtype) for law in laws]
    with sharing(SharedDraws()):
        for law, weight in zip(laws, alone, strict=True):
            np.testing.assert_array_equal(law.weight(3, 2, 7, 5, dtype), weight)


def test_laws_that_differ_in_their_scale_only_draw_once(monkeypatch):
    drawn = []
    monkeypatch.setattr("gradcheck.engine.initializers.random_stream", lambda *key: drawn.append(key) or np.random)
    monkeypatch.setitem(INITIALIZERS, "he", INITIALIZERS["he"]._replace(sample=lambda *_: np.ones((4, 4))))
    with sharing(SharedDraws()):
        for scale in (1.0, 2.0, 3.0):
            Law("he", scale).weight(0, 1, 4, 4)
    assert drawn == [(0, 0, 1)]


def test_what_was_not_used_for_longest_goes_first():
    kept, drawn = SharedDraws(most=2 * 8), []

    def draw(key):
        return kept.get(key, lambda: drawn.append(key) or np.full(1, float(ord(key))))

    for key in "abaca":  # c takes the place of b
        assert draw(key) == ord(key)
    assert drawn == ["a", "b", "c"]
    assert draw("b") == ord("b")
    assert drawn == ["a", "b", "c", "b"]
    assert kept.held == 16


def test_an_array_that_is_shared_can_not_be_written_to_and_one_that_is_not_can():
    with sharing(SharedDraws()):
        assert not shared("key", lambda: np.ones(2)).flags.writeable
    assert shared("key", lambda: np.ones(2)).flags.writeable


def test_nothing_is_shared_before_or_after_the_block_or_with_another_thread(in_a_thread):
    with sharing(SharedDraws()):
        mine = shared("key", lambda: np.zeros(1))
        assert shared("key", lambda: np.ones(1)) is mine
        assert in_a_thread(lambda: shared("key", lambda: np.ones(1))) == 1
    assert shared("key", lambda: np.ones(1)) == 1


def test_a_thread_may_share_for_good(in_a_thread):
    def twice():
        share_from_now_on()
        return shared("key", lambda: np.zeros(1)), shared("key", lambda: np.ones(1))

    one, other = in_a_thread(twice)
    assert one is other
    assert shared("key", lambda: np.ones(1)) == 1


@pytest.fixture
def in_a_thread():
    """A function ↦ what it returns in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        yield lambda function: pool.submit(function).result()


def test_networks_of_one_law_share_their_weights_and_the_sum_of_their_squares(monkeypatch):
    with sharing(SharedDraws()):
        weight = Law("he").weight(3, 2, 7, 5)
        assert Law("he").weight(3, 2, 7, 5) is weight
        assert Law("he", 0.5).weight(3, 2, 7, 5) is not weight
        square = sum_of_squares(weight)
        monkeypatch.setattr("gradcheck.engine.magnitude.inner", None)  # nothing is added up a second time
        assert sum_of_squares(weight) == square == pytest.approx((weight**2).sum(), rel=1e-14)


def test_weights_take_a_quarter_of_what_draws_may():
    draws = SharedDraws(most=64)
    with sharing(draws):
        for scale in range(1, 9):
            Law("he", scale).weight(0, 1, 2, 2)
    assert draws.weights.most == 16
    assert draws.held == 4 * 8
