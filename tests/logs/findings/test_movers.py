"""Which layer moved, and which of them first."""

import numpy as np
import pytest

from gradcheck.logs.findings.movers import first_movers, outstanding


def stepped(decades, row=20, rows=40):
    return decades * (np.arange(rows) >= row)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("decades", "moved"), [(0.51, ("a",)), (0.49, ())])
def test_a_layer_has_moved_by_half_a_decade(sign, decades, moved, course):
    series = course(a=-3 + sign * stepped(decades), b=stepped(0))
    assert first_movers(series, 20, 39, sign) == moved
    assert first_movers(series, 20, 39, -sign) == ()


@pytest.mark.parametrize(("times", "moved"), [(1.02, ("a",)), (0.98, ())])
def test_and_by_five_deviations_of_its_own_noise_before(times, moved, course, zigzag):
    levels = np.where(np.arange(40) < 20, zigzag(40, 0.3), times * 5 * 0.3)
    assert first_movers(course(a=levels), 20, 39, 1) == moved


def test_the_first_to_move_comes_first_and_of_two_at_once_the_one_that_moves_further(course):
    series = course(late=stepped(2, 26), near=stepped(1, 22), far=stepped(3, 22))
    assert first_movers(series, 22, 39, 1) == ("far", "near", "late")


def test_the_quarter_of_the_rows_before_is_looked_at_too_so_a_layer_may_move_before_the_whole_gradient(course):
    """Of 24 rows the last six: what moved before those moved with the first of them, and is ordered by how far."""
    series = course(at_17=stepped(1, 17), at_18=stepped(2, 18), at_24=stepped(1, 24))
    assert first_movers(series, 24, 39, 1) == ("at_18", "at_17", "at_24")
    series = course(at_18=stepped(1, 18), at_19=stepped(2, 19))
    assert first_movers(series, 24, 39, 1) == ("at_18", "at_19")


def test_what_moved_long_ago_is_at_its_level(course):
    assert first_movers(course(a=stepped(1, 10), b=stepped(1, 24)), 24, 39, 1) == ("b",)


def test_a_layer_that_comes_back_has_not_moved(course):
    levels = stepped(1.0)
    levels[39] = 0
    assert first_movers(course(a=levels), 20, 39, 1) == ()


@pytest.mark.parametrize(("rows", "order"), [(2, ("a", "b")), (3, ("b", "a"))])
def test_two_rows_back_are_chance_and_three_a_return(rows, order, course):
    levels = stepped(1.0)
    levels[30 : 30 + rows] = 0
    assert first_movers(course(a=levels, b=stepped(1.0, 25)), 20, 39, 1) == order


def test_zeros_are_levels_and_gaps_are_none(course):
    gone = np.where(np.arange(40) < 20, -3.0, -np.inf)
    gaps = np.where(np.arange(40) % 3 == 0, np.nan, stepped(-2.0))
    assert first_movers(course(gone=gone, gaps=gaps, never=np.full(40, np.nan)), 20, 39, -1) == ("gone", "gaps")


@pytest.mark.parametrize(("rows", "moved"), [(3, ("a",)), (2, ())])
def test_three_rows_tell_and_two_do_not(rows, moved, course):
    levels = np.where(np.arange(40) < 10, 0.0, np.nan)
    levels[40 - rows :] = 1
    assert first_movers(course(a=levels, b=stepped(0)), 20, 39, 1) == moved


def test_a_log_without_layers_names_none(course):
    assert first_movers(course(stepped(3)), 20, 39, 1) == outstanding(course(stepped(3)), 20) == ()


@pytest.mark.parametrize(("height", "named"), [(0.51, ("b",)), (0.49, ())])
def test_a_layer_stands_out_by_half_a_decade_above_its_own_median(height, named, course):
    levels = np.full(40, -5.0)
    levels[30] += height
    series = course(a=np.full(40, 3.0), b=levels, empty=np.full(40, np.nan), zero=np.full(40, -np.inf))
    assert outstanding(series, 30) == named
    assert outstanding(series, 29) == ()
