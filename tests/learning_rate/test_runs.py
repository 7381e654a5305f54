"""The short runs, on a bowl on which what a rate does is known."""

import math
from itertools import pairwise

import pytest

from gradcheck.learning_rate.rules import Rule
from gradcheck.learning_rate.runs import MOST, SPACING, Draw, Run, best_of, find_rate
from gradcheck.learning_rate.search import CriticalRate

RULE = Rule(start=1.0, best=1.0, ceiling=2.0, band=2.0, within=0.9, networks=100)


class Bowl:
    """½ h θ² + floor, and its gradient's update: rate 1/h is best, and from 2/h on the loss rises."""

    def __init__(self, sharpness, floor=0.1, lost_from=math.inf):
        self.sharpness, self.floor, self.restarts, self.lost_from, self.rate = sharpness, floor, 0, lost_from, 0.0
        self.theta = 1.0

    def fades(self):
        return self.rate >= self.lost_from

    def restart(self):
        self.theta, self.restarts = 1.0, self.restarts + 1

    def look(self):
        return self._loss(self.theta)

    def along(self, rate):
        return self._loss(self._moved(rate))

    def step(self, rate):
        self.theta, self.rate = self._moved(rate), rate

    def _moved(self, rate):
        return self.theta * (1 - rate * self.sharpness)

    def _loss(self, theta):
        return self.sharpness * theta**2 / 2 + self.floor


class Easy(Bowl):
    """Its first batch costs less than the others by what any of them can be brought down."""

    def restart(self):
        super().restart()
        self.batches = 0

    def look(self):
        self.batches += 1
        return super().look()

    def _loss(self, theta):
        return super()._loss(theta) + (0.6 if self.batches > 1 else 0.0)


def test_a_first_batch_that_is_easy_hides_no_progress_on_the_others():
    bowl = Easy(1.0)
    bowl.restart()
    found = find_rate(bowl, RULE, 25)
    assert found.start.loss == pytest.approx(0.6)
    assert found.before == pytest.approx(1.2)
    assert found.furthest.score == pytest.approx(0.7)
    assert found.furthest.falls
    assert not found.furthest.losses[-1] < found.furthest.losses[0]


def test_the_batches_are_looked_at_untrained_only_where_the_loss_is_near_that_of_the_first():
    assert {one.untrained for one in find_rate(Bowl(100.0), RULE, 25).runs} == {()}


@pytest.mark.parametrize("start", [0.1, 1.0, 30.0])
def test_wherever_the_runs_begin_they_end_around_the_best_one(start):
    found = find_rate(Bowl(100.0), RULE._replace(start=start), 25)
    rates = [one.rate for one in found.runs]
    at = rates.index(found.furthest.rate)
    assert 0 < at < len(rates) - 1
    assert 0.004 < found.furthest.rate < 0.02


def test_neighbouring_rates_are_a_factor_apart_and_each_run_begins_at_the_start():
    bowl = Bowl(100.0)
    found = find_rate(bowl, RULE, 25)
    rates = [one.rate for one in found.runs]
    assert {round(high / low, 9) for low, high in pairwise(rates)} == {SPACING}
    assert {one.losses[0] for one in found.runs} == {found.start.loss}
    assert bowl.restarts == len(rates)


def test_a_run_that_grows_is_given_up_and_one_that_does_not_takes_all_its_updates():
    found = find_rate(Bowl(100.0), RULE._replace(start=4.0), updates=12)
    assert {one.diverged for one in found.runs} == {True, False}
    for one in found.runs:
        assert (len(one.losses) < 12) == one.diverged
        assert not one.diverged or one.rate > 0.02


class Plateau(Bowl):
    """A bowl of which the loss shows nothing in the first 30 updates."""

    updates = 0

    def restart(self):
        super().restart()
        self.updates = 0

    def look(self):
        return self._loss(self.theta if self.updates >= 30 else 1.0)

    def step(self, rate):
        self.updates += 1
        super().step(rate)


def test_runs_that_have_learnt_nothing_are_made_again_with_twice_the_updates():
    found = find_rate(Plateau(100.0), RULE, 25)
    assert {len(one.losses) for one in found.shorter if not one.diverged} == {25}
    assert {len(one.losses) for one in found.runs if not one.diverged} == {50}
    assert found.furthest.score < 1


def test_what_a_constant_answer_costs_is_not_learning_and_even_then_the_runs_end():
    hopeless = find_rate(Bowl(100.0, floor=10.0), RULE, 25, constant=10.0)
    assert max(len(one.losses) for one in hopeless.runs) == 100
    assert find_rate(Bowl(100.0, floor=10.0), RULE, 25, constant=20.0).shorter == ()


def test_a_rate_at_which_the_gradient_is_lost_on_the_plateau_fails():
    found = find_rate(Bowl(100.0, floor=10.0, lost_from=0.004), RULE, 25, constant=10.0)
    assert [one.fades for one in found.runs] == [one.rate >= 0.004 for one in found.runs]
    assert any(one.fades for one in found.runs)
    assert not any(one.falls for one in found.runs if one.fades)
    assert found.furthest.rate < 0.004
    learns = find_rate(Bowl(100.0, lost_from=0.004), RULE, 25, constant=10.0)
    assert any(one.falls for one in learns.runs if one.rate >= 0.004)


def test_where_all_runs_diverge_they_go_down_only():
    found = find_rate(Bowl(100.0), RULE._replace(start=1e9), 25)
    assert {one.diverged for one in found.runs} == {True}
    assert (len(found.runs), found.runs[-1].rate) == (MOST, pytest.approx(1e9 * found.start.least[0]))
    assert {round(high.rate / low.rate, 9) for low, high in pairwise(found.runs)} == {SPACING**2}


class Dying(Bowl):
    """A bowl whose parameter stands still above its start at a band of rates, far beyond those that diverge."""

    def step(self, rate):
        self.theta = 1.05 if 0.12 < rate < 0.2 else self._moved(rate)


def test_a_run_that_stands_still_between_two_that_diverge_does_not_end_the_search():
    found = find_rate(Dying(100.0), RULE._replace(start=16.0), 25)
    assert found.furthest.falls
    assert 0.004 < found.furthest.rate < 0.02


def test_runs_end_somewhere_where_no_rate_is_the_best():
    class Slope(Bowl):
        def step(self, rate):
            self.theta = 0.5  # whatever the rate, but that it changes less with each

        def restart(self):
            super().restart()
            self.floor *= 0.9

    assert len(find_rate(Slope(1.0), RULE, 25).runs) == MOST


@pytest.mark.parametrize(("sharpness", "status"), [(0.0, "flat"), (-1.0, "falls"), (math.inf, "nonfinite")])
def test_without_a_rate_to_begin_with_there_are_no_runs(sharpness, status):
    found = find_rate(Bowl(sharpness), RULE, 25)
    assert (found.start.status, found.runs) == (status, ())


@pytest.mark.parametrize("limits", [{"updates": 100}, {"updates": 25, "doublings": 0}])
def test_long_runs_and_those_of_what_does_not_train_are_made_once(limits):
    assert find_rate(Bowl(100.0, floor=10.0), RULE, constant=10.0, **limits).shorter == ()


def test_the_score_is_the_mean_of_the_last_two_fifths():
    assert Run(0.1, (5.0, 4.0, 3.0, 2.0, 1.0), diverged=False).score == 1.5
    assert Run(0.1, (5.0, math.nan), diverged=True).score == 10.0


def test_the_best_rate_is_the_vertex_of_the_parabola_in_logarithms():
    def loss(rate):
        return math.exp(0.3 * math.log(rate / 0.05) ** 2 - 1)

    runs = tuple(Run(rate, (9.0, loss(rate)), diverged=False) for rate in (0.02, 0.04, 0.08))
    assert best_of(runs) == pytest.approx(0.05)


def test_a_best_run_without_two_neighbours_is_the_best_rate():
    runs = tuple(Run(rate, (9.0, loss), diverged=False) for rate, loss in ((0.01, 3.0), (0.04, 1.0)))
    assert best_of(runs) == 0.04
    assert Draw(0, CriticalRate("found", 1.0, 9.0), runs).furthest.rate == 0.04


def test_losses_below_zero_have_a_best_rate_too():
    runs = tuple(Run(rate, (0.0, loss), diverged=False) for rate, loss in ((0.02, -1.0), (0.04, -3.0), (0.08, -1.0)))
    assert best_of(runs) == pytest.approx(0.04)
