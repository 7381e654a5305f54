"""Norms of exactly zero, and numbers that are huge from the first row."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.finding import ERROR, NOTE
from gradcheck.logs.findings.sentences import sentence

FALLING = np.linspace(9, 1.5, 100)


def rows(losses, norms, **columns):
    """Records of these losses and norms; None leaves one out."""
    return [
        {"step": step}
        | {name: float(value) for name, value in (("loss", loss), ("grad_norm", norm)) if value is not None}
        | columns
        for step, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]


def flat(count=100):
    return 2.3 + 0.01 * np.random.default_rng(0).standard_normal(count)


def test_a_zero_in_every_row_of_a_run_whose_loss_falls_was_not_computed(found):
    (one,) = found(rows(FALLING, np.zeros(100)))
    assert (one.kind, one.weight) == ("not-computed", NOTE)


def test_then_the_loss_is_judged(found):
    jumping = FALLING + 20 * (np.arange(100) >= 70)
    assert [one.kind for one in found(rows(jumping, np.zeros(100)))] == ["exploding", "not-computed"] or [
        one.kind for one in found(rows(jumping, np.zeros(100)))
    ] == ["loss-jump", "not-computed"]


def test_a_zero_in_every_row_of_a_flat_loss_is_a_model_that_is_not_connected(found):
    (one,) = found(rows(flat(), np.zeros(100)))
    assert (one.kind, one.weight, one.layers) == ("no-gradient", ERROR, ())
    assert "rate-zero" not in one.signs


def test_a_learning_rate_of_zero_is_a_sign(found):
    (one,) = found(rows(flat(), np.zeros(100), lr=0.0))
    assert "rate-zero" in one.signs


@pytest.mark.parametrize(("norms", "both"), [(np.where(np.arange(100) < 50, 3.0, 0.0), True), ([None] * 100, False)])
def test_a_loss_that_falls_to_exactly_zero_at_once_has_collapsed(norms, both, found):
    (one,) = found(rows(np.where(np.arange(100) < 50, flat(), 0.0), norms))
    assert (one.kind, one.first_step) == ("collapsed", 50)
    assert one.details["both"] is both
    assert "loss-zero" in one.signs


def test_a_loss_that_converges_to_zero_in_the_digits_that_are_printed_has_not(found):
    losses = np.round(2 * 0.9 ** np.arange(200), 4)
    assert (losses[-50:] == 0).all()
    assert found(rows(losses, np.round(losses / 2, 4))) == []


@pytest.mark.parametrize(("last", "is_found"), [(0.02, False), (0.5, True)])
def test_a_loss_in_two_digits_that_was_near_to_zero_has_converged_to_it(last, is_found, found):
    losses = np.round(np.concatenate([np.geomspace(0.6, last, 21), np.zeros(179)]), 2)
    assert ("collapsed" in [one.kind for one in found(rows(losses, [None] * 200))]) is is_found


@pytest.mark.parametrize(("zeros", "is_found"), [(40, True), (10, False)])
def test_many_norms_of_exactly_zero_are_a_finding(zeros, is_found, found):
    draw = np.random.default_rng(3)
    norms = np.where(draw.permutation(60) < zeros, 0.0, 0.3 + 0.02 * draw.standard_normal(60))
    kinds = [one.kind for one in found(rows(0.001 * draw.standard_normal(60), norms))]
    assert kinds == (["zeros"] if is_found else [])


def test_while_the_loss_gets_better_they_are_a_note(found):
    norms = np.where(np.arange(100) % 2 == 0, 0.0, 0.3)
    (one,) = found(rows(FALLING, norms))
    assert (one.kind, one.weight) == ("zeros", NOTE)


@pytest.mark.parametrize(("loss", "norm", "is_found"), [(3e8, 8e5, True), (3e5, 8e5, False), (3e8, 5e3, False)])
def test_loss_and_norm_are_huge_above_limits_of_their_own(loss, norm, is_found, found):
    noise = np.exp(0.2 * np.random.default_rng(0).standard_normal(60))
    kinds = [one.kind for one in found(rows(loss * noise, norm * noise[::-1]))]
    assert kinds == (["huge"] if is_found else [])


def test_a_huge_loss_that_gets_better_is_a_matter_of_units(found):
    assert found(rows(1e9 * FALLING, 1e6 * np.ones(100))) == []


def test_margins_that_are_satisfied_ever_more_often_are_no_collapse(found):
    draw = np.random.default_rng(1)
    losses = np.where(draw.random(300) < np.linspace(0, 0.9, 300), 0.0, np.exp(-np.arange(300) / 150))
    losses[-20:] = 0.0
    assert {one.weight for one in found(rows(losses, losses))} <= {NOTE}


def test_a_zero_of_few_digits_may_be_a_small_norm(told):
    (one,) = told(*(f"step {step} loss {3 - step / 20:.2f} grad_norm 0.00" for step in range(40))).findings
    assert "or is too small for the digits that are printed" in one.message
    assert "%.3e" in one.advice[0]


def test_a_zero_in_a_file_of_exact_numbers_was_not_computed(found):
    (one,) = found(rows(1 - np.arange(100) / 200, np.zeros(100)))
    assert sentence(one).endswith("it was not computed")


def test_a_loss_that_is_beyond_any_unit_in_its_first_rows_has_exploded(found):
    one = found(rows([2.3e28, *[39.8, 38.1, 39.4] * 4], [None] * 13))[0]
    assert (one.kind, one.first_step, one.last_step, one.weight) == ("huge", 0, 0, "warning")
    assert "a loss of 2.3e+28 in the first row, and of" in sentence(one)
    assert "exploded before its first row was logged" in advice_on(one.kind, one.signs)[0]


def test_an_ordinary_loss_in_a_row_or_two_makes_a_huge_one_no_better(found):
    losses = [4e26, 2e25, 8e24, 7e23, 2e24, 1.7e24, 8e23, 6e23, 1e24, 1.386, 7e22, 1e23, 2e23, 2e22, 1e22, 2e23]
    assert found(rows(losses, [None] * len(losses)))[0].kind == "huge"


def test_a_loss_in_large_units_that_falls_is_not_called_exploded(found):
    assert found(rows(np.geomspace(5e11, 3e4, 40), [None] * 40)) == []
    assert found(rows(np.geomspace(1.2e13, 2.5e12, 40), [None] * 40)) == []  # prices in rupees, squared


def test_a_norm_of_exactly_zero_to_the_end_beside_a_loss_that_is_not_has_collapsed(found):
    losses = np.zeros(30)
    losses[[0, 1, 7]] = 12.0, 7.4, 19.1
    (one,) = found(rows(losses, [90.9, 264.3, *[0.0] * 28]))
    assert (one.kind, one.first_step, one.weight) == ("collapsed", 2, ERROR)
    assert sentence(one) == "the gradient norm is exactly zero from step 2 on, beside a loss of up to 19.1"


def hinge(every, steps=600):
    """Rows of a linear model with a hinge loss on separable points: mean losses, and the last step's norm."""
    draw = np.random.default_rng(0)
    signs, weights, means, losses = draw.choice([-1.0, 1.0], 256), np.zeros(8), [], []
    points = draw.standard_normal((256, 8)) + 1.5 * signs[:, None]
    norms = []
    for step in range(1, steps + 1):
        chosen = draw.integers(0, 256, 16)
        margins = 1 - signs[chosen] * (points[chosen] @ weights)
        gradient = -(np.where(margins > 0, signs[chosen], 0.0) @ points[chosen]) / 16
        means.append(np.maximum(margins, 0).mean())
        weights -= 0.03 * gradient
        if step % every == 0:
            losses.append(np.mean(means[-every:]))
            norms.append(np.linalg.norm(gradient))
    return losses, norms


@pytest.mark.parametrize("every", [10, 1])
def test_a_hinge_loss_that_came_down_to_its_floor_has_not_collapsed(every, found):
    losses, norms = hinge(every)
    assert norms[-12:] == [0.0] * 12
    assert {one.weight for one in found(rows(losses, norms))} <= {NOTE}


def test_small_norms_that_are_printed_as_zero_have_not_collapsed(found):
    norms = np.round(np.append([0.4, 0.4], np.full(38, 0.04)), 1)
    losses = np.round(2.3 + 0.05 * np.random.default_rng(0).standard_normal(40), 2)
    assert "collapsed" not in {one.kind for one in found(rows(losses, norms))}


def test_a_norm_that_is_no_longer_computed_has_not_collapsed(found):
    assert "collapsed" not in {one.kind for one in found(rows(FALLING, [20.0, *[0.0] * 99]))}


def test_a_huge_loss_is_told_as_the_cause_of_numbers_that_are_not_finite(found):
    (one,) = found(rows([7.9e27, 2.3e27, 4.3e27, 3e26] * 8, [np.inf] * 32))
    assert (one.kind, "huge" in one.signs) == ("nonfinite", True)
    assert "the loss is huge from the first row on" in advice_on(one.kind, one.signs)[0]


def test_a_learning_rate_of_zero_in_every_row_is_a_note(found):
    losses = 1.3 + 0.05 * np.random.default_rng(0).standard_normal(30)
    (one,) = found(rows(losses, [10.0, 10.5] * 15, lr=0.0))
    assert (one.kind, one.weight) == ("not-learning", NOTE)
    assert sentence(one) == "the learning rate is 0 in every row, as far as it is logged, and the loss does not fall"


def test_a_learning_rate_that_is_printed_as_zero_is_none_where_the_loss_falls(told):
    report = told(*(f"step {step} loss {3 - step / 50:.2f} grad_norm 1.5 lr 0.0000" for step in range(40)))
    assert report.findings == ()
