"""A learning rate that jumps up right where something begins."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.sentences import sentence

STEPS = np.arange(300)


def rows(rates, every=1):
    """A run that explodes from step 200 on, with these rates, of which so many rows are logged."""
    norms = 1.2 ** np.maximum(0, STEPS - 200)
    losses = 0.5 + np.exp(-STEPS / 40) + np.maximum(0, STEPS - 200) / 9
    columns = zip(STEPS, losses, norms, rates, strict=True)
    return [{"step": int(s), "loss": loss, "grad_norm": norm, "lr": lr} for s, loss, norm, lr in columns][::every]


def jump(at, factor, before=1e-3):
    """Rates that jump by a factor at a step, and stay."""
    return np.where(at > STEPS, before, before * factor)


@pytest.mark.parametrize("at", [192, 200, 201])
def test_a_tenfold_jump_of_the_rate_where_growth_begins_is_named_with_its_step(at, found):
    (one,) = found(rows(jump(at, 10)))
    assert f"; the learning rate jumps 10-fold at step {at}, from 0.00100 to 0.0100" in sentence(one)
    assert advice_on(one.kind, one.signs)[0].startswith("the learning rate jumps up there")
    assert not any("still rising" in line for line in advice_on(one.kind, one.signs))


@pytest.mark.parametrize(
    ("rates", "every"),
    [
        (jump(200, 9), 1),
        (jump(200, 0.1), 1),
        (jump(170, 100), 1),
        (jump(230, 100), 1),
        (np.full(300, 1e-3), 1),
        (1e-6 * 10.0 ** np.clip((STEPS - 190) // 5, 0, 4), 5),  # a warm-up of which few rows are logged
        (1e-5 * np.clip(STEPS - 199, 1, 90), 10),
    ],
    ids=["less", "down", "before", "after", "constant", "exponential", "linear"],
)
def test_other_courses_of_the_rate_are_no_jump_there(rates, every, found):
    (one,) = found(rows(rates, every))
    assert (one.kind, "rate-jumps" in one.signs) == ("exploding", False)


def test_a_loss_that_stays_up_after_a_jump_of_the_rate_is_a_note_and_after_a_warm_restart_nothing(found):
    losses = np.where(STEPS < 120, 0.3 + 2 * np.exp(-STEPS / 30), 2.3) + 0.01 * np.sin(STEPS)
    noted = [{"step": s, "loss": loss, "lr": lr} for s, loss, lr in zip(range(300), losses, jump(120, 10), strict=True)]
    (one,) = found(noted)
    assert (one.kind, one.weight) == ("loss-jump", "note")
    assert "jumps 10-fold at step 120" in sentence(one)
    cycle = STEPS % 120
    rates = 0.0505 + 0.0495 * np.cos(np.pi * cycle / 120)
    losses = 0.3 + 2 * np.exp(-STEPS / 30) + 0.6 * (STEPS >= 120) * np.exp(-cycle / 40) + 0.01 * np.sin(STEPS)
    assert not found([{"step": s, "loss": x, "lr": lr} for s, x, lr in zip(range(300), losses, rates, strict=True)])
