"""One real run for each finding, and those of healthy runs: every one told, nothing else said."""

import numpy as np
import pytest


def bad_batches(*steps, factor=1000.0):
    def change(step, inputs, generator):
        return inputs * factor if step in steps else inputs

    return change


def heavy_tailed(step, inputs, generator):
    return inputs * (1 + generator.pareto(1.5, (len(inputs), 1)))


def broken(step, inputs, generator):
    return np.where(np.arange(inputs.size).reshape(inputs.shape) == 3, np.nan, inputs) if step == 120 else inputs


def warm_up_and_cosine(step):
    return 0.2 * min(1.0, step / 30) * (1 + np.cos(np.pi * step / 300)) / 2


HEALTHY = {
    "steady": {},
    "heavy-tailed": {"change": heavy_tailed, "batch": 4, "lr": 0.02},
    "converging to tiny gradients": {"classes": False, "batch": None, "lr": 0.3, "steps": 400},
    "warm-up and a schedule": {"lr": warm_up_and_cosine},
    "deep and normalised": {"depth": 12, "norm": "layer", "residual": True, "activation": "relu", "init": "he"},
    "small batches": {"batch": 1, "lr": 0.01},
}

SICK = {
    "exploding": ({"classes": False, "activation": "linear", "lr": lambda step: 0.02 if step < 200 else 1.2,
                   "steps": 230}, ("exploding",)),
    "nonfinite": ({"change": broken}, ("nonfinite",)),
    "vanishing": ({"depth": 8, "activation": "sigmoid", "init": "xavier"}, ("vanishing",)),
    "collapsed": ({"activation": "relu", "init": "he", "lr": lambda step: 3e4 if step == 150 else 0.05}, ("collapsed",)),
    "spikes": ({"change": bad_batches(90, 210)}, ("spikes",)),
    "no-gradient": ({"activation": "step"}, ("no-gradient",)),
    "always-clipped": ({"clip": 1e-3}, ("always-clipped",)),
    "never-clipped": ({"clip": 1e3}, ("never-clipped",)),
    "update-ratio": ({"lr": 1e-6}, ("update-ratio",)),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_no_finding(name, seed, trained, found):
    assert found(trained(seed=seed, **HEALTHY[name])) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SICK)
def test_a_sick_run_has_its_finding(name, seed, trained, found):
    options, kinds = SICK[name]
    print([one for one in found(trained(seed=seed, **options))])
    assert tuple(one.kind for one in found(trained(seed=seed, **options))) == kinds
