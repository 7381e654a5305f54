"""What a course of losses comes to: one that rises by more than its batches differ, and one that stays at a guess."""

import math

import numpy as np
import pytest

from gradcheck.probing.progress import rises, still_guesses


def noise(count, seed=0, size=0.3):
    """Losses of batches that differ, around 1."""
    return (1 + size * np.random.default_rng(seed).standard_normal(count)).clip(0.1).tolist()


@pytest.mark.parametrize(("losses", "one_batch", "does"), [
    ([1 + step / 20 for step in range(21)], True, True),
    ([1 + step / 20 for step in range(21)], False, True),
    ([1 - step / 40 for step in range(21)], True, False),
    ([1.0, 5, 4, 3, 2, 1.5, 1.05, 1, 0.9, 0.8], True, False),  # a step too large at first
    ([1.0, 5, 4, 3, 2, 1.9, 1.8, 1.7, 1.6, 1.5], True, True),
    ([1.0, 2, 3, 4], True, False),  # four steps may be Adam's first
])  # fmt: skip
def test_a_loss_rises_that_ends_clearly_above_its_start(losses, one_batch, does):
    assert rises(losses, losses[-1], one_batch=one_batch) == does


def test_batches_that_differ_do_not_rise():
    assert not any(rises(noise(41, seed), 1.5 * noise(41, seed)[0], one_batch=False) for seed in range(300))


def test_a_rise_is_told_from_noise_of_half_its_size():
    found = [
        rises([one + 2 * step / 40 for step, one in enumerate(noise(41, seed, 0.3))], 3.0, one_batch=False)
        for seed in range(100)
    ]
    assert sum(found) > 95


def test_a_loss_is_at_a_guess_where_it_stays_there():
    assert still_guesses([0.7, 0.69, 0.7, 0.69, 0.7, 0.69], [0.693] * 6) == pytest.approx((0.695, 0.693))
    assert still_guesses([0.7, 0.6, 0.5, 0.4, 0.3, 0.2], [0.693] * 6) is None
    assert still_guesses([9.0, 7, 5, 3, 2, 1], [0.693] * 6) is None  # it falls, if it hasn't got there yet
    assert still_guesses([0.7] * 6, [math.nan] * 6) is None
