import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.clipping.effect import ClipReport
from gradcheck.spec.clip_rules import Rule
from gradcheck.training.sgd import Evaluation, TrainingStep
from gradcheck.training.strategy import DIVERGED, LEARNED, STATUSES, STUCK, judge_run, left_for_good, loss_limit

NAN, INF = math.nan, math.inf

UNCLIPPED = ClipReport(False, 2.0, 2.0, None, 1.0, 1.0, 1.0)
CLIPPED = ClipReport(True, 8.0, 1.0, 1.0, 0.5, 0.25, 0.125)
BROKEN = ClipReport(False, NAN, NAN, None, NAN, NAN, NAN, (0,))


def step(loss=1.0, report=UNCLIPPED, nonfinite=""):
    return TrainingStep(loss, report, nonfinite)


def broken(tensor="W_out", loss=NAN):
    return step(loss, BROKEN, tensor)


def made(steps, loss=0.5, accuracy=0.9, *, stopped=False, chance=0.1):
    return judge_run(Rule("norm", 1.0), steps, Evaluation(loss, accuracy), stopped=stopped, chance=chance)


losses = st.lists(st.floats(0, 10) | st.sampled_from([NAN, INF]), min_size=1, max_size=12)


# ---- divergence


@given(losses)
def test_a_run_has_left_for_good_at_the_first_step_without_a_way_back(loss):
    def stays(at):
        return all(not math.isfinite(one) or one > loss_limit(loss) for one in loss[at:])

    found = left_for_good(loss)
    if found is None:
        assert not stays(len(loss) - 1)
    else:
        assert stays(found - 1)
        assert found == 1 or not stays(found - 2)


@pytest.mark.parametrize(
    ("loss", "at"),
    [
        ([1.0, 0.5, 0.2], None),
        ([1.0, 5.0, 0.2], None),
        ([1.0, 2.0, 2.0], None),
        ([1.0, 2.1, 0.5, 2.1, 3.0], 4),
        ([1.0, NAN, NAN], 2),
        ([1.0, NAN, 1.0], None),
        ([1.0, 5.0, INF, NAN, 3.0], 2),
        ([NAN, NAN], 1),
        ([INF, INF], 1),
        ([1.0, INF], 2),
        ([NAN, 3.0], None),
        ([0.0, 0.1], 2),
        ([1.0], None),
    ],
)
def test_leaving_for_good_in_examples(loss, at):
    assert left_for_good(loss) == at


def test_one_good_batch_among_bad_ones_is_no_return():
    loss = [1.0] * 100 + [9.0] * 300
    loss[200] = loss[-1] = loss[-7] = 0.5
    assert left_for_good(loss) == 101


def test_one_bad_batch_at_the_end_is_no_loss():
    assert left_for_good([1.0] * 399 + [NAN]) is None


def test_the_limit_is_a_multiple_of_the_first_loss():
    assert loss_limit([3.0, 100.0]) == DIVERGED * 3
    assert loss_limit([NAN, 1.0]) == loss_limit([INF, 1.0]) == INF


# ---- what became of it


@pytest.mark.parametrize(
    ("accuracy", "status"),
    [(1.0, "learned"), (LEARNED, "learned"), (LEARNED - 1e-9, "learning"), (0.19 + 1e-9, "learning"),
     (0.19 - 1e-9, "stuck"), (0.1, "stuck"), (0.0, "stuck")],
)  # fmt: skip
def test_accuracy_says_how_far_a_run_has_come(accuracy, status):
    assert made([step()], accuracy=accuracy, chance=0.1).status == status


@pytest.mark.parametrize(
    ("final", "status"),
    [(0.0, "learned"), (1 - LEARNED - 1e-9, "learned"), (1 - LEARNED + 1e-9, "learning"),
     (1 - STUCK - 1e-9, "learning"), (1 - STUCK + 1e-9, "stuck"), (3.0, "stuck"), (NAN, "stuck")],
)  # fmt: skip
def test_without_labels_the_loss_does(final, status):
    assert made([step(1.0), step(1.0)], loss=final, accuracy=NAN, chance=NAN).status == status


def test_one_class_alone_is_no_learning_problem():
    assert made([step()], accuracy=1.0, chance=1.0).status == "learned"
    assert made([step()], accuracy=0.5, chance=1.0).status in STATUSES


def test_a_loss_that_left_outweighs_the_accuracy_and_a_stop_both():
    left = [step(1.0), step(9.0)]
    assert made(left, accuracy=0.99).status == "diverged"
    assert made(left, accuracy=0.99).diverged_at == 2
    assert made([step(), broken()], accuracy=0.99, stopped=True).status == "stopped"


# ---- the numbers


def test_numbers_are_over_the_steps_with_a_finite_gradient():
    one = made([step(), broken("W1"), step(report=CLIPPED), broken("b2"), step()])
    assert (one.largest_norm, one.largest_clipped_norm) == (8.0, 2.0)
    assert one.clipped_share == pytest.approx(1 / 3)
    assert one.mean_cosine == pytest.approx((1 + 1 + 0.5) / 3)
    assert one.mean_global_cosine == pytest.approx((1 + 1 + 0.25) / 3)
    assert one.learning_rate_lost == pytest.approx(1 - (1 + 1 + 0.125) / 3)
    assert (one.nonfinite_steps, one.first_nonfinite) == (2, (2, "W1"))


def test_without_a_finite_gradient_there_are_no_numbers():
    one = made([broken(), broken()])
    every = (one.largest_norm, one.largest_clipped_norm, one.clipped_share, one.mean_cosine, one.learning_rate_lost)
    assert all(math.isnan(number) for number in every)
    assert (one.nonfinite_steps, one.first_nonfinite) == (2, (1, "W_out"))


def test_a_step_taken_with_zeros_counts_as_non_finite_and_its_numbers_count_too():
    one = made([step(), step(report=CLIPPED, nonfinite="b1")])
    assert (one.nonfinite_steps, one.first_nonfinite, one.clipped_share) == (1, (2, "b1"), 0.5)


def test_the_series_have_an_entry_a_step():
    one = made([step(3.0), broken("W1", 4.0), step(1.0, CLIPPED)])
    assert one.loss == (3.0, 4.0, 1.0)
    assert [number for number in one.norm if math.isfinite(number)] == [2.0, 8.0]
    assert [number for number in one.clipped_norm if math.isfinite(number)] == [2.0, 1.0]
    assert [math.isnan(number) for number in one.threshold] == [True, True, False]
    assert {len(one.loss), len(one.norm), len(one.clipped_norm), len(one.threshold)} == {3}


def test_a_finite_run_has_no_non_finite_step():
    one = made([step()])
    assert (one.nonfinite_steps, one.first_nonfinite, one.diverged_at) == (0, None, None)
