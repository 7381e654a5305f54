"""Spikes of the loss below a decade: found in a quiet loss, silent where they are noise, its schedule or its epochs."""

import numpy as np
import pytest

from gradcheck import diagnose

AT = (130, 201, 310)


def falling(draw, rows=400, noise=0.05):
    return (0.35 + 2 * np.exp(-8 * np.arange(rows) / rows)) * np.exp(noise * draw.standard_normal(rows))


def jumping(draw, height, places=AT, back=3.0):
    losses = falling(draw)
    for place in places:
        losses[place:] += height * np.exp(-np.arange(len(losses) - place) / back)
    return losses


def spikes_in(losses, **others):
    columns = {"step": list(range(len(losses))), "loss": losses.tolist()}
    columns |= {name: one.tolist() for name, one in others.items()}
    return [one for one in diagnose(columns).findings if one.kind == "spikes"]


@pytest.mark.parametrize(("height", "found"), [(0.1, 0), (0.8, 3), (2.5, 3)])
@pytest.mark.parametrize("back", [0.4, 4.0])
def test_a_loss_that_jumps_and_comes_back_several_times_has_as_many_spikes(height, found, back, rng):
    assert sum(one.numbers["spikes"] for one in spikes_in(jumping(rng, height, back=back))) == found


def test_it_is_a_note_that_says_how_much_the_loss_varies_otherwise(rng):
    (found,) = spikes_in(jumping(rng, 2.5))
    assert (found.severity, found.first_step) == ("note", AT[0])
    assert "as a rule, and it comes back" in found.message


@pytest.mark.parametrize("noise", ["lognormal", "gamma", "heavy"])
def test_a_loss_of_small_batches_has_none(noise, rng):
    draws = {
        "lognormal": np.exp(0.4 * rng.standard_normal(400)),
        "gamma": 0.01 + rng.gamma(1.5, 1, 400),
        "heavy": 1 + 0.3 * rng.pareto(2.5, 400),
    }
    assert spikes_in(falling(rng, noise=0.0) * draws[noise]) == []


def test_hard_batches_that_come_again_and_again_are_no_spikes(rng):
    assert spikes_in(falling(rng) * np.where(rng.random(400) < 0.03, 1.75, 1.0)) == []


def test_a_loss_that_rises_with_each_restart_of_its_learning_rate_has_no_spike(rng):
    rates = 1e-3 * np.cos(np.pi / 2 * (np.arange(400) % 130) / 130)
    losses = jumping(rng, 0.8, (130, 260, 390))
    losses[:130], losses[261] = falling(rng)[:130], 1.2
    assert spikes_in(losses, lr=rates) == []


def test_what_comes_once_an_epoch_is_how_the_loss_is_logged(rng):
    assert spikes_in(jumping(rng, 1.0, (80, 160, 240, 320))) == []


def test_a_multiple_of_next_to_nothing_is_no_spike(rng):
    losses = np.exp(-12 * np.arange(400) / 400) * np.exp(0.02 * rng.standard_normal(400))
    losses[[210, 301, 345]] *= 6
    assert spikes_in(losses) == []


def test_where_the_norm_is_as_usual_the_advice_asks_how_the_loss_is_logged(rng):
    quiet = np.exp(0.2 * rng.standard_normal(400))
    (found,) = spikes_in(jumping(rng, 2.5), grad_norm=quiet)
    assert "the gradients of these steps are as usual" in found.advice[0]


def test_the_first_rows_of_an_epoch_may_be_means_of_a_batch_or_two(rng):
    losses, epochs = falling(rng, noise=0.02), np.arange(400) // 100
    losses[200] *= 2
    assert spikes_in(losses, epoch=epochs.astype(float)) == []
    assert len(spikes_in(losses)) == 1


def test_a_spike_beside_a_lower_jump_that_is_none_is_found_all_the_same(rng):
    losses = falling(rng, noise=0.02)
    losses[[150, 270]] *= (1.7, 2.1)
    (found,) = spikes_in(losses)
    assert found.numbers["highest_step"] == 270
