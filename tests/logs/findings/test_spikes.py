"""Spikes at the edges of their criteria: courses without chance, just below and just above."""

import numpy as np
import pytest

from gradcheck import diagnose
from gradcheck.logs.findings.spikes import MOST_ROWS, _pooled, below_the_gap, find_spikes, tail_of


def with_spikes(height, rows=100, places=(50,)):
    levels = np.zeros(rows)
    levels[list(places)] = height
    return levels


@pytest.mark.parametrize("base", [0, -30, 30])
@pytest.mark.parametrize(("height", "found"), [(0.99, False), (1.01, True)])
def test_a_spike_is_a_decade_above_its_neighbours_at_any_size(base, height, found, course):
    assert bool(find_spikes(course(base + with_spikes(height)))) is found


@pytest.mark.parametrize("rows", [1, 2, 5, 12, 23])
def test_a_short_run_has_no_spike_among_neighbours(rows, course):
    assert find_spikes(course(with_spikes(3, rows, [rows // 2]))) == []


@pytest.mark.parametrize(("row", "found"), [(11, False), (12, True), (87, True), (88, True), (99, True)])
def test_a_spike_has_twelve_rows_before_it(row, found, course):
    assert bool(find_spikes(course(with_spikes(3, places=[row])))) is found


@pytest.mark.parametrize(("width", "found"), [(1, 1), (6, 1), (40, 1), (80, 0)])
def test_a_spike_may_be_broad_and_is_higher_than_both_its_sides(width, found, course):
    assert len(find_spikes(course(with_spikes(3, 300, range(150, 150 + width))))) == found
    step = np.where(np.arange(300) < 150, 0.0, 3.0)
    assert find_spikes(course(step, np.linspace(9, 1, 300))) == []


def spread(rows):
    """A spread without chance, of a deviation of 0.2 decades, in an order that no block notices."""
    return 0.2 * np.random.default_rng(0).standard_normal(rows)


@pytest.mark.parametrize(("count", "found"), [(20, 20), (21, 0)])
def test_more_than_a_twentieth_of_the_rows_are_the_run_s_own_spread(count, found, course):
    levels = spread(400)
    levels[np.linspace(15, 384, count).astype(int)] = 5
    assert sum(one.numbers["spikes"] for one in find_spikes(course(levels))) == found


def quantiles(rows):
    """Where the rows of a law without chance are in it."""
    return np.linspace(0, 1 - 1e-9, rows)


def test_the_tail_of_a_power_law_of_norms_ends_where_one_run_of_a_thousand_has_a_number():
    """P(X > h) = exp(−h/s): of n rows one exceeds s·log(n/p) in a share p of the runs; s is known to some 2/√n."""
    expected = 0.3 * np.log(1 / 0.05) + 0.3 * (1 + 2 * 200**-0.5) * np.log(0.05 * 200 / 1e-3)
    assert tail_of(-0.3 * np.log(1 - quantiles(200))) == pytest.approx(expected, rel=0.005)


def test_of_few_rows_a_spike_does_not_raise_its_own_limit():
    quiet = np.linspace(0, 0.4, 18)
    assert tail_of(np.append(quiet, 3.5)) == pytest.approx(tail_of(np.append(quiet, 0.5)))


@pytest.mark.parametrize(("rows", "known"), [(299, False), (300, True)])
def test_the_tail_of_heavier_laws_is_known_from_300_rows_on_and_ends_where_one_run_of_twenty_has_a_number(rows, known):
    """P(X > h) = h^−a: of n rows one exceeds (n/p)^(1/a) in a share p of the runs."""
    heavy = (1 - quantiles(rows)) ** -0.5
    expected = pytest.approx((rows / 0.05) ** 0.5, rel=0.01)
    assert (tail_of(heavy) == expected) is known


@pytest.mark.parametrize(("times", "apart"), [(0.95, False), (1.05, True)])
def test_a_gap_that_parts_two_populations_is_wider_than_chance_makes_one_of_a_thousand(times, apart):
    """Rényi's spacings of a tail, all of them one; of the widest of n, P ≈ n·exp(−width)."""
    count, above = 40, 8
    spacings = np.ones(count)
    spacings[-above] = times * np.log(count / 1e-3)
    tail = np.exp(np.concatenate([[0], np.cumsum(spacings / np.arange(count, 0, -1))]))
    excess = np.concatenate([np.zeros(760), tail])
    assert len(below_the_gap(excess)) == len(excess) - above * apart


@pytest.mark.parametrize(("count", "parted"), [(10, 0), (11, 8)])
def test_twelve_rows_of_a_tail_can_be_parted_and_fewer_can_not(count, parted):
    spacings = np.ones(count)
    spacings[-8] = 100.0
    tail = np.exp(np.concatenate([[0], np.cumsum(spacings / np.arange(count, 0, -1))]))
    excess = np.concatenate([np.zeros(760), tail])
    assert len(below_the_gap(excess)) == len(excess) - parted


def test_of_very_many_rows_the_peaks_of_neighbours_are_kept(track_of):
    levels = np.zeros(3 * MOST_ROWS - 5)
    levels[7001] = 3
    pooled = _pooled(track_of(levels))
    assert len(pooled) <= 4096
    assert (pooled.peak.max(), pooled.steps[pooled.peak.argmax()]) == (3, 6999)


@pytest.mark.parametrize(("rows", "spikes"), [(40, 2), (60, 2), (100, 4), (120, 8)])
def test_more_spikes_are_spikes_too_in_a_short_log(rows, spikes, course):
    levels = np.where(np.arange(rows) % 2, 0.05, -0.05)
    levels[(np.arange(spikes) + 1) * rows // (spikes + 1)] += 2
    (found,) = find_spikes(course(levels))
    assert found.numbers["spikes"] == spikes


def test_nothing_is_so_many_times_a_zero(rng):
    norms = np.where(rng.random(400) < 0.25, 0.0, np.exp(0.4 * rng.standard_normal(400)))
    rows = [{"step": step, "loss": 2 / (1 + step), "grad_norm": norm} for step, norm in enumerate(norms.tolist())]
    assert diagnose(rows).verdict.status == "healthy"


def test_a_short_log_has_lower_spikes_beside_a_lonely_one(course):
    levels = np.where(np.arange(90) % 2, 0.05, -0.05)
    levels[[20, 45, 70]] = 1.2, 2.9, 1.5
    (found,) = find_spikes(course(levels))
    assert found.numbers["spikes"] == 3


def logged(losses, norms):
    return [
        {"step": step, "loss": loss, "grad_norm": norm}
        for step, (loss, norm) in enumerate(zip(losses.tolist(), norms.tolist(), strict=True))
    ]


def test_spikes_of_the_loss_beside_a_quiet_norm_are_a_note_that_asks_how_it_is_logged(rng):
    losses, norms = 2 + 0.05 * rng.standard_normal(100), 1.4 + 0.2 * rng.standard_normal(100)
    losses[[30, 60]] *= 1000
    report = diagnose(logged(losses, norms))
    (found,) = report.findings
    assert (report.verdict.status, found.kind, found.severity) == ("healthy", "spikes", "note")
    assert "logging_nan_inf_filter" in found.advice[0]
    assert "clip" not in " ".join(found.advice)


def test_a_loss_that_was_learnt_may_come_back_to_where_it_began(rng):
    losses, norms = 2 * 10 ** -np.linspace(0, 4, 200), 1.4 + 0.2 * rng.standard_normal(200)
    losses[[120, 160]] = 1.5
    assert not diagnose(logged(losses, norms)).findings


@pytest.mark.parametrize(
    ("loss", "norm", "at", "found"),
    [(8, 7, 40, True), (8, None, 40, True), (8, 7, 52, True), (8, 2, 40, False), (4, 7, 40, False)],
)
def test_a_row_beyond_any_tail_is_a_spike_however_often_smaller_ones_come(loss, norm, at, found):
    rows, draw = np.arange(60), np.random.default_rng(0)
    heights = np.where(rows % 6 == 5, draw.uniform(0.6, 2, 60), draw.uniform(0, 0.3, 60))
    losses, norms = heights.copy(), heights.copy()
    losses[at], norms[at] = loss, norm or 0
    columns = {"loss": 10**losses} | ({"grad_norm": 10**norms} if norm else {})
    report = diagnose([{"step": row} | {name: float(one[row]) for name, one in columns.items()} for row in rows])
    assert (report.verdict.status, report.verdict.first_step) == (("spikes", at) if found else ("healthy", None))
