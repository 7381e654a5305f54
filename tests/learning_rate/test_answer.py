"""What the runs of all draws add up to."""

import math

import pytest

from gradcheck.learning_rate.answer import answer_of
from gradcheck.learning_rate.rules import Rule

RULE = Rule(start=1.0, best=0.5, ceiling=5.0, band=2.0, within=0.9, networks=100)


def test_the_best_rate_is_that_of_the_runs_times_a_factor_with_a_band(draw):
    answer = answer_of([draw({0.2: 1.5, 0.4: 1.0, 0.8: 1.5})], RULE)
    assert (answer.low, answer.best, answer.high) == pytest.approx((0.1, 0.2, 0.4))


def test_the_band_holds_every_draw_with_the_uncertainty_of_each(draw):
    draws = [draw({0.2: 1.5, 0.4: 1.0, 0.8: 1.5}), draw({0.8: 1.5, 1.6: 1.0, 3.2: 1.5}, seed=1)]
    answer = answer_of(draws, RULE)
    assert (answer.low, answer.best, answer.high) == pytest.approx((0.1, 0.4, 1.6))


def test_the_ceiling_is_between_the_runs_that_lower_the_loss_and_those_that_do_not(draw):
    answer = answer_of([draw({0.1: 1.5, 0.4: 1.0, 1.6: math.inf})], RULE)
    assert (answer.shown, answer.ceiling) == (True, pytest.approx(0.8))
    answer = answer_of([draw({0.1: 1.5, 0.4: 1.0, 1.6: 2.5, 6.4: math.inf})], RULE)
    assert answer.ceiling == pytest.approx(0.8)


def test_the_band_ends_where_training_fails(draw):
    answer = answer_of([draw({0.2: 1.5, 0.4: 1.0, 0.5: math.inf})], RULE._replace(best=1.0))
    assert answer.best < answer.high == answer.ceiling


def test_where_every_run_lowers_the_loss_the_ceiling_is_the_rule_s(draw):
    answer = answer_of([draw({0.2: 1.5, 0.4: 1.0, 0.8: 1.5})], RULE)
    assert (answer.shown, answer.ceiling) == (False, pytest.approx(5 * answer.best))


@pytest.mark.parametrize("runs", [{}, {0.1: math.inf}, {0.1: 2.5, 0.4: 2.1}])
def test_without_a_run_that_lowers_the_loss_there_is_no_answer(runs, draw):
    assert answer_of([draw({0.1: 1.0}), draw(runs, seed=1)], RULE) is None


def test_a_first_batch_that_is_easy_asks_for_no_warm_up(draw):
    easy = draw({0.2: 2.4, 0.4: 2.3, 0.8: 2.4})
    paired = easy._replace(runs=tuple(one._replace(untrained=(2.0, *[2.6] * 9)) for one in easy.runs))
    answer = answer_of([paired], RULE)
    assert (answer.warm_up, answer.peak) == (0, 1.0)


@pytest.mark.parametrize(
    ("course", "updates", "peak"),
    [
        ((3.0, 2.5, 1.0), 2, 1.5),  # above the first loss, 2, until the second update
        ((1.5, 1.2, 1.0), 0, 1.0),  # it never rises
        ((2.1, 2.1, 1.0), 0, 1.05),  # batches differ by as much
    ],
)
def test_a_warm_up_lasts_as_long_as_the_loss_is_above_where_it_began(course, updates, peak, draw):
    answer = answer_of([draw({0.2: 1.5, 0.4: 1.0, 0.8: 1.5}, course=course)], RULE)
    assert (answer.warm_up, answer.peak) == (updates, pytest.approx(peak))
