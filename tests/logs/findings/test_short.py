"""Logs of few rows: never healthy, and growth or a spike in them is found all the same."""

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
