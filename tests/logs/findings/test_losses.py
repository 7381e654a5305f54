"""What the loss shows by itself, at the edges of its criteria, and the runs that must not be accused."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.sentences import sentence

ORDINARY = 0.2


def rows(losses, norms=None, **columns):
    draw = np.random.default_rng(5)
    norms = np.exp(ORDINARY * draw.standard_normal(len(losses))) if norms is None else norms
    return [
        {"step": step, "loss": float(loss), "grad_norm": float(norm)}
        | {name: float(value(step)) for name, value in columns.items()}
        for step, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]


def noisy(level, noise, count=500, seed=0):
    return level + noise * np.random.default_rng(seed).standard_normal(count)


def kinds(findings):
    return [one.kind for one in findings]


# ---- a loss that doesn't move


@pytest.mark.parametrize("classes", [3, 10, 100, 1000])
def test_a_loss_at_the_logarithm_of_a_number_of_classes_is_a_guess_among_them(classes, found):
    (one,) = found(rows(noisy(np.log(classes), 0.02)))
    assert (one.kind, one.numbers["classes"]) == ("not-learning", classes)
    assert f"ln({classes:,})" in sentence(one)


def wandering(early, late=0.0, rows=60):
    """Return the losses of a guess whose first quarter wanders to and fro, and whose last tenth is lower."""
    times = np.arange(rows) / rows
    return noisy(np.log(10), 0.005, rows) + early * np.sin(25 * times) * (times < 0.25) - late * (times > 0.9)


@pytest.mark.parametrize(("early", "late", "is_found"), [(0.02, 0, True), (0.06, 0, False), (0.02, 0.03, False)])
def test_a_guess_may_wander_at_first_if_it_is_no_lower_at_the_end(early, late, is_found, found):
    assert ("not-learning" in kinds(found(rows(wandering(early, late))))) is is_found


def test_nothing_else_than_a_guess_from_the_first_rows_on_may_wander(found):
    assert found(rows(wandering(0.02) + 0.05)) == []
    assert found([row | {"step": row["step"] + 5000} for row in rows(wandering(0.02))]) == []


def test_a_quiet_loss_that_never_moves_is_not_learning_at_any_level(found):
    (one,) = found(rows(noisy(5.35, 0.03)))
    assert one.kind == "not-learning"
    assert "classes" not in one.numbers


def test_a_loss_of_one_value_in_every_row_names_what_does_not_train(found):
    (one,) = found(rows(np.full(60, 1.7)))
    assert one.kind == "not-learning"
    assert "constant" in one.signs


def test_a_plateau_whose_beginning_is_before_the_log_is_none(found):
    assert found([row | {"step": 50_000 + 10 * row["step"]} for row in rows(noisy(5.35, 0.03))]) == []


@pytest.mark.parametrize("norms", [np.geomspace(1, 0.01, 500), np.full(500, 1e-6)])
def test_a_plateau_with_a_falling_or_tiny_norm_has_converged(norms, found):
    assert found(rows(noisy(0.031, 0.0002), norms)) == []


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_noisy_plateau_is_no_proof(noise, found):
    assert found(rows(noisy(2.0, noise))) == []


def test_a_slow_but_steady_fall_is_learning(found):
    assert found(rows(2 - np.arange(100) / 1e4)) == []


def test_a_fall_within_the_first_rows_is_learning(found):
    losses = noisy(0.4, 0.002)
    losses[:3] = 2.3, 1.0, 0.6
    assert found(rows(losses)) == []


# ---- one that rises for good


def test_a_loss_that_rises_to_the_end_is_found_where_it_begins(found):
    losses = noisy(1.0, 0.01) + np.maximum(0, np.arange(500) - 250) * 0.02
    (one,) = found(rows(losses))
    assert one.kind == "loss-rises"
    assert abs(one.first_step - 250) < 12
    assert one.numbers["end"] > 5


@pytest.mark.parametrize(("rise", "is_found"), [(0.35, False), (0.5, True)])
def test_a_rise_is_two_fifths_of_the_best_loss(rise, is_found, found):
    losses = 1 + rise * np.maximum(0, np.arange(500) - 250) / 250
    assert ("loss-rises" in kinds(found(rows(losses)))) is is_found


def test_losses_of_both_signs_have_no_direction(found):
    draw = np.random.default_rng(0)
    assert found(rows(np.cumsum(0.1 * draw.standard_normal(500)))) == []
    assert found(rows(-1 + np.arange(500) / 100)) == []


def test_a_warm_restart_is_no_rise_and_no_jump(found):
    phase = np.arange(600) % 200
    rate = 0.5 * (1 + np.cos(np.pi * phase / 200))
    losses = 0.4 + 0.5 * rate + np.exp(-np.arange(600) / 100)
    assert found(rows(losses[:450], lr=lambda step: 0.1 * rate[step])) == []
    assert found(rows(losses[:450])) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_losses_of_a_game_that_wander_are_no_rise(seed, found):
    draw = np.random.default_rng(seed)
    walk = np.zeros(800)
    for step in range(1, 800):
        walk[step] = 0.97 * walk[step - 1] + 0.08 * draw.standard_normal()
    generator = (0.7 + 2.0 * (1 - np.exp(-np.arange(800) / 60))) * np.exp(walk)
    assert found(rows(generator)) == []
    assert found(rows(0.69 * np.exp(walk))) == []


# ---- one that jumps


def test_a_jump_that_stays_is_found_at_its_step(found):
    losses = noisy(2.5, 0.05) + 5 * (np.arange(500) >= 320)
    (one,) = found(rows(losses))
    assert (one.kind, one.first_step) == ("loss-jump", 320)
    assert one.numbers["before"] == pytest.approx(2.5, abs=0.05)
    assert one.numbers["after"] == pytest.approx(7.5, abs=0.2)


def test_a_jump_asks_for_the_gradient_norm_only_where_none_is_logged(found):
    logged = rows(noisy(2.5, 0.05) + 5 * (np.arange(500) >= 320))
    bare = [{"step": row["step"], "loss": row["loss"]} for row in logged]
    advices = [" ".join(advice_on(one.kind, one.signs)) for (one,) in (found(bare), found(logged))]
    assert ["log the gradient norm" in one for one in advices] == [True, False]


def test_a_jump_that_comes_back_is_none_but_a_spike(found):
    losses = noisy(2.5, 0.05) - np.arange(500) / 1000
    losses[320:335] += 5
    assert kinds(found(rows(losses))) == ["spikes"]


@pytest.mark.parametrize(("jump", "shown"), [(2, ["spikes"]), (5, ["spikes", "loss-jump"])])
def test_a_spike_of_the_gradient_explains_a_jump_but_for_one_to_twice_the_loss_that_stays(jump, shown, found):
    losses = noisy(2.5, 0.05) - np.arange(500) / 1000 + jump * (np.arange(500) >= 320)
    norms = np.where(np.arange(500) == 320, 900.0, np.exp(0.1 * np.random.default_rng(1).standard_normal(500)))
    assert kinds(found(rows(losses, norms))) == shown


def test_a_loss_that_comes_down_at_once_to_a_guess_is_lost(found):
    losses = np.concatenate([noisy(0.2, 0.02, 40), [8.4, 9.4], noisy(0.7, 0.01, 30)])
    norms = np.concatenate([noisy(4, 0.5, 40), [700, 600], noisy(0.02, 0.002, 30)])
    lost = found(rows(losses, norms))
    assert "loss-jump" in kinds(lost)
    assert "settled" in next(one for one in lost if one.kind == "loss-jump").signs


@pytest.mark.parametrize(("dies", "shown"), [(355, ["collapsed", "loss-jump"]), (321, ["collapsed"])])
def test_an_error_explains_a_jump_unless_that_came_before_it(dies, shown, found):
    losses = noisy(0.1, 0.005) + np.exp(-np.arange(500) / 80) + 3 * (np.arange(500) >= 320)
    norms = np.exp(ORDINARY * np.random.default_rng(1).standard_normal(500)) * np.where(np.arange(500) < dies, 1, 1e-9)
    assert kinds(found(rows(losses, norms))) == shown


def test_a_converged_loss_may_double(found):
    losses = 2 * np.exp(-np.arange(600) / 40) + 0.001
    losses[500:] += 0.002
    assert found(rows(losses)) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_loss_that_rises_from_the_start_may_be_a_critic_s(seed, found):
    draw = np.random.default_rng(seed)
    critic = (0.1 + 3 * np.linspace(0, 1, 600) ** 2) * np.exp(0.3 * draw.standard_normal(600))
    assert found(rows(critic)) == []


@pytest.mark.parametrize("count", [60, 2000])
def test_a_loss_that_falls_first_and_rises_then_is_found_in_logs_of_any_length(count, found):
    time = np.arange(count) / count
    losses = 0.5 + 2 * np.exp(-10 * time) + 2 * np.maximum(0, time - 0.6)
    (one,) = found(rows(losses + noisy(0, 0.05, count)))
    assert one.kind == "loss-rises"


def test_an_exponential_growth_of_the_loss_rises_and_does_not_jump_at_its_last_row(found):
    steps = np.arange(200)
    (one,) = found(rows((0.5 + 2 * np.exp(-steps / 30)) * 1.5 ** np.maximum(0, steps - 185)))
    assert (one.kind, one.first_step) == ("loss-rises", 186)
    (one,) = found(rows(1.5 * 1.05 ** np.maximum(0, steps - 60)))
    assert one.kind == "loss-rises"


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_that_jumps_to_new_data_and_learns_them_is_a_note(seed, found):
    draw, steps = np.random.default_rng(seed), np.arange(300)
    new = 0.3 + 1.7 * np.exp(-(steps - 120).clip(0) / 60)
    losses = 0.4 + 2 * np.exp(-steps / 25) + (steps >= 120) * new + 0.05 * draw.standard_normal(300)
    (one,) = found(rows(losses))
    assert (one.kind, one.weight) == ("loss-jump", "note")
    assert "new data" in sentence(one)


@pytest.mark.parametrize("first", [5, 15, 25])
def test_a_guess_that_moves_by_its_last_digit_is_one(first, found):
    (one,) = found([{"step": step, "loss": 2.30 if step < first else 2.29} for step in range(30)])
    assert (one.kind, one.numbers["classes"]) == ("not-learning", 10)


def test_another_loss_that_falls_by_its_last_digit_may_be_learning(found):
    assert not found([{"step": step, "loss": 2.46 if step < 15 else 2.45} for step in range(30)])


def test_a_jump_after_a_few_rows_that_no_later_row_takes_back_is_found(told):
    losses = [1.59, 1.41, 1.40, 1.38, 1.37, 1.36, 1.35, 1.36, 3.32, 6.44, *(5.2 + row % 3 / 9 for row in range(14))]
    verdict = told(*(f"Iter {25 * row}: Train loss {loss:.3f}" for row, loss in enumerate(losses))).verdict
    assert (verdict.status, verdict.first_step) == ("loss-jump", 225)
    back = [*losses[:-1], 1.3]
    assert (
        told(*(f"Iter {25 * row}: Train loss {loss:.3f}" for row, loss in enumerate(back))).verdict.status
        != "loss-jump"
    )


def test_a_loss_of_exactly_zero_in_every_row_is_not_learning_unless_it_is_of_a_policy(told):
    assert told(*(f"step {row} avr_loss=0" for row in range(24))).verdict.status == "not-learning"
    assert told(*(f"step {row} loss=0.0 reward=0.{row:02}" for row in range(24))).verdict.status == "healthy"
    assert told(*(f"step {row} loss=0.0 grad_norm=0.{row + 10}" for row in range(24))).verdict.status == "healthy"


# ---- a loss that is never as low again as in its first row


def too_large_steps(start=2.3, level=5.0, seed=0):
    """Return the losses of a run whose first step throws it far off, and that never settles."""
    return [start, *(level * np.exp(0.4 * np.random.default_rng(seed).standard_normal(119)))]


def test_a_loss_that_stays_above_its_first_row_is_a_note_with_a_rate_to_start_anew_with(found):
    (one,) = found(rows(too_large_steps()))
    assert (one.kind, one.weight, one.first_step, one.last_step) == ("loss-rises", "note", 0, 119)
    assert one.numbers["best"] == 2.3
    assert one.numbers["end"] > 1.4 * 2.3
    assert "leaves its first row, 2.30, upwards, and is no lower" in sentence(one)
    assert "start anew with a learning rate 3 to 10 times lower" in advice_on(one.kind, one.signs)[0]
    assert not any("a checkpoint before the rise" in line for line in advice_on(one.kind, one.signs))


def test_a_loss_that_leaps_and_comes_back_to_what_guessing_costs_is_such_a_note_too(found):
    (one,) = found(rows([2.28, 3.0, 18.5, 9.0, 4.0, *noisy(2.31, 0.03, 115)]))
    assert (one.kind, one.weight, one.signs[0]) == ("loss-rises", "note", "from-the-start")
    learnt = [2.28, 3.0, 18.5, 9.0, 4.0, *noisy(2.0, 0.03, 115)]
    assert "loss-rises" not in kinds(found(rows(learnt)))


@pytest.mark.parametrize(
    "losses",
    [
        too_large_steps(start=4.0),  # the first row is one like the others
        [*too_large_steps(), *[1.5] * 119],  # it comes back
        noisy(5.0, 0.5, 120),
    ],
)
def test_a_loss_that_is_ever_as_low_again_is_not_told_of(losses, found):
    assert "loss-rises" not in kinds(found(rows(losses)))


@pytest.mark.parametrize("name", ["reward", "rollout/ep_rew_mean", "rollout/exploration_rate", "td_loss", "qf1_loss"])
def test_nothing_is_said_of_a_policys_loss_above_its_first_row_nor_of_a_log_without_its_beginning(found, name):
    losses = too_large_steps()
    assert "loss-rises" in kinds(found(rows(losses, score=lambda step: 1.0)))
    assert "loss-rises" not in kinds(found(rows(losses, **{name: lambda step: 1.0})))
    assert "loss-rises" not in kinds(found([row | {"step": row["step"] + 1000} for row in rows(losses)]))


def test_a_loss_that_ends_ten_times_above_where_it_jumped_from_learnt_no_new_data(found):
    losses = np.concatenate([np.full(10, 1.4), np.geomspace(400, 60, 40), noisy(35, 0.5, 250)])
    (one,) = found([{"step": step, "loss": float(loss)} for step, loss in enumerate(losses)])
    assert (one.kind, one.weight) == ("loss-jump", "warning")
