"""A loss that gets nowhere from its first row on, and what moves beside a loss that rises."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.findings.sentences import sentence

STEPS = np.arange(200)


def rows(losses, norms=None, **columns):
    return [
        {"step": step, "loss": float(loss)}
        | ({} if norms is None else {"grad_norm": float(norms[step])})
        | {name: values[step] for name, values in columns.items()}
        for step, loss in enumerate(losses)
    ]


def noisy(losses, noise=0.1, seed=0):
    return losses * np.exp(noise * np.random.default_rng(seed).standard_normal(len(losses)))


# ---- it swings


@pytest.mark.parametrize(
    ("losses", "period"),
    [(2 + 0.5 * (-1.0) ** STEPS, 2), (2 + np.sin(STEPS / 3), 18), (2 + np.cos(STEPS[:60] / 3), 18)],
)
def test_a_loss_that_swings_from_the_first_rows_on_and_never_falls_is_a_note(losses, period, found):
    (one,) = found(rows(noisy(losses, 0.02)))
    assert (one.kind, one.weight, one.numbers["rows"]) == ("not-learning", "note", period)
    assert f"to and fro in {period} rows" in sentence(one)
    assert "the next one comes back" in advice_on(one.kind, one.signs)[0]


@pytest.mark.parametrize(
    "losses",
    [
        2 + 0.5 * np.random.default_rng(0).standard_normal(200).clip(-2, 2),
        np.exp(0.8 * np.random.default_rng(1).standard_normal(200)),
        3 * np.exp(-STEPS / 100) * (1 + 0.2 * (-1.0) ** STEPS),
        2 + 0.02 * (-1.0) ** STEPS + 0.03 * np.random.default_rng(2).standard_normal(200),
    ],
)
def test_noise_and_a_swing_that_falls_are_none(losses, found):
    assert found(rows(losses)) == []


def test_a_swing_whose_beginning_is_before_the_log_is_none(found):
    assert found([row | {"step": 90_000 + row["step"]} for row in rows(2 + 0.5 * (-1.0) ** STEPS)]) == []


# ---- it blows up in the first rows


@pytest.mark.parametrize("count", [30, 100, 500])
@pytest.mark.parametrize("factor", [10, 100])
@pytest.mark.parametrize(("at", "over"), [(3, 1), (3, 5), (8, 1), (6, 5)])
def test_a_loss_that_blows_up_within_the_first_rows_is_told(count, factor, at, over, found):
    risen = np.clip((np.arange(count) - at) / over, 0, 1)
    told = found(rows(noisy(2.3 * factor**risen)))
    assert {one.kind for one in told} <= {"loss-rises", "loss-jump", "exploding"}
    assert told


def test_a_loss_that_rises_bit_by_bit_is_not(found):
    assert not [one for one in found(rows(noisy(np.linspace(1, 6, 30), 0.02))) if "from-the-start" in one.signs]


def test_a_loss_of_exactly_zero_in_between_does_not_hide_it(found):
    losses = np.where(STEPS < 2, 1.3, noisy(np.full(200, 25.0), 0.5))
    losses[35] = 0
    (one,) = found(rows(losses))
    assert (one.kind, one.weight) == ("loss-rises", "note")


# ---- the norm beside a loss that rises


def test_a_norm_that_grows_beside_a_rising_loss_is_said(found):
    losses = np.concatenate([np.linspace(4, 1, 100), np.linspace(1, 3, 100)])
    norms = noisy(np.concatenate([np.full(100, 1.0), np.geomspace(1, 50, 60), np.full(40, 50.0)]), 0.1)
    (one,) = [one for one in found(rows(losses, norms)) if one.kind == "loss-rises"]
    assert 1.6 < one.numbers["log10_norm_growth"] < 1.8
    assert "for good; the gradient norm grows " in sentence(one)
    assert "-fold beside it" in sentence(one)
    assert any("the gradient grows with the loss" in line for line in advice_on(one.kind, one.signs))


def test_a_norm_that_does_not_is_not(found):
    losses = np.concatenate([np.linspace(4, 1, 100), np.linspace(1, 3, 100)])
    (one,) = [one for one in found(rows(losses, noisy(np.full(200, 1.0)))) if one.kind == "loss-rises"]
    assert "beside" not in sentence(one)


# ---- a loss scale that moves


@pytest.mark.parametrize(
    ("scales", "dynamic"), [(np.full(60, 1024.0), False), (2.0 ** (16 - np.arange(60) // 5), True)]
)
def test_a_scale_that_moves_is_not_advised_to_move(scales, dynamic, series_of):
    losses = np.where(np.arange(60) < 50, np.linspace(3, 2, 60), np.nan)
    lines = [row | {"loss_scale": float(scale)} for row, scale in zip(rows(losses), scales, strict=True)]
    for line in lines[50:]:
        line["loss"] = "NaN"
    (one,) = [one for one in find_all(series_of(lines)) if one.kind == "nonfinite"]
    advice = " ".join(advice_on(one.kind, one.signs))
    assert ("scale the loss dynamically" in advice) is not dynamic
    assert ("the dynamic one doesn't help" in advice) is dynamic


# ---- it rises, or stays, by design


def filling(highest=9.4, last=7.5, noise=0.01):
    """A loss over a queue of negatives that fills: it rises at first, and falls since."""
    rise = 5.5 + (highest - 5.5) * (1 - np.exp(-STEPS / 5))
    return noisy(rise - (highest - last) * np.clip(STEPS - 25, 0, None) / 175, noise)


def test_of_a_loss_that_falls_from_where_it_rose_to_at_first_it_is_said_and_no_fault(found):
    (one,) = found(rows(filling()))
    assert (one.weight, one.signs) == ("note", ("from-the-start", "falls-since"))
    assert sentence(one).endswith("; from 9.34 on it falls, to 7.55")
    assert "rises by design" in advice_on(one.kind, one.signs)[0]


@pytest.mark.parametrize("losses", [filling(last=9.4), filling(highest=20.0, last=15.0)])
def test_one_that_stays_up_or_leaps_is_not_said_to_fall(losses, found):
    (one,) = found(rows(losses))
    assert one.signs == ("from-the-start",)
    assert "falls" not in sentence(one)


def test_a_loss_that_surely_falls_by_little_is_not_said_to_stay_where_it_is(found):
    assert found(rows(noisy(13.3 - 0.0012 * STEPS, 0.005))) == []
    assert [one.kind for one in found(rows(noisy(np.full(200, 13.3), 0.005)))] == ["not-learning"]


def test_a_loss_at_the_logarithm_of_a_queue_may_stay_there_for_some_epochs(found):
    (one,) = found(rows(noisy(np.full(200, np.log(65536)), 1e-4)))
    assert "may stay there for the first epochs" in advice_on(one.kind, one.signs)[0]
    (one,) = found(rows(noisy(np.full(200, np.log(50257)), 1e-4)))
    assert "queue" not in one.signs


# ---- it falls once, and no more


def fallen(to, noise=0.03, slope=0.0, rows_before=1, count=80):
    """Return losses that fall from 5.7 within few rows, and by a part of the loss since."""
    before = np.linspace(5.7, to, rows_before + 1)[:-1]
    return np.append(before, noisy(to * (1 - slope * np.arange(count) / count), noise))


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        (fallen(3.09), True),
        (fallen(3.09, slope=0.1), False),
        (fallen(3.09, noise=0.1), False),  # how far it fell is not known
        (fallen(2.7), False),  # it may have converged
        (fallen(5.3), False),
        (fallen(3.09, rows_before=8), False),
    ],
)
def test_a_loss_that_falls_in_its_first_rows_and_hardly_since_is_a_note(losses, told, found):
    notes = [one for one in found(rows(losses)) if "still" in one.signs]
    assert bool(notes) is told
    assert all((one.kind, one.weight, one.first_step) == ("not-learning", "note", 1) for one in notes)
    assert all("falls from 5.70 to 3." in sentence(one) for one in notes)
    assert all("by step 1, and hardly since" in sentence(one) for one in notes)
    assert all("as low as the task allows" in advice_on(one.kind, one.signs)[0] for one in notes)
    assert not any("tenfold" in line for one in notes for line in advice_on(one.kind, one.signs))


def test_with_a_norm_that_falls_beside_it_the_loss_has_converged(found):
    norms = 10.0 ** -np.linspace(0, 2, 81)
    assert not any("still" in one.signs for one in found(rows(fallen(3.09), norms)))


# ---- it is that of a guess, and noisy


def guessing(count=60, classes=4, noise=0.08, seed=0, fall=0.0):
    course = np.log(classes) - np.linspace(0, fall, count)
    return course + noise * np.random.default_rng(seed).standard_normal(count)


@pytest.mark.parametrize("classes", [3, 4, 5])
def test_a_noisy_loss_that_is_a_guess_on_average_and_never_falls_is_a_note(classes, found):
    (one,) = found(rows(guessing(classes=classes)))
    assert (one.kind, one.weight, one.signs, one.numbers["classes"]) == (
        "not-learning", "note", ("at-chance",), classes,
    )  # fmt: skip


@pytest.mark.parametrize(
    "losses",
    [
        guessing(fall=0.3),  # it learns, if slowly
        guessing() + 0.1,  # no guess
        guessing(classes=12, noise=0.3),  # so noisy that it is near some logarithm by chance
        np.append(2.5, guessing()),  # it has fallen
    ],
)
def test_other_noisy_losses_are_not_called_guesses(losses, found):
    assert not [one for one in found(rows(losses)) if "at-chance" in one.signs]


def uneven(count=60, noise=0.022, seed=0):
    """Noise about one: its mean and its slope are none."""
    course = np.random.default_rng(seed).standard_normal(count)
    course -= np.polyval(np.polyfit(np.arange(count), course, 1), np.arange(count))
    return 1 + noise * course / course.std()


@pytest.mark.parametrize("classes", [3, 4, 5])
def test_a_quiet_loss_just_below_a_guess_is_one_of_classes_that_are_not_equally_frequent(classes, found):
    (one,) = found(rows(np.log(classes) * 0.989 * uneven(seed=classes), np.full(60, 0.5)))
    assert (one.weight, one.signs, one.numbers["classes"]) == ("note", ("at-chance",), classes)
    assert f"just below ln({classes}): what a guess among {classes} classes costs if some are" in sentence(one)


@pytest.mark.parametrize(
    "losses",
    [
        np.log(4) * 0.97 * uneven(),  # too far below
        np.log(4) * np.linspace(0.999, 0.97, 60) * uneven(),  # it learns, if slowly
        np.log(4) * 0.981 * (1 + 3 * (uneven() - 1)),  # the batches of a guess differ by less
        np.log(9) * 0.989 * uneven(),  # of so many classes each loss is near some
    ],
)
def test_other_losses_below_a_guess_are_none(losses, found):
    assert found(rows(losses, np.full(60, 0.5))) == []


def test_a_loss_that_falls_to_a_guess_by_less_than_a_hundredth_is_a_note(found):
    (one,) = found(rows(np.log(4) + 0.006 * np.exp(-np.arange(24) / 10)))
    assert (one.weight, one.signs) == ("note", ("at-chance",))


def test_a_loss_that_is_a_guess_in_the_whole_log_is_not_said_to_fall_at_first_as_well(found):
    losses = guessing(600, noise=0.05)
    losses[0] = 1.6
    assert [one.signs for one in found(rows(losses)) if one.kind == "not-learning"] == [("at-chance",)]


# ---- it explodes at once


def test_a_loss_that_explodes_at_once_and_comes_back_no_lower_is_a_warning(found):
    losses = noisy(np.full(200, 38.0))
    losses[:6] = 1.41, 950, 7.6e9, 5.5e18, 3.4e28, 1.8e15
    (one,) = [one for one in found(rows(losses)) if one.kind == "loss-rises"]
    assert one.weight == "warning"
    assert "leaves its first row, 1.41, upwards, to 3.4e+28, and is no lower" in sentence(one)


def test_the_gradient_norm_is_asked_for_only_where_there_is_none(found):
    losses, norms = noisy(np.where(STEPS < 150, 1.4, 60.0), 0.02), np.where(STEPS < 150, 1.0, 20.0)
    for beside, asked in ((None, True), (noisy(norms), False)):
        (one,) = [one for one in found(rows(losses, beside)) if one.kind == "loss-jump"]
        assert any("log the gradient norm" in line for line in advice_on(one.kind, one.signs)) is asked
