"""A loss that moved, and then is the same guess in every batch."""

import numpy as np
import pytest

from gradcheck.logs.findings.sentences import sentence
from gradcheck.logs.report import diagnose


def rows(losses):
    return [{"step": step, "loss": float(loss)} for step, loss in enumerate(losses)]


def frozen(findings):
    return [one for one in findings if one.kind == "not-learning"]


MOVED = [0.6773, 2.4587, 5.3353, 1.0234, 10.6901, 1.9899, 3.5713, 0.6869]


@pytest.mark.parametrize("level", [0.6931, 2.3026, 4.6052])
def test_a_loss_that_moved_and_then_is_one_guess_to_the_last_digit_is_told_from_its_step(level, found):
    (one,) = frozen(found(rows([*MOVED, *[level] * 20])))
    assert (one.first_step, one.last_step, one.numbers["classes"]) == (8, 27, round(np.exp(level)))
    assert one.signs[0] == "frozen"


@pytest.mark.parametrize(
    "losses",
    [
        [*MOVED, *[0.693] * 20],  # three digits, as of a mean that a bar shows
        [*MOVED, *[0.7012] * 20],
        [*MOVED, *[0.6931] * 6],
        [*MOVED, *[0.6931, 0.6932] * 10],
        [*MOVED, *[0.6931] * 20, 0.5, 0.4, 0.3],
    ],
)
def test_other_losses_are_not_called_frozen(losses, found):
    assert not [one for one in frozen(found(rows(losses))) if "frozen" in one.signs]


def test_the_advice_is_not_to_raise_the_rate():
    (one,) = frozen(diagnose(rows([*MOVED, *[0.6931] * 20])).findings)
    assert "10 times lower" in one.advice[0]
    assert not any("raise" in line for line in one.advice)
    assert "from step 8 on" in one.message


@pytest.mark.parametrize(("level", "digits", "classes"), [(2.3, 2, 10), (0.693, 3, 2), (4.61, 2, 100)])
def test_a_guess_with_few_digits_is_a_note_that_depends_on_the_classes(level, digits, classes, found):
    (one,) = frozen(found(rows([*np.round(MOVED, digits), *[level] * 20])))
    assert (one.weight, one.first_step, one.numbers["classes"]) == ("note", 8, classes)
    assert f"if there are {classes} classes" in sentence(one)


@pytest.mark.parametrize("losses", [[2.61, *[2.4] * 20], [2.61, *[2.3] * 14], [0.91, *[0.7] * 20]])
def test_other_losses_with_few_digits_are_none(losses, found):
    assert not frozen(found(rows(losses)))


# ---- from its first rows on


def noisy_guess(count, classes=8, noise=0.01, seed=0):
    return np.log(classes) + noise * np.random.default_rng(seed).standard_normal(count)


def test_a_loss_that_rises_to_a_guess_within_its_first_rows_is_forgotten(found):
    (one,) = frozen(found(rows([1.6, *noisy_guess(29)])))
    assert (one.first_step, one.numbers["classes"], one.signs) == (1, 8, ("forgotten",))
    assert "from step 1 on, that is ln(8)" in sentence(one)


@pytest.mark.parametrize(
    "losses",
    [
        [2.05, *noisy_guess(29)],  # an easy batch
        [1.2, *noisy_guess(29) + 0.05],  # no guess
        [1.2, *noisy_guess(29) - np.linspace(0, 0.3, 29)],  # learning
        [0.5, *noisy_guess(29, classes=2)],  # as of a discriminator
        [*np.linspace(1, 2, 12), *noisy_guess(29)],  # bit by bit
    ],
)
def test_other_losses_that_rise_at_first_are_not_called_forgotten(losses, found):
    assert not [one for one in frozen(found(rows(losses))) if "forgotten" in one.signs]
