"""Growth at the edges of its criteria: courses without chance, just below and just above."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.growth import find_exploding, find_growth
from gradcheck.logs.findings.sentences import sentence
from gradcheck.logs.findings.spikes import find_spikes

WORSE, BETTER = np.linspace(1, 9, 120), np.linspace(9, 1, 120)


def blocks(*medians):
    """Levels of which medians of three are these."""
    return np.repeat(np.concatenate([np.atleast_1d(part) for part in medians]), 3)


def ramp(last, count=10):
    """Levels from zero, and after it in equal steps up to the last."""
    return np.linspace(0, last, count + 1)[1:]


@pytest.fixture
def grown(track_of, course):
    """Levels, perhaps losses ↦ the growth to their end."""
    return lambda levels, loss=None: find_growth(track_of(levels), course(levels, loss))


@pytest.mark.parametrize("base", [0, -30, 30])
@pytest.mark.parametrize(("rise", "found"), [(1.99, False), (2.01, True)])
def test_growth_is_two_decades_at_any_size(base, rise, found, grown):
    one = grown(base + blocks(np.zeros(30), ramp(rise)))
    assert (one is not None) is found
    if one:
        assert one.rise == pytest.approx(rise)
        assert one.base == base


@pytest.mark.parametrize(("times", "found"), [(0.98, False), (1.02, True)])
def test_and_eight_deviations_of_the_medians(times, found, grown, zigzag):
    noise = zigzag(40, 0.3)
    medians = np.concatenate([noise, noise[0] + ramp(times * 8 * 0.3, 4)])  # the first is the lowest: the base
    assert (grown(np.repeat(medians, 3)) is not None) is found


@pytest.mark.parametrize(("rise", "found"), [(2.99, False), (3.01, True)])
def test_while_the_loss_gets_better_it_is_three_decades(rise, found, grown):
    levels = blocks(np.zeros(30), ramp(rise))
    assert (grown(levels, BETTER) is not None) is found
    assert grown(levels, WORSE) is not None


@pytest.mark.parametrize(("before", "found"), [(1.99, True), (2.01, False)])
def test_the_end_is_a_decade_above_all_that_was_before(before, found, grown):
    levels = blocks(np.full(10, before), np.zeros(20), ramp(3))
    assert (grown(levels) is not None) is found


@pytest.mark.parametrize(("dip", "base"), [(0.49, 0), (0.51, 0.99)])
def test_growth_may_come_down_by_half_a_decade_on_its_way(dip, base, grown):
    held, low = np.full(30, 1.5), np.full(30, 1.5 - dip)  # long enough for medians of any scale
    one = grown(blocks(np.zeros(60), ramp(1.5), held, low, 1.5 - dip + ramp(3)))
    assert one.base == pytest.approx(base)


@pytest.mark.parametrize(("times", "starts_anew"), [(0.97, False), (1.03, True)])
def test_and_by_five_deviations_of_the_medians(times, starts_anew, grown, zigzag):
    fall = times * 5 * 0.3 - np.ptp(zigzag(10, 0.3))  # from the highest before the dip to the lowest in it
    course = np.concatenate([np.zeros(60), ramp(2), np.full(30, 2.0), np.full(30, 2 - fall), 2 - fall + ramp(4)])
    one = grown(np.repeat(course + zigzag(len(course), 0.3), 3))
    assert (one.base > 0) is starts_anew


def test_growth_that_noise_hides_in_medians_of_three_rows_shows_in_those_of_more(grown, monkeypatch):
    noise = 0.8 * np.random.default_rng(0).standard_normal(810)
    levels = noise + np.maximum(0, np.linspace(-2.4, 2.4, 810))
    assert grown(levels) is not None
    monkeypatch.setattr("gradcheck.logs.findings.growth.SCALES", (3,))
    assert grown(levels) is None


@pytest.mark.parametrize(("half_way", "found"), [(2.2, True), (2.3, False)])
def test_a_quarter_of_the_rise_is_in_its_second_half_unless_the_loss_got_worse(half_way, found, grown):
    levels = blocks(0, ramp(half_way, 5), half_way + ramp(3 - half_way, 5))  # so short that no coarser scale fits
    assert (grown(levels) is not None) is found
    assert grown(levels, WORSE[: len(levels)]) is not None


@pytest.mark.parametrize(("rows", "found"), [(11, False), (12, True)])
def test_four_blocks_of_three_are_a_course_and_fewer_are_not(rows, found, grown):
    assert (grown(np.linspace(0, 5, rows)) is not None) is found


def test_nothing_and_constants_do_not_grow(grown, course):
    assert grown(np.full(100, -7.0)) is None
    assert find_exploding(course(np.full(100, -7.0))) == find_spikes(course(np.full(100, -7.0))) == []


@pytest.mark.parametrize(("prelude", "begin"), [(0.29, 36), (0.31, 27)])
def test_growth_begins_after_the_last_rows_within_a_third_of_a_decade(prelude, begin, grown):
    one = grown(blocks(np.zeros(10), np.full(3, prelude), ramp(9, 9)))
    assert one.begin == begin


def test_of_scales_that_show_much_the_same_the_finest_counts(grown):
    assert grown(np.linspace(0, 6, 324)).rise == pytest.approx(6 * 321 / 323)


@pytest.mark.parametrize(
    ("between", "how"), [([], "at once"), ([2.5], "at once"), ([1.5, 2, 2.5, 3, 3.5, 4, 4.5], "a step")]
)
def test_a_jump_within_three_steps_is_at_once_and_a_longer_rise_has_a_rate(between, how, course):
    levels = np.concatenate([np.zeros(30), between, np.full(30 - len(between), 5.0)])
    (one,) = find_exploding(course(levels, WORSE[:60]))
    assert how in sentence(one)
    assert one.first_step == 30  # the first that is up


def test_growth_that_ends_in_what_is_not_finite_is_found_up_to_there(course):
    levels = np.concatenate([blocks(np.zeros(30), ramp(3)), np.full(4, np.nan)])
    (one,) = find_exploding(course(levels))
    assert one.last_step == 119


def test_a_log_without_norms_grows_in_its_loss(course):
    (one,) = find_exploding(course(loss=10 ** blocks(np.zeros(30), ramp(4))))
    assert sentence(one).startswith("the loss grows")


@pytest.mark.parametrize("rate", [1.08, 1.3, 3.0, *(pytest.param(one, marks=pytest.mark.slow) for one in (1.15, 1.6))])
@pytest.mark.parametrize(("noise", "rows"), [(0.02, 3), (0.08, 4)])
def test_growth_begins_at_the_step_after_the_last_ordinary_one(rate, noise, rows, course):
    errors = []
    for seed in range(8):
        draw = np.random.default_rng(seed)
        onset = int(draw.integers(60, 90))
        steps = np.arange(onset + int(5 / np.log10(rate)) + 6)
        levels = noise * draw.standard_normal(len(steps)) + np.log10(rate) * np.maximum(0, steps - onset)
        (one,) = find_exploding(course(levels, 2 + steps / 100))
        errors.append(one.first_step - onset - 1)
    assert max(map(abs, errors)) <= rows
    assert abs(np.median(errors)) <= 1


def test_where_steps_are_far_apart_the_factor_is_that_of_a_row(series_of):
    levels = 1.15 ** np.maximum(0, np.arange(200) - 120)
    rows = [{"step": 500 * at, "loss": 1 + at / 100, "grad_norm": float(one)} for at, one in enumerate(levels)]
    (one,) = find_exploding(series_of(rows))
    assert one.first_step == 121 * 500
    assert "by a factor of 1.15 a row, every 500 steps" in sentence(one)


@pytest.mark.parametrize("rows", [6, 12, 30, 100])
@pytest.mark.parametrize("begin", [[1e-9], [1e-9, 2e-9], [1e-9, 3e-8, 2e-8, 5e-9], [1e-10] * 6, [1e-7, 1e-3]])
def test_a_ratio_to_rounding_is_no_growth(begin, rows, found):
    draw = np.random.default_rng(0)
    losses = [*begin, *(0.5 * draw.uniform(0.9, 1.1, rows))]
    kinds = {one.kind for one in found([{"step": step, "loss": float(one)} for step, one in enumerate(losses)])}
    assert kinds <= {"too-short"}


def test_growth_after_rounding_is_growth(found):
    losses = [1e-9, 2e-9, *[0.5] * 40, *(0.5 * 1.5**at for at in range(30))]
    kinds = {one.kind for one in found([{"step": step, "loss": float(one)} for step, one in enumerate(losses)])}
    assert "exploding" in kinds


@pytest.mark.parametrize(
    ("onset", "every", "offset", "soon"), [(3, 1, 0, True), (40, 1, 0, False), (3, 100, 0, False), (3, 1, 500, False)]
)
def test_growth_right_after_the_start_is_told_to_start_anew_and_no_checkpoint_is_named(
    onset, every, offset, soon, found
):
    norms = np.exp(0.1 * np.random.default_rng(0).standard_normal(60)) * 1.6 ** np.maximum(0, np.arange(60) - onset)
    rows = [
        {"step": offset + every * at, "loss": 2 + at / 20, "grad_norm": float(norm)} for at, norm in enumerate(norms)
    ]
    one = found(rows)[0]
    advice = " ".join(advice_on(one.kind, one.signs))
    assert one.kind == "exploding"
    assert ("start anew with a learning rate" in advice, "go back to a checkpoint" in advice) == (soon, not soon)
