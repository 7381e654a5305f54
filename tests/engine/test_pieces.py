import os
import threading
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.engine import begun, pieces
from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.engine.pieces import (
    PIECE,
    WORTH,
    ahead,
    begin,
    contraction,
    in_pieces,
    product,
)
from gradcheck.engine.threads import BLAS_THREADS, OWN_THREADS, threads

#: Shapes rows × inner × columns of a product, two of them small, the others worth sharing out.
SHAPES = [(1, 1, 1), (3, 50, 40), (1, 3000, 2000), (64, 520, 301), (2000, 40, 70), (300, 301, 130)]
every_shape = pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)


@pytest.fixture
def silent(monkeypatch):
    """Let the environment say nothing of threads."""
    for variable in (OWN_THREADS, *BLAS_THREADS):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


@pytest.fixture
def workers(on_threads):
    """Threads ↦ the threads that work on as many pieces, all of them at once."""

    def idents(count):
        met, found = threading.Barrier(count), set()

        def work(piece):
            met.wait(timeout=60)
            found.add(threading.get_ident())

        on_threads(count, lambda: in_pieces(count, work, 1))
        return found

    return idents


# ---- threads


def test_the_engines_own_variable_says_how_many_threads_there_are_before_those_of_blas(silent):
    silent.setenv("MKL_NUM_THREADS", "7")
    assert threads() == 7
    silent.setenv("OMP_NUM_THREADS", "5")
    assert threads() == 5
    silent.setenv(OWN_THREADS, "3")
    assert threads() == 3


@pytest.mark.parametrize("said", ["", "many", "-2", "1.5"])
def test_what_is_no_number_of_threads_is_passed_over(said, silent):
    silent.setenv(OWN_THREADS, said)
    silent.setenv("OMP_NUM_THREADS", "5")
    assert threads() == 5


def test_there_is_always_a_thread(silent):
    silent.setenv(OWN_THREADS, "0")
    assert threads() == 1


def test_where_nothing_is_said_there_are_as_many_threads_as_cores_that_may_be_used(silent):
    silent.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    assert threads() == 3
    silent.delattr(os, "sched_getaffinity")
    silent.setattr(os, "cpu_count", lambda: 11)
    assert threads() == 11
    silent.setattr(os, "cpu_count", lambda: None)
    assert threads() == 1


# ---- pieces


@pytest.mark.parametrize("count", ["1", "3"])
@settings(max_examples=20)
@given(size=st.integers(0, 300), piece=st.integers(1, 80))
def test_the_pieces_cover_every_index_exactly_once(count, size, piece):
    covered, longest = np.zeros(size, int), []

    def work(part):
        covered[part] += 1
        longest.append(part.stop - part.start)

    with mock.patch.dict(os.environ, {OWN_THREADS: count}):
        in_pieces(size, work, piece)
    assert (covered == 1).all()
    assert len(longest) == -(-size // piece)
    assert max(longest, default=0) == min(size, piece)


@pytest.mark.parametrize("count", [2, 3])
def test_several_pieces_are_worked_on_at_once_by_the_thread_that_asks_and_others(count, workers):
    found = workers(count)
    assert len(found) == count
    assert threading.get_ident() in found


def test_a_process_that_was_forked_off_has_its_own_threads(workers, monkeypatch):
    """Its parent's don't exist there: work handed to them would never be done."""
    workers(2)
    begun._helpers(os.getpid())._running = 1  # a parent's thread is at work as the process forks
    monkeypatch.setattr(os, "getpid", lambda: -1)
    met, found = threading.Barrier(2), set()

    def work(piece):
        met.wait(timeout=60)
        found.add(threading.get_ident())

    in_pieces(2, work, 1)
    assert len(found) == 2


def test_an_error_in_a_piece_is_raised_where_the_work_was_asked_for(on_threads):
    def work(piece):
        if piece.start == 2:
            raise ValueError("piece 2")

    for count in (1, 2):
        with pytest.raises(ValueError, match="piece 2"):
            on_threads(count, lambda: in_pieces(5, work, 1))


# ---- products


@every_shape
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_and_contractions_are_those_of_numpy_and_the_same_on_any_number_of_threads(
    rows, inner, columns, dtype, rng, on_threads, relative_error
):
    one, other = rng.standard_normal((rows, inner)).astype(dtype), rng.standard_normal((inner, columns)).astype(dtype)
    rounding = 100 * np.finfo(dtype).eps
    for multiply, second in ((product, other), (product, other.T.copy().T), (contraction, other.T)):
        alone, *shared = (on_threads(count, lambda m=multiply, s=second: m(one, s)) for count in (1, 2, 3))
        assert alone.dtype == dtype
        assert relative_error(alone, one.astype(float) @ other.astype(float)) < rounding
        for result in shared:
            np.testing.assert_array_equal(result, alone)


@pytest.mark.parametrize("multiply", [product, contraction])
@pytest.mark.parametrize(("size", "large"), [(150, False), (170, True)])
def test_only_a_large_product_is_shared_out(multiply, size, large, rng, monkeypatch):
    seen = []
    monkeypatch.setenv(OWN_THREADS, "1")
    monkeypatch.setattr(
        pieces, "in_pieces", lambda size, work, piece: (seen.append(size), in_pieces(size, work, piece))
    )
    square = rng.standard_normal((size, size))
    np.testing.assert_allclose(multiply(square, np.eye(size)), square, rtol=1e-14)
    assert seen == [size] * large


@every_shape
def test_where_blas_has_its_own_threads_the_product_is_left_to_it(rows, inner, columns, rng, silent):
    silent.setattr(pieces, "in_pieces", None)
    one, other = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    np.testing.assert_array_equal(product(one, other), one @ other)
    np.testing.assert_array_equal(contraction(one, other.T), one @ other)


# ---- activations


@pytest.mark.parametrize(("name", "dtype"), [*((name, "float64") for name in ACTIVATIONS), ("gelu", "float32")])
def test_an_activation_of_a_large_array_is_the_same_piece_by_piece(name, dtype, rng, on_threads):
    z = 3 * rng.standard_normal((3, PIECE // 2 + 7)).astype(dtype)
    activation, before = ACTIVATIONS[name], z.copy()
    for count in (1, 2):
        for array in (z, np.asfortranarray(z)):
            value, slope = on_threads(count, lambda array=array: activation(array))
            for got, expected in zip((value, slope), activation.evaluate(z), strict=True):
                assert got.dtype == dtype
                np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("columns", [3, 40_000])
def test_a_product_adds_those_of_further_pairs(columns, on_threads, rng):
    one, two = rng.standard_normal((2, 9, 9))
    first, second = rng.standard_normal((2, 9, columns))
    result = on_threads(2, lambda: product(one, first, two, second))
    np.testing.assert_allclose(result, one @ first + two @ second, rtol=1e-12, atol=1e-12)


def test_what_a_begun_piece_raises_arrives_where_it_is_needed(on_threads):
    def work(piece):
        raise ValueError(piece)

    def begun():
        with pytest.raises(ValueError, match="slice"):
            begin(WORTH, work).finish()

    on_threads(2, begun)


# ---- whole tasks


@pytest.mark.parametrize("count", [1, 2])
def test_a_task_that_is_begun_ahead_gives_its_result_or_raises_its_error_where_it_is_waited_for(count, on_threads):
    assert on_threads(count, lambda: ahead(lambda: "done")()) == "done"
    with pytest.raises(ZeroDivisionError):
        on_threads(count, lambda: ahead(lambda: 1 / 0)())


def test_a_task_that_is_begun_ahead_is_done_by_another_thread(on_threads):
    done = threading.Event()

    def work():
        result = ahead(lambda: (done.set(), threading.get_ident()))
        assert done.wait(timeout=60)
        return result()[1]

    assert on_threads(2, work) != threading.get_ident()
