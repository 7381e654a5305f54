"""Gradients that are too small, at the edges of their criteria: just below, and just above."""

import numpy as np
import pytest

from gradcheck.logs.findings.causes import advice_on
from gradcheck.logs.findings.decay import find_collapsed, find_vanishing
from gradcheck.logs.findings.sentences import sentence

UNITS = pytest.mark.parametrize("base", [0, -30, 30])
WORSE, BETTER = np.linspace(1, 9, 100), np.linspace(9, 1, 100)


def steps(*parts):
    """Levels and for how many rows, in turn."""
    return np.concatenate([np.full(rows, float(level)) for level, rows in parts])


@pytest.fixture
def layered(course):
    """Each layer's level, or its levels, perhaps losses ↦ the series of a hundred rows."""

    def series(*levels, loss=None, rows=100, base=0):
        layers = {f"layer{at}": base + np.broadcast_to(level, rows) for at, level in enumerate(levels)}
        return course(loss=None if loss is None else loss[:rows], **layers)

    return series


# ---- from the start


@UNITS
@pytest.mark.parametrize(("lost", "found"), [(2.99, False), (3.01, True)])
def test_first_layers_vanish_below_a_thousandth_of_the_last_at_any_size(base, lost, found, layered):
    kept = [find_vanishing(layered(-lost, 0, 0, 0, base=base, loss=loss)) for loss in (None, BETTER)]
    assert [bool(one) for one in kept] == [found, found]
    assert all(one.layers == ("layer0",) for (one,) in filter(None, kept))


@pytest.mark.parametrize(("lost", "found"), [(2.29, False), (2.31, True)])
def test_where_the_loss_never_gets_better_below_a_two_hundredth(lost, found, layered):
    assert bool(find_vanishing(layered(-lost, 0, 0, 0, loss=WORSE))) is found


@pytest.mark.parametrize(("low", "found"), [(23, False), (24, True)])
def test_a_plateau_lasts_for_a_quarter_of_the_run(low, found, layered):
    assert bool(find_vanishing(layered(steps((-5, low), (0, 100 - low)), 0, 0, 0))) is found


@pytest.mark.parametrize(("alive", "found"), [(2, True), (3, False)])
def test_most_of_the_first_fifth_of_that_quarter_is_low_already(alive, found, layered):
    assert bool(find_vanishing(layered(steps((0, alive), (-5, 100 - alive)), 0, 0, 0))) is found


@pytest.mark.parametrize(("lost", "found"), [(2, False), (3, True)])
def test_seventy_percent_of_the_first_layers_are_lost(lost, found, layered):
    """Of three it is two thirds, of four three quarters."""
    assert bool(find_vanishing(layered(0, *[-5] * lost, *[0] * (20 - lost)))) is found


@pytest.mark.parametrize(("layers", "found"), [(30, True), (31, False)])
def test_a_tenth_of_all_layers_is_lost_at_least(layers, found, layered):
    assert bool(find_vanishing(layered(*[-5] * 3, *[0] * (layers - 3)))) is found


def test_the_last_quarter_of_the_layers_is_what_others_are_held_against(layered):
    assert find_vanishing(layered(-5, -5, -5, *[0] * 6, *[-5, -5, -5])) == []
    assert find_vanishing(layered(-5, -5, -5, *[-5] * 6, *[0, 0, -5])) != []


@pytest.mark.parametrize(("rows", "found"), [(2, False), (3, True)])
def test_three_rows_are_a_start(rows, found, layered):
    assert bool(find_vanishing(layered(-5, 0, 0, rows=rows))) is found


@pytest.mark.parametrize(("layers", "found"), [(2, False), (3, True)])
def test_three_layers_have_a_first_and_a_last(layers, found, layered):
    assert bool(find_vanishing(layered(-5, *[0] * (layers - 1)))) is found
    assert bool(find_vanishing(layered(-5, *[0] * (layers - 1), np.full(100, np.nan)))) is found


@pytest.mark.parametrize(
    ("levels", "between"),
    [
        (-5, (0, 99)),
        (steps((-5, 60), (0, 40)), (0, 59)),
        (steps((-5, 60), (0, 20), (-5, 1), (0, 19)), (0, 59)),  # one row alone is chance
        (steps((0, 2), (-5, 98)), (2, 99)),
        (steps((0, 1), (-2.9, 1), (-5, 58), (0, 40)), (2, 59)),
    ],
)
def test_it_begins_and_ends_where_layers_are_lost(levels, between, layered):
    (one,) = find_vanishing(layered(levels, 0, 0, 0))
    assert (one.first_step, one.last_step) == between


def test_where_the_first_rows_are_ordinary_the_steps_are_to_blame_and_not_the_initialisation(layered):
    later, always = (find_vanishing(layered(levels, 0, 0, 0))[0] for levels in (steps((0, 2), (-5, 98)), -5))
    assert later.numbers["ordinary_until"] == 1
    assert "up to step 1 none of them did" in sentence(later)
    assert "learning rate 3 to 10 times lower" in advice_on(later.kind, later.signs)[0]
    assert "--rate" in advice_on(later.kind, later.signs)[1]
    assert not any("initialisation or activation" in line for line in advice_on(later.kind, later.signs))
    assert "initialisation or activation" in advice_on(always.kind, always.signs)[0]
    assert "ordinary_until" not in always.numbers


@pytest.mark.parametrize(("before", "ordinary"), [(-1.99, True), (-2.01, False)])
def test_ordinary_rows_are_a_decade_from_being_lost(before, ordinary, layered):
    (one,) = find_vanishing(layered(steps((before, 2), (-5, 98)), 0, 0, 0))
    assert ("ordinary-first" in one.signs) is ordinary


def test_rows_without_a_norm_of_each_layer_are_not_ordinary_ones(layered):
    (one,) = find_vanishing(layered(steps((np.nan, 2), (-5, 98)), 0, 0, 0))
    assert (one.first_step, one.signs) == (2, ())


@pytest.mark.parametrize("ends", [(20, 40, 60), (50, 50, 50)])
def test_layers_that_are_unfrozen_one_after_the_other_vanish_in_none(ends, layered):
    thawing = [steps((-np.inf, row), (0, 100 - row)) for row in ends[::-1]]
    assert not find_vanishing(layered(*thawing, 0, 0, 0))


def test_layers_that_come_back_by_and_by_or_are_zero_again_had_vanished(layered):
    slowly = np.concatenate([np.full(60, -np.inf), np.linspace(-30, 0, 40)])
    again = steps((-np.inf, 40), (0, 20), (-np.inf, 20), (0, 20))
    for lost in (slowly, again):
        (one,) = find_vanishing(layered(lost, lost, 0, 0, 0))
        assert one.layers == ("layer0", "layer1")


# ---- in the course of training


@UNITS
@pytest.mark.parametrize(("fall", "found"), [(2.99, False), (3.01, True)])
def test_a_collapse_is_three_decades_at_any_size_and_the_loss_got_nowhere(base, fall, found, course):
    levels = base + steps((0, 50), (-fall, 50))
    assert bool(find_collapsed(course(levels, WORSE))) is found
    assert find_collapsed(course(levels, BETTER)) == []


@pytest.mark.parametrize(("rows", "found"), [(19, False), (20, True)])
def test_twenty_rows_have_a_course(rows, found, course):
    assert bool(find_collapsed(course(steps((0, 10), (-5, rows - 10)), WORSE[:rows]))) is found


@pytest.mark.parametrize(("blocks", "found"), [(2, False), (3, True)])
def test_the_end_is_lower_than_a_spike_of_one_block_or_two_makes_it(blocks, found, course):
    """A hundred rows are twenty blocks of five: the highest level belongs to three of them."""
    levels = steps((0, 30), (4, 5 * (blocks - 1)), (-0.1, 100 - 30 - 5 * (blocks - 1)))
    assert bool(find_collapsed(course(levels, WORSE))) is found


@pytest.mark.parametrize("risen", [0, 1])
def test_the_last_two_blocks_are_down(risen, course):
    levels = steps((0, 50), (-5, 50))
    levels[-5 * (risen + 1) :] += 3 * risen
    assert bool(find_collapsed(course(levels, WORSE))) is not bool(risen)


@pytest.mark.parametrize(("between", "found"), [(1, True), (2, False)])
def test_without_a_loss_a_collapse_is_over_within_two_blocks(between, found, course):
    levels = steps((0, 50), (-2.9, 5 * between), (-5, 50 - 5 * between))
    assert bool(find_collapsed(course(levels))) is found
    assert find_collapsed(course(levels, WORSE)) != []


@pytest.mark.parametrize(("lower", "found"), [(0.99, True), (1.01, False)])
def test_and_the_course_before_is_steady_within_a_decade(lower, found, course):
    assert bool(find_collapsed(course(steps((0, 25), (-lower, 25), (-6, 50))))) is found


@UNITS
@pytest.mark.parametrize(("fall", "found"), [(2.99, False), (3.01, True)])
def test_a_layer_collapses_by_three_decades_of_its_share_at_any_size(base, fall, found, layered):
    series = layered(steps((0, 50), (-fall, 50)), 0.1, base=base)
    assert bool(find_collapsed(series)) is found
    assert not found or find_collapsed(series)[0].layers == ("layer0",)


def test_a_layer_beside_one_that_grows_has_not_collapsed(layered):
    growing = steps((0, 50), (4, 50))
    assert find_collapsed(layered(-0.1, growing)) == []
    assert find_collapsed(layered(steps((-0.1, 50), (-3, 50)), growing)) == []
    assert find_collapsed(layered(steps((-0.1, 50), (-3.2, 50)), growing)) != []


@pytest.mark.parametrize(("smaller", "found"), [(0.99, True), (1.01, False)])
def test_where_all_gradients_get_ten_times_smaller_as_the_loss_gets_better_a_layer_may_be_faster(
    smaller, found, layered
):
    layers = steps((0, 50), (-5, 50)), steps((0.1, 50), (0.1 - smaller, 50))
    assert bool(find_collapsed(layered(*layers, loss=BETTER))) is found
    assert find_collapsed(layered(*layers, loss=WORSE)) != []


@pytest.mark.parametrize(("missing", "found"), [(49, True), (50, False)])
def test_a_layer_that_is_missing_in_half_of_the_rows_is_not_judged(missing, found, layered):
    collapsing = steps((0, 50), (-5, 50))
    collapsing[2 * np.arange(missing)] = np.nan
    assert bool(find_collapsed(layered(collapsing, 0.1))) is found


def test_the_collapse_begins_where_half_of_three_decades_are_gone(layered):
    declining = np.maximum(-0.1 * np.maximum(0, np.arange(100) - 30), -5)
    (one,) = find_collapsed(layered(declining, 0.1))
    assert one.first_step == 45


# ---- a gradient that stops after the loss had learnt


def stopped(fall, loss_after, row=100):
    draw = np.random.default_rng(0)
    losses = 0.5 + 2 * np.exp(-np.arange(200) / 60) + 0.01 * draw.standard_normal(200)
    levels = 0.05 * draw.standard_normal(200) - fall * (np.arange(200) >= row)
    return levels, np.where(np.arange(200) < row, losses, loss_after(losses, draw))


def still(losses, draw):
    return losses[99] + 0.01 * draw.standard_normal(200)


@pytest.mark.parametrize(("fall", "found"), [(2.5, False), (3.5, True), (6, True)])
def test_a_norm_that_falls_in_one_row_while_the_loss_stops_is_a_warning(fall, found, course):
    findings = find_collapsed(course(*stopped(fall, still)))
    assert bool(findings) is found
    assert all((one.weight, one.first_step) == ("warning", 100) for one in findings)
    assert all("moves no further" in sentence(one) for one in findings)


def test_a_norm_that_falls_while_the_loss_goes_on_is_of_another_unit(course):
    assert find_collapsed(course(*stopped(6, lambda losses, draw: losses))) == []


def test_a_norm_that_falls_step_by_step_has_converged(course):
    levels, losses = stopped(0, still)
    assert find_collapsed(course(levels - np.linspace(0, 6, 200).clip(0, 6), losses)) == []


@pytest.mark.parametrize(
    "names",
    [
        ["conv.bias", "conv.weight", "fc.weight", "head.weight"],
        ["conv.weight", "conv.bias", "fc.weight", "head.weight"],
        ["b1", "W1", "W2", "W3"],
    ],
)
def test_a_bias_beside_its_weight_does_not_decide_wherever_its_column_is(names, series_of):
    def rows(small):
        return [
            {"step": step} | {f"grad_norm/{name}": 1e-9 if small(name) else 1.0 + step % 3 for name in names}
            for step in range(60)
        ]

    assert find_vanishing(series_of(rows(lambda name: name in ("conv.bias", "b1")))) == []
    assert find_vanishing(series_of(rows(lambda name: name in ("conv.weight", "conv.bias", "b1", "W1")))) != []
