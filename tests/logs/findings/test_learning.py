"""Whether a run gets anywhere, at the edges of what counts as better and worse."""

import numpy as np
import pytest

from gradcheck.logs.findings.learning import got_nowhere, has_improved

UNITS = pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])


def levels(*parts):
    """Levels and for how many rows, in turn."""
    return np.concatenate([np.full(rows, level) for level, rows in parts])


@UNITS
@pytest.mark.parametrize(("end", "better"), [(0.9895, True), (0.9905, False), (1.5, False)])
def test_progress_is_more_than_a_hundredth_of_the_loss(unit, end, better, course):
    losses = unit * levels((5.0, 20), (1.0, 20), (end, 20))  # the twelve rows before count, and no earlier ones
    assert has_improved(course(loss=losses), 39) is better


@pytest.mark.parametrize(("times", "better"), [(1.05, True), (0.95, False)])
def test_progress_is_more_than_three_standard_errors_of_a_median_of_three(times, better, course, zigzag):
    step = times * 3 * 0.1 / 3**0.5
    losses = 1 + zigzag(80, 0.1) - step * (np.arange(80) >= 40)
    assert has_improved(course(loss=losses), 39) is better


@pytest.mark.parametrize(("late", "better"), [(6, True), (4, False)])
def test_the_end_is_the_last_quarter(late, better, course):
    losses = levels((1.0, 60 - late), (0.5, late))  # of forty rows after the step ten, half of which must be better
    assert has_improved(course(loss=losses), 19) is better


def test_of_a_step_before_the_log_the_first_loss_counts(course):
    assert has_improved(course(loss=levels((2.0, 1), (1.0, 19))), -1) is True
    assert has_improved(course(loss=levels((2.0, 1), (1.0, 19))), 0) is True
    assert has_improved(course(loss=levels((2.0, 2), (1.0, 18))), 1) is True
    assert has_improved(course(loss=levels((1.0, 1), (2.0, 19))), -1) is False


@pytest.mark.parametrize("rows", [11, 12])
def test_twelve_losses_tell_and_eleven_do_not(rows, course):
    series = course(loss=levels((2.0, 4), (1.0, rows - 4)))
    assert (has_improved(series, 3), got_nowhere(series)) == ((True, False) if rows == 12 else (None, None))


@pytest.mark.parametrize(("since", "tells"), [(16, True), (17, False)])
def test_three_losses_after_the_step_tell_and_two_do_not(since, tells, course):
    assert (has_improved(course(loss=levels((2.0, 10), (1.0, 10))), since) is not None) is tells


def test_a_log_without_a_loss_tells_nothing(course):
    series = course(np.zeros(40))
    assert has_improved(series, 20) is got_nowhere(series) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_losses_that_are_no_numbers_are_left_out(wrong, course):
    losses = levels((2.0, 30), (1.0, 30))
    losses[::4] = wrong
    series = course(loss=losses)
    assert (has_improved(series, 29), got_nowhere(series)) == (True, False)


@UNITS
@pytest.mark.parametrize(("end", "nowhere"), [(0.9895, False), (0.9905, True), (1.0, True)])
def test_a_run_that_got_somewhere_lost_a_hundredth_of_its_loss(unit, end, nowhere, course):
    assert got_nowhere(course(loss=unit * levels((1.0, 20), (end, 20)))) is nowhere


@pytest.mark.parametrize(("times", "nowhere"), [(1.05, False), (0.95, True)])
def test_and_three_standard_errors_of_a_block(times, nowhere, course, zigzag):
    losses = 1 + zigzag(200, 0.1)  # blocks of ten rows, each with a median of 1
    losses[100:] -= times * 3 * 0.1 / 10**0.5
    assert got_nowhere(course(loss=losses)) is nowhere


@pytest.mark.parametrize(("row", "nowhere"), [(2, False), (3, True)])
def test_fast_convergence_shows_in_the_first_three_rows(row, nowhere, course):
    losses = np.ones(200)
    losses[row] = 1.05
    assert got_nowhere(course(loss=losses)) is nowhere


@pytest.mark.parametrize(("first", "nowhere"), [(0.99 * 0.3, True), (1.01 * 0.3, False)])
def test_there_it_has_to_be_more_than_three_deviations_of_a_row(first, nowhere, course, zigzag):
    losses = 1 + zigzag(200, 0.1)
    losses[0] = 1 + first
    assert got_nowhere(course(loss=losses)) is nowhere


@UNITS
@pytest.mark.parametrize(("end", "relapsed"), [(1.045, False), (1.055, True)])
def test_a_relapse_is_more_than_a_twentieth_of_all_that_the_loss_moved(unit, end, relapsed, course):
    assert got_nowhere(course(loss=unit * levels((2.0, 20), (1.0, 20), (end, 20)))) is relapsed


@pytest.mark.parametrize(("end", "relapsed"), [(1.0095, False), (1.0105, True)])
def test_and_more_than_a_hundredth_of_the_best_loss(end, relapsed, course):
    assert got_nowhere(course(loss=levels((1.05, 20), (1.0, 20), (end, 20)))) is relapsed


@pytest.mark.parametrize(("times", "relapsed"), [(0.95, False), (1.05, True)])
def test_and_more_than_the_noise_of_a_block(times, relapsed, course, zigzag):
    losses = 1 + zigzag(200, 0.2)
    losses[:100] += 1
    losses[150:] += times * 3 * 0.2 / 10**0.5
    assert got_nowhere(course(loss=losses)) is relapsed
