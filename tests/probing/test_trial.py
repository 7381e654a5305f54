"""What the course of a trial's losses says."""

import math
from contextlib import nullcontext

import pytest

from gradcheck.probing.first_loss import FirstLoss
from gradcheck.probing.trial import hold_trial


def test_a_loss_that_is_half_way_there_has_more_steps_where_it_is_waited_for():
    class Slow:
        """Loses a 200th of its first loss in each step."""

        def first(self):
            return 1.0

        def adam(self, _rate):
            return nullcontext(lambda number: 1.0 - 0.005 * number)

        def span(self):
            return math.nan

    first = FirstLoss(constant_answer=1.0, of_batch=1.0)
    assert [hold_trial(Slow(), first, patient=one).learns for one in (False, True)] == [False, True]
    assert [hold_trial(Slow(), first, patient=True, under_way=one).learns for one in (0.6, 0.8)] == [True, False]


def test_a_batch_that_is_learnt_already_is_no_evidence_of_an_ill_model():
    class Fitted:
        """Has come to a thousandth of a constant answer's loss, and stays there."""

        def first(self):
            return 1e-3

        def adam(self, _rate):
            return nullcontext(lambda number: 1e-3)

        def span(self):
            return math.nan

    assert hold_trial(Fitted(), FirstLoss(constant_answer=1.0, of_batch=1.0)).learns
    assert not hold_trial(Fitted(), FirstLoss(constant_answer=5e-3, of_batch=5e-3)).learns


@pytest.mark.parametrize(("span", "fades", "learns"), [(1.5, True, True), (4.0, True, False), (1.5, False, False)])
def test_a_loss_that_stays_has_more_steps_where_gradients_that_faded_have_come_together(span, fades, learns):
    class Late:
        """Falls after 60 steps at once."""

        def first(self):
            return 1.0

        def adam(self, _rate):
            return nullcontext(lambda number: 1.0 if number < 60 else 0.1)

        def span(self):
            return span

    first = FirstLoss(constant_answer=1.0, of_batch=1.0)
    assert hold_trial(Late(), first, patient=True, fades=fades).learns == learns


@pytest.mark.parametrize(("power", "fades", "learns"), [(2, True, True), (1, True, False), (2, False, False)])
def test_a_loss_that_falls_ever_faster_has_more_steps_where_gradients_have_faded(power, fades, learns):
    class Falling:
        """Has lost a tenth after 40 steps, and 90 % of what there is after 120, where it falls as the steps' square."""

        def first(self):
            return 1.0

        def adam(self, _rate):
            return nullcontext(lambda number: 1.0 - 0.1 * (number / 40) ** power)

        def span(self):
            return 4.0

    first = FirstLoss(constant_answer=1.0, of_batch=1.0)
    assert hold_trial(Falling(), first, patient=True, fades=fades).learns == learns
