"""Invented runs of many seeds: healthy ones, and ones with a single fault; benchmarks/false_alarms.py has more."""

import numpy as np
import pytest

#: Two are enough for each run, others prove it again.
SEEDS = (0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12)))


def falling(steps, draw):
    return 1 + 2 * np.exp(-3 * np.arange(steps) / steps) + 0.1 * draw.standard_normal(steps)


def records(norms, losses):
    pairs = zip(norms.tolist(), losses.tolist(), strict=True)
    return [{"step": step, "loss": loss, "grad_norm": norm} for step, (norm, loss) in enumerate(pairs)]


HEALTHY = {
    "lognormal": lambda steps, draw: np.exp(draw.standard_normal(steps)),
    "a power law": lambda steps, draw: 0.3 + draw.pareto(2.0, steps),
    "a random walk": lambda steps, draw: np.exp(0.03 * np.cumsum(draw.standard_normal(steps))),
    "large at the beginning": lambda steps, draw: (1 + 300 * np.exp(-np.arange(steps) / 3)) * np.exp(
        0.3 * draw.standard_normal(steps)),
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_no_finding(name, seed, found):
    draw = np.random.default_rng(seed)
    steps = int(draw.integers(30, 1000))
    assert found(records(HEALTHY[name](steps, draw), falling(steps, draw))) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_convergence_by_many_decades_is_no_collapse(seed, found):
    draw = np.random.default_rng(seed)
    decline = np.exp(-draw.uniform(4, 300) * np.arange(500) / 500)
    assert found(records(decline * np.exp(0.2 * draw.standard_normal(500)) + 1e-12, 0.3 + decline)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_fall_is_a_collapse_if_the_loss_got_nowhere(seed, found):
    draw = np.random.default_rng(seed)
    norms = np.exp(0.2 * draw.standard_normal(500)) * 10 ** (-5 * np.arange(500) / 500)
    (one,) = found(records(norms, 2.3 + 0.05 * draw.standard_normal(500)))
    assert one.kind == "collapsed"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spike_among_heavy_tails_is_told_from_them(seed, found):
    draw = np.random.default_rng(seed)
    norms = 0.3 + draw.pareto(3.0, 500)
    norms[300] = 1e5
    (one,) = found(records(norms, falling(500, draw)))
    assert (one.kind, one.first_step, one.last_step) == ("spikes", 300, 300)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spike_in_a_short_run_is_no_collapse(seed, found):
    draw = np.random.default_rng(seed)
    norms = np.exp(0.3 * draw.standard_normal(36))
    norms[17] = 1e4
    assert {one.kind for one in found(records(norms, 2 + 0.1 * draw.standard_normal(36)))} <= {"spikes"}


@pytest.mark.parametrize("share", [0.01, 0.02, 0.04])
@pytest.mark.parametrize("steps", [300, 1000, 3000])
def test_spikes_are_found_however_many_they_are_and_not_taken_for_the_tail(steps, share, found):
    draw = np.random.default_rng(steps)
    norms, places = np.exp(0.3 * draw.standard_normal(steps)), np.arange(50, steps - 50, int(1 / share))
    norms[places] *= 1000
    (one,) = found(records(norms, falling(steps, draw)))
    assert (one.kind, one.numbers["spikes"]) == ("spikes", len(places))
    assert (one.first_step, one.last_step) == (places[0], places[-1])


@pytest.mark.slow
def test_few_runs_of_some_hundred_rows_whose_logarithms_have_heavy_tails_have_spikes(found):
    alarms = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        steps = int(draw.integers(300, 600))
        alarms += found(records(np.exp(0.4 * draw.standard_t(3, steps)), falling(steps, draw))) != []
    assert alarms <= 0.06 * 200


@pytest.mark.parametrize("width", [2, 5, 30])
def test_a_broad_spike_is_one_spike_and_no_explosion(width, found):
    draw = np.random.default_rng(width)
    norms = np.exp(0.3 * draw.standard_normal(1000))
    norms[600 : 600 + width] *= 1000
    (one,) = found(records(norms, falling(1000, draw)))
    assert (one.kind, one.numbers["spikes"]) == ("spikes", 1)
    assert (one.first_step, one.last_step) == (600, 599 + width)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.3])
def test_growth_is_found_with_its_rate_and_its_beginning(rate, found):
    draw = np.random.default_rng(1)
    decades = np.maximum(0, np.arange(400) - 250) * rate
    norms = np.exp(0.2 * draw.standard_normal(400)) * 10**decades
    (one,) = found(records(norms, falling(400, draw) * 10 ** (decades / 4)))
    assert one.kind == "exploding"
    assert abs(one.first_step - 250) <= max(10, 0.4 / rate)
    assert one.numbers["log10_per_step"] == pytest.approx(rate, rel=0.2)


def test_growth_that_comes_back_is_no_explosion(found):
    draw = np.random.default_rng(1)
    decades = 3 * np.exp(-(((np.arange(600) - 300) / 20) ** 2))
    kinds = {
        one.kind for one in found(records(10**decades * np.exp(0.2 * draw.standard_normal(600)), falling(600, draw)))
    }
    assert kinds <= {"spikes"}


def test_growth_while_the_run_learns_must_be_larger(found):
    draw = np.random.default_rng(1)
    norms = np.exp(0.2 * draw.standard_normal(500))
    (less,) = found(records(norms * 10 ** (2.5 * np.arange(500) / 500), falling(500, draw)))
    assert (less.kind, less.weight) == ("drifting", "note")
    (one,) = found(records(norms * 10 ** (5 * np.arange(500) / 500), falling(500, draw)))
    assert one.kind == "exploding"


def test_the_layer_that_moves_first_is_named_first(found):
    draw = np.random.default_rng(2)
    step = np.arange(400)
    rows = records(10 ** np.maximum(0, (step - 300) / 20), 2 + np.maximum(0, step - 300.0))
    for row in rows:
        for lead, name in ((0, "a"), (15, "b"), (8, "c")):
            row[f"grad_norm/{name}"] = 10 ** (max(0, row["step"] - 300 + lead) / 20 + 0.05 * draw.standard_normal())
    (one,) = found(rows)
    assert one.layers == ("b", "c", "a")
