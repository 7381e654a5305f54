"""Logs of few rows: never healthy, and growth or a spike in them is found all the same."""

import math

import numpy as np
import pytest


def rows(norms, losses=None):
    losses = np.linspace(2, 1.9, len(norms)) if losses is None else losses
    return [
        {"step": step, "loss": float(loss), "grad_norm": float(norm)}
        for step, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]


def noisy(count, seed=0):
    return np.exp(0.3 * np.random.default_rng(seed).standard_normal(count))


def kinds(findings):
    return [one.kind for one in findings]


@pytest.mark.parametrize(("count", "short"), [(1, True), (10, True), (19, True), (20, False)])
def test_twenty_rows_are_enough_for_a_verdict(count, short, found):
    assert kinds(found(rows(noisy(count)))) == ["too-short"] * short


def test_growth_in_every_row_is_an_explosion(found):
    first, note = found(rows(1e13 * 70 ** (np.arange(10) / 9)))
    assert (first.kind, first.first_step, note.kind) == ("exploding", 0, "too-short")
    assert first.numbers["log10_rise"] == pytest.approx(np.log10(70))


@pytest.mark.parametrize(("times", "is_found"), [(20, False), (1000, True)])
def test_a_last_row_far_above_all_others_is_a_spike(times, is_found, found):
    norms = noisy(9)
    norms[8] = times * np.median(norms)
    assert ("spikes" in kinds(found(rows(norms)))) is is_found


def test_a_large_first_norm_is_usual(found):
    norms = noisy(12)
    norms[0] = 500
    assert kinds(found(rows(norms))) == ["too-short"]


@pytest.mark.parametrize("seed", range(20))
def test_a_few_rows_of_a_heavy_tail_are_only_short(seed, found):
    norms = 0.3 + np.random.default_rng(seed).pareto(2.0, 15)
    assert kinds(found(rows(norms))) == ["too-short"]


@pytest.mark.parametrize("row", [15, 29])
def test_one_huge_norm_among_thirty_is_a_spike_in_the_last_row_too(row, found):
    norms = noisy(30) ** 0.3
    norms[row] = 1e30
    (one,) = found(rows(norms))
    assert (one.kind, one.first_step, one.last_step) == ("spikes", row, row)


def test_a_burst_of_many_rows_of_sixty_is_one_spike(found):
    norms = noisy(60)
    norms[30:41] *= 4900
    (one,) = found(rows(norms))
    assert (one.kind, one.first_step, one.last_step, one.numbers["spikes"]) == ("spikes", 30, 40, 1)


@pytest.mark.parametrize("last", [1, 2])
def test_a_run_that_is_stopped_as_it_blows_up_did_so_at_the_first_row_that_is_up(last, found):
    norms, losses = noisy(100), np.linspace(2, 1.5, 100)
    norms[-last:], losses[-last:] = 1200, 9
    (one, *_) = found(rows(norms, losses))
    assert (one.kind, one.first_step) == ("exploding" if last == 2 else "spikes", 100 - last)


def test_a_burst_before_a_collapse_in_the_first_rows_hides_none_of_it(found):
    draw = np.random.default_rng(0)
    norms = np.full(260, 1e-4)
    norms[:11], norms[11:17] = 0.45, 17.0
    losses = 0.003 * draw.standard_normal(260)
    (one, *_) = found(rows(norms * np.exp(0.2 * draw.standard_normal(260)), losses))
    assert one.kind == "collapsed"
    assert 16 <= one.first_step <= 19


def without_norms(losses):
    return [{"step": step, "loss": float(loss)} for step, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("losses", "is_found"),
    [
        (np.geomspace(1, 4, 8), True),
        ([2.1, 1.4, *np.geomspace(1, 4, 8)], True),
        (np.geomspace(1, 2.5, 8), False),  # less than threefold
        (np.geomspace(1e-3, 4e-3, 8), False),  # a penalty that begins at nothing
        (1.3 * np.arange(1, 9), False),  # the sum of all so far
        ([1, 1, 1, 1, 1, 1, 1, 4], False),  # one jump
        (np.geomspace(1, 4, 8)[[0, 1, 3, 2, 5, 4, 7, 6]], False),
        (np.geomspace(1, 4, 5), False),
    ],
)
def test_a_loss_that_rises_threefold_in_nearly_every_row_rises(losses, is_found, found):
    assert kinds(found(without_norms(losses))) == ["loss-rises"] * is_found + ["too-short"]


def test_a_loss_at_the_logarithm_of_a_number_of_classes_is_a_note_in_few_rows(found):
    losses = 2.3026 + 0.002 * np.array([1, -1, 0.5, -0.5, 0.8, -1, 0.4, -0.2])
    (one, other) = found(without_norms(losses))
    assert (one.kind, one.severity, one.numbers["classes"], other.kind) == ("not-learning", "note", 10, "too-short")
    assert kinds(found(without_norms(losses - 0.004 * np.arange(8)))) == ["too-short"]


@pytest.mark.parametrize(
    ("losses", "is_found"),
    [([1.9e4, 9.8e4, 1.3e5], True), ([1.3e5, 9.8e4, 1.9e4], False), ([1.9e3, 9.8e3, 1.3e4], False)],
)
def test_a_loss_of_ten_thousand_and_more_that_gets_no_better_is_a_note(losses, is_found, found):
    notes = [one for one in found(without_norms(losses)) if one.kind == "huge"]
    assert [one.severity for one in notes] == ["note"] * is_found


@pytest.mark.parametrize(("times", "is_found"), [(1e5, True), (100, False)])
def test_a_loss_that_is_ten_thousandfold_from_one_row_on_has_exploded_at_once(times, is_found, found):
    losses = [0.1442, *(times * np.array([0.25, 0.76, 0.29, 1.35, 4.37, 2.12]))]
    findings = found([{"step": 408 + row, "loss": loss} for row, loss in enumerate(losses)])
    assert ([one.first_step for one in findings if one.kind == "exploding"] == [409]) is is_found


def test_two_rows_after_a_jump_are_a_spike_yet(found):
    losses = [0.14, 0.13, 0.15, 0.14, 3e5, 2e5]
    assert "exploding" not in kinds(found([{"step": row, "loss": loss} for row, loss in enumerate(losses)]))


def test_rows_that_are_not_finite_are_rows(found):
    losses = [2.5, *[math.inf] * 30]
    assert kinds(found([{"step": step, "loss": loss} for step, loss in enumerate(losses)])) == ["nonfinite"]
