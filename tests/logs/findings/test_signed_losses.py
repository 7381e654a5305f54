"""Losses of any sign: what they show is how far they moved, wherever their zero is."""

import numpy as np
import pytest

from gradcheck.logs.findings.signed_losses import find_signed

STEPS = np.arange(300)
FALLING = 2 * np.exp(-STEPS / 50)


def noise(seed=0):
    return 0.02 * np.random.default_rng(seed).standard_normal(300)


@pytest.mark.parametrize("offset", [-3.0, -100.0])
def test_a_loss_that_falls_is_healthy_wherever_its_zero_is(offset, course):
    assert find_signed(course(loss=FALLING + noise() + offset)) == []


@pytest.mark.parametrize("offset", [-3.0, -100.0])
def test_one_that_loses_all_that_it_had_gained_rises(offset, course):
    losses = FALLING + noise() + 0.03 * np.maximum(0, STEPS - 150) + offset
    (one,) = find_signed(course(loss=losses))
    assert one.kind == "loss-rises"
    assert 140 <= one.first_step <= 190


@pytest.mark.parametrize("offset", [-3.0, -100.0])
@pytest.mark.parametrize(("jump", "found"), [(1.0, False), (3.0, True)])
def test_one_that_jumps_by_more_than_it_had_moved_has_jumped(offset, jump, found, course):
    findings = find_signed(course(loss=FALLING + noise() + jump * (STEPS >= 200) + offset))
    assert [(one.kind, one.first_step) for one in findings] == [("loss-jump", 200)] * found


def test_one_of_a_single_value_does_not_move(course):
    (one,) = find_signed(course(loss=np.full(60, -1.7)))
    assert (one.kind, one.signs) == ("not-learning", ("constant",))


@pytest.mark.parametrize("seed", range(10))
def test_rewards_that_wander_have_no_direction(seed, course):
    draw = np.random.default_rng(seed)
    assert find_signed(course(loss=np.cumsum(0.1 * draw.standard_normal(300)) - 1)) == []
    assert find_signed(course(loss=draw.standard_normal(300))) == []


def test_losses_above_zero_are_judged_elsewhere(course):
    assert find_signed(course(loss=FALLING + 1 + 3 * (STEPS >= 200))) == []
