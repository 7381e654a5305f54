"""A training that begins anew within a log."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.sentences import sentence

STEPS = np.arange(300)


def course(steps, time=40, end=0.3):
    return end + 2 * np.exp(-np.asarray(steps) / time)


def rows(losses, seed=0):
    noise = 0.02 * np.random.default_rng(seed).standard_normal(len(losses))
    return [{"step": 10 * at, "loss": loss} for at, loss in enumerate(losses + noise)]


@pytest.mark.parametrize(("at", "weight"), [(60, "note"), (150, "note"), (240, "warning")])
@pytest.mark.parametrize("seed", range(3))
def test_a_resumed_run_that_loads_no_checkpoint_is_named_and_is_a_note_once_it_has_fallen_again(
    at, weight, seed, found
):
    (one,) = found(rows(course(np.where(at > STEPS, STEPS, STEPS - at)), seed))
    assert (one.kind, one.weight, one.first_step) == ("loss-jump", weight, 10 * at)
    assert "where it began, and falls once more as from the first row on: training begins anew there" in sentence(one)
    assert "no checkpoint was loaded" in advice_on(one.kind, one.signs)[0]


def test_a_loss_that_was_at_a_guess_of_the_same_level_before_is_no_other_beginning(found):
    losses = np.where(STEPS < 150, course(STEPS), 2.3)
    assert [one.signs for one in found(rows(losses))] == [("settled",)]


@pytest.mark.parametrize(
    "losses",
    [
        course(STEPS),
        course(STEPS) + 0.4 * (STEPS >= 150) * np.exp(-(STEPS - 150).clip(0) / 30),  # a warm restart
        course(STEPS) + 0.2 * (STEPS >= 150),  # harder data
        course(STEPS) * (1 + 0.2 * np.sin(STEPS / 20)),
        np.where(STEPS == 150, 2.3, course(STEPS)),  # one batch
    ],
    ids=["resumed well", "warm restart", "harder data", "seasons", "one batch"],
)
def test_courses_that_go_on_do_not_begin_anew(losses, found):
    assert not any("began-anew" in one.signs for one in found(rows(losses)))
