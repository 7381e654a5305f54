"""One real run for each finding, and six kinds of healthy ones: every one told, nothing else said."""

import numpy as np
import pytest

from gradcheck.logs.findings.finding import FINDING_KINDS
from gradcheck.logs.findings.sentences import sentence


def bad_batches(step, inputs, generator):
    return -100 * inputs if step in (90, 210) else inputs


def heavy_tailed(step, inputs, generator):
    return inputs * (1 + generator.pareto(1.0, (len(inputs), 1)))


def broken(step, inputs, generator):
    return np.where(np.arange(inputs.size).reshape(inputs.shape) == 3, np.nan, inputs) if step == 120 else inputs


def warm_up_and_cosine(step):
    return 0.2 * min(1.0, step / 30) * (1 + np.cos(np.pi * step / 300)) / 2


HEALTHY = {
    "steady": {},
    "heavy-tailed": {"change": heavy_tailed, "batch": 2, "lr": 0.005},
    "converging to tiny gradients": {
        "classes": False,
        "batch": None,
        "only": "_out",
        "width": 8,
        "depth": 1,
        "lr": 1.0,
    },
    "warm-up and a schedule": {"lr": warm_up_and_cosine},
    "deep and normalised": {"depth": 12, "norm": "layer", "residual": True, "activation": "relu", "init": "he"},
    "small batches": {"batch": 1, "lr": 0.01},
}

#: What must be found first, how it is brought about, and what may be found beside.
SICK = {
    "exploding": ({"classes": False, "lr": lambda step: 0.02 if step < 200 else -0.05}, {"collapsed"}),
    "nonfinite": ({"change": broken}, set()),
    "vanishing": ({"depth": 8, "activation": "sigmoid", "init": "xavier"}, {"update-ratio"}),
    "collapsed": ({"activation": "relu", "init": "he", "lr": lambda step: 3e3 if step == 150 else 0.05}, {"spikes"}),
    "spikes": ({"activation": "relu", "init": "he", "lr": 0.05, "clip": 1.0, "change": bad_batches}, set()),
    "no-gradient": ({"activation": "step"}, set()),
    "always-clipped": ({"clip": 1e-3, "lr": 10.0}, set()),
    "never-clipped": ({"clip": 1e3}, set()),
    "update-ratio": ({"lr": 1e-6}, set()),
}

#: What must be found first in a log of a healthy run whose numbers were changed so, and what may be found beside.
ALTERED = {
    "loss-rises": (lambda step, row: row | {"loss": 1 + max(0, step - 150) / 30, "grad_norm": 1.0}, set()),
    "loss-jump": (lambda step, row: row | {"loss": row["loss"] + 5 * (step >= 200)}, set()),
    "not-learning": (lambda step, row: row | {"loss": np.log(10) + 0.01 * np.sin(step)}, set()),
    "huge": (lambda step, row: row | {"loss": 3e8 + 1e7 * np.sin(step), "grad_norm": 8e5 + 1e4 * np.cos(step)}, set()),
    "zeros": (lambda step, row: row | {"loss": np.sin(step), "grad_norm": float(step % 3 == 0)}, set()),
    "not-computed": (lambda step, row: {"step": step, "loss": row["loss"], "grad_norm": 0.0}, set()),
    "tiny": (lambda step, row: {"step": step, "loss": row["loss"], "grad_norm": 1e-9 * row["grad_norm"]}, set()),
    "drifting": (lambda step, row: {"step": step, "loss": row["loss"], "grad_norm": 10 ** (step / 170)}, set()),
    "too-short": (lambda step, row: row if step <= 10 else {}, set()),
}

#: Of findings that are ratios as others' are: their losses are scaled where slow proofs are run.
ALIKE = ("warm-up and a schedule", "small batches", "always-clipped", "never-clipped", "collapsed", "no-gradient")

#: One is enough for each run, others prove it again.
SEEDS = (0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2)))

every_healthy_run = pytest.mark.parametrize("name", HEALTHY)
every_sick_run = pytest.mark.parametrize("name", SICK)


@pytest.fixture(scope="module")
def records_of(trained):
    """A name and a seed ↦ the records of its run, made once."""
    kept = {}

    def run(name, seed=0):
        if (name, seed) not in kept:
            kept[name, seed] = trained(seed=seed, **(HEALTHY[name] if name in HEALTHY else SICK[name][0]))
        return kept[name, seed]

    return run


@pytest.mark.parametrize("seed", SEEDS)
@every_healthy_run
def test_a_healthy_run_has_no_finding(name, seed, records_of, found):
    assert found(records_of(name, seed)) == []


def test_the_converging_run_really_has_tiny_gradients(records_of):
    norms = [record["grad_norm"] for record in records_of("converging to tiny gradients")]
    assert norms[-1] < 1e-5 * norms[0]


@pytest.mark.slow
def test_the_heavy_tailed_run_really_has_large_gradients(records_of):
    runs = [[record["grad_norm"] for record in records_of("heavy-tailed", seed)] for seed in range(3)]
    ratios = [max(norms) / np.median(norms) for norms in runs]
    assert min(ratios) > 4
    assert max(ratios) > 10


@pytest.mark.parametrize("seed", SEEDS)
@every_sick_run
def test_a_sick_run_has_its_finding_first(name, seed, records_of, found):
    kinds = [one.kind for one in found(records_of(name, seed))]
    assert kinds[0] == name
    assert set(kinds[1:]) <= SICK[name][1]


def test_every_finding_has_a_run_but_dead_units():
    assert set(SICK) | set(ALTERED) == set(FINDING_KINDS) - {"dead", "clipped-scaled", "scaled-norms", "not-zeroed"}


@pytest.mark.parametrize("name", ALTERED)
def test_what_was_altered_is_found(name, records_of, found):
    alter, others = ALTERED[name]
    rows = [row for step, one in enumerate(records_of("steady"), 1) if (row := alter(step, one))]
    kinds = [one.kind for one in found(rows)]
    assert kinds[0] == name
    assert set(kinds[1:]) <= others


@every_sick_run
def test_a_finding_has_the_number_that_decides_beyond_its_limit(name, records_of, found):
    (first, *_) = found(records_of(name))
    assert first.value is not None
    below = name in ("vanishing", "update-ratio", "never-clipped")
    assert first.limit is None or (first.value < first.limit if below else first.value > first.limit)
    assert (first.limit is None) == (name in ("nonfinite", "no-gradient"))


def test_growth_begins_where_the_sign_of_the_rate_was_lost(records_of, found):
    (explosion, *_) = found(records_of("exploding"))
    assert 195 <= explosion.first_step <= 240
    assert explosion.last_step == 300
    assert explosion.numbers["log10_rise"] > 2


def test_spikes_are_the_bad_batches(records_of, found):
    (spikes,) = found(records_of("spikes"))
    assert (spikes.first_step, spikes.last_step, spikes.numbers["spikes"]) == (90, 210, 2)
    assert spikes.layers


def test_the_first_number_that_is_not_finite_is_named_with_its_tensor_nearest_to_the_loss(records_of, found):
    (broken_batch,) = found(records_of("nonfinite"))
    assert broken_batch.first_step == 120
    assert broken_batch.layers[0] == "b_out"
    assert "not a number" in sentence(broken_batch)


def test_vanishing_begins_at_the_first_layer(records_of, found):
    (vanishing, *_) = found(records_of("vanishing"))
    assert vanishing.layers[0] == "W1"
    assert "W_out" not in vanishing.layers
    assert vanishing.numbers["log10_weakest_ratio"] < -3


def test_collapse_begins_at_the_step_that_killed_the_units(records_of, found):
    (collapse, *_) = found(records_of("collapsed"))
    assert 148 <= collapse.first_step <= 160
    assert "b_out" not in collapse.layers


def test_the_layers_without_a_gradient_are_those_behind_the_step(records_of, found):
    (nothing,) = found(records_of("no-gradient"))
    assert nothing.layers == ("W1", "b1", "W2", "b2", "W3", "b3")


@pytest.mark.parametrize("factor", [1e-8, pytest.param(65536.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ALIKE))
        for name in (*HEALTHY, *SICK)
        if name != "nonfinite"
    ],
)
def test_a_constant_times_the_loss_changes_no_finding(name, factor, records_of, found):
    before = found(records_of(name))
    scaled = [{key: value * factor if _scales(key) else value for key, value in record.items()}
              for record in records_of(name)]  # fmt: skip
    after = [one for one in found(scaled) if one.kind != "tiny"]  # a note on the unit
    assert [one[:4] for one in before] == [one[:4] for one in after]


def _scales(key):
    return key == "loss" or key.startswith("grad_norm")


@every_sick_run
def test_a_log_without_layers_or_loss_does_no_harm(name, records_of, found):
    bare = [{key: record[key] for key in ("step", "grad_norm")} for record in records_of(name)]
    kinds = {one.kind for one in found(bare)}
    assert kinds <= {name, *SICK[name][1]}
    assert kinds or name not in ("exploding", "spikes", "nonfinite")
