import math

import numpy as np
import pytest

import gradcheck
from gradcheck.base.record import Frozen, number
from gradcheck.diagnosis.suggestions import place
from gradcheck.families.perceptron import PERCEPTRON, depth_limit
from gradcheck.simulation.cures import MOST, is_hopeless
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import NetworkSpec

SMALL = {"depth": 10, "width": 16, "batch_size": 32, "steps": 16}


NETWORKS = {
    "sigmoid": {},
    "a small gain": {"activation": "tanh", "gain": 0.3},
    "a gain with many digits": {"activation": "tanh", "init": "lecun", "gain": 0.51234567890123},
    "a standard deviation": {"activation": "relu", "init": "normal", "weight_std": 0.02},
    "too much": {"activation": "relu", "init": "uniform", "weight_std": 5.0},
    "batch norm": {"activation": "relu", "norm": "batch", "depth": 40},
    "damped skip connections": {"residual": True, "residual_scale": 0.001, "gain": 0.01},
    "collapsed": {"activation": "relu", "init": "he", "norm": "rms", "depth": 40},
    "dead": {"activation": "step"},
    "overflow": {"activation": "linear", "init": "normal", "weight_std": 1e30},
    "widths": {"depth": None, "width": (16, 8, 16, 8, 16, 8)},
    "several draws": {"seeds": 2, "seed": 3},
    "one example": {"batch_size": 1},
    "few layers": {"depth": 4, "gain": 0.05},
    "no labels": {"data": "gaussian"},
    "a recurrence that forgets": {"arch": "rnn", "recurrent_gain": 0.5},
    "a recurrence that explodes": {"arch": "rnn", "activation": "linear", "recurrent_gain": 2.0},
    "a recurrence of a standard deviation": {
        "arch": "rnn", "activation": "relu", "init": "normal", "weight_std": 0.01, "steps": 8,
    },
    "a recurrence that overflows": {"arch": "rnn", "activation": "linear", "init": "normal", "weight_std": 1e20},
    "a recurrence of one example": {"arch": "lstm", "forget_bias": -3.0, "batch_size": 1},
    "a recurrence of noise": {"arch": "rnn", "steps": 20, "data": "gaussian", "recurrent_gain": 0.3, "seeds": 2},
}  # fmt: skip


#: Of the same kinds as others: simulated where slow proofs are run.
ALIKE = {"a small gain", "too much", "batch norm", "no labels", "several draws", "a recurrence that explodes",
         "a recurrence of one example", "a recurrence of noise", "a standard deviation", "few layers",
         "a recurrence that overflows"}  # fmt: skip


def of_family(options):
    """Options that the architecture has: layers, or steps."""
    foreign = "steps" if options.get("arch", "mlp") == "mlp" else "depth"
    return {name: value for name, value in options.items() if name != foreign}


@pytest.fixture(
    scope="module", params=[NETWORKS.keys() - ALIKE, pytest.param(ALIKE, marks=pytest.mark.slow)], ids=["", "alike"]
)
def reports(request):
    """Name ↦ the report on the network, of each kind one."""
    return {name: gradcheck.simulate(suggest=True, **of_family(SMALL | NETWORKS[name])) for name in request.param}


@pytest.fixture(scope="module")
def suggested(reports):
    """(name, report, suggestion) of every suggestion."""
    return [(name, report, one) for name, report in reports.items() for one in report.suggestions]


@pytest.mark.slow
def test_the_default_network_can_be_brought_back():
    default = gradcheck.simulate(suggest=True)
    assert default.verdict.status == "vanishing"
    assert 0 < len(default.suggestions) <= MOST


def test_every_network_that_is_not_healthy_gets_a_few_suggestions(reports):
    for name, report in reports.items():
        assert report.verdict.status != "healthy", name
        assert 0 < len(report.suggestions) <= MOST, name


def test_each_command_when_typed_gives_exactly_what_was_reported(suggested, typed):
    for name, _, one in suggested:
        outcome = Experiment.from_options(typed(one.command)).outcome()
        assert (outcome.diagnosis.verdict.status, outcome.diagnosis.verdict.score) == (one.status, one.score), name
        assert outcome.summary.gradient_span == one.gradient_span, name
        assert number(outcome.summary.effective_rank_last) == one.effective_rank_last, name


def test_suggestions_are_healthy_likely_to_train_and_the_best_comes_first(reports):
    for name, report in reports.items():
        assert list(report.suggestions) == sorted(report.suggestions, key=place), name
        assert all(one.score >= 0.5 for one in report.suggestions), name
        assert {one.status for one in report.suggestions} <= {"healthy"}, name


def test_changes_are_real_options_with_real_values_that_differ_from_the_networks(suggested):
    for network, report, one in suggested:
        assert one.changes, network
        for name, value in one.changes.items():
            assert value is not None, (network, name)
            assert value != report.config[name], (network, name)


def test_changes_and_command_tell_the_same(suggested, typed):
    for network, report, one in suggested:
        config = Frozen(Experiment.from_options(typed(one.command)).to_dict())
        assert {name: config[name] for name in one.changes} == one.changes, network
        implied = {"weight_std", "gain"}  # an initialisation of its own scale has none
        implied |= {"forget_bias"} if "arch" in one.changes else set()  # each cell has a usual one
        kept = set(config) - set(one.changes) - implied
        assert {name: config[name] for name in kept} == {name: report.config[name] for name in kept}, network


def test_no_two_suggestions_are_the_same(reports):
    for name, report in reports.items():
        commands = [one.command for one in report.suggestions]
        assert len(commands) == len(set(commands)), name


def test_a_healthy_network_needs_none():
    report = gradcheck.simulate(activation="tanh", init="lecun", depth=4, width=32, suggest=True)
    assert report.verdict.status == "healthy"
    assert report.suggestions == ()


def test_given_weights_are_left_alone(tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.eye(64, 8) * 1e-9, W2=np.eye(8) * 1e-9, W_out=np.eye(8, 10))
    report = gradcheck.simulate(weights=tmp_path / "w.npz", suggest=True)
    assert report.verdict.status != "healthy"
    assert report.suggestions == ()


def test_batch_norm_is_not_suggested_for_a_batch_of_one():
    report = gradcheck.simulate(suggest=True, **of_family(SMALL | {"batch_size": 1}))
    assert all(one.changes.get("norm") != "batch" for one in report.suggestions)


def test_skip_connections_are_not_suggested_where_the_widths_differ():
    report = gradcheck.simulate(suggest=True, width=(16, 8, 16, 8, 16, 8), batch_size=32)
    assert report.suggestions
    assert all("residual" not in one.changes for one in report.suggestions)


def test_less_depth_is_no_cure_for_an_overflow():
    options = {"activation": "linear", "init": "normal", "weight_std": 1e30, "depth": 16, "width": 8}
    report = gradcheck.simulate(suggest=True, **options)
    assert report.verdict.status == "nonfinite"
    assert all("depth" not in one.changes for one in report.suggestions)


@pytest.fixture
def every_change(monkeypatch):
    """A network's options ↦ every change that fixes it, not the best few."""
    monkeypatch.setattr("gradcheck.simulation.cures.MOST", 99)
    monkeypatch.setattr("gradcheck.simulation.cures.FRESH_SEEDS", 1)

    def changes(**options):
        report = gradcheck.simulate(suggest=True, **of_family(SMALL | options))
        assert report.verdict.status != "healthy"
        return [one.changes for one in report.suggestions]

    return changes


def test_a_half_a_quarter_and_an_eighth_of_the_depth_are_tried(every_change):
    changes = every_change(activation="relu", norm="batch", depth=32)
    assert [change["depth"] for change in changes if "depth" in change] == [4, 8, 16]
    assert {"depth": 1} in every_change(depth=8, gain=0.3)
    assert all(change.get("depth", 1) >= 1 for change in every_change(depth=4, gain=0.05))


def test_a_gain_is_taken_back_where_there_is_one(every_change):
    assert {"gain": 1.0} in every_change(activation="tanh", init="orthogonal", gain=0.5, depth=10)
    assert all("gain" not in change for change in every_change(depth=20))
    assert {"gain": 1.0} not in every_change(activation="relu", init="normal", weight_std=0.02, gain=0.5)


def test_skip_connections_are_tried_plain_and_damped_by_the_root_of_the_depth(every_change):
    changes = every_change(depth=25)
    assert {"residual": True} in changes
    assert {"residual": True, "residual_scale": 0.2} in changes


def test_skip_connections_that_are_there_are_damped_by_the_depth_itself_too(every_change):
    assert {"residual_scale": 0.05} in every_change(depth=20, width=32, activation="relu", init="he", residual=True)


def test_every_kind_of_change_is_tried(every_change):
    tried = {name for change in every_change(activation="tanh", gain=0.3) for name in change}
    assert tried == {"activation", "init", "gain", "norm", "residual", "residual_scale", "depth"}


def test_a_recurrence_is_offered_a_cell_with_a_memory_its_gate_open_for_as_many_steps(every_change):
    changes = every_change(arch="rnn", activation="relu", init="normal", weight_std=0.01, steps=8)
    for arch in ("lstm", "gru"):
        assert {"arch": arch, "activation": "tanh", "forget_bias": 2.08} in changes  # ln 8
    assert {"arch", "activation", "init"} <= {name for change in changes for name in change}
    assert {"forget_bias": 2.77} in every_change(arch="lstm", forget_bias=-3.0, batch_size=1)  # ln 16


def test_a_gate_is_opened_less_too_where_the_root_of_the_steps_is_enough(every_change):
    assert {"forget_bias": 1.39} in every_change(arch="lstm", init="torch")  # ln 4
    assert {"forget_bias": 1.04} in every_change(arch="gru", forget_bias=-3.0, steps=8)


def test_a_recurrent_gain_is_taken_back_where_there_is_one(every_change):
    linear = {"arch": "rnn", "activation": "linear", "init": "orthogonal", "batch_size": 64, "width": 32}
    assert {"recurrent_gain": 1.0} in every_change(recurrent_gain=0.5, **linear)


@pytest.mark.parametrize(
    "options",
    [
        {"arch": "rnn", "recurrent_gain": 0.3, "data": "gaussian"},
        {"arch": "lstm", "forget_bias": -3.0, "batch_size": 1},
        {"arch": "gru", "forget_bias": -3.0, "batch_size": 1},
    ],
    ids=lambda options: options["arch"],
)
def test_a_recurrence_is_offered_nothing_that_a_recurrence_has_not(options, every_change):
    changes = every_change(**options)
    assert changes
    for change in changes:
        assert set(change) <= {"arch", "activation", "init", "gain", "recurrent_gain", "forget_bias"}
        assert change.get("arch") != options["arch"]


def test_given_recurrent_weights_are_left_alone(tmp_path):
    path = tmp_path / "w.npz"
    gradcheck.simulate(arch="rnn", recurrent_gain=0.5, width=8, save_weights=path)
    report = gradcheck.simulate(arch="rnn", weights=path, suggest=True)
    assert report.verdict.status == "vanishing"
    assert report.suggestions == ()


# ---- with other seeds


#: Simulated afresh in each run, others where slow proofs are run.
FRESH = ("sigmoid", "a recurrence that forgets")


def score_of(options):
    return Experiment.from_options(options).outcome().diagnosis.verdict.score


@pytest.mark.parametrize(
    "network",
    [pytest.param(one, id=name, marks=[pytest.mark.slow] * (name not in FRESH)) for name, one in NETWORKS.items()],
)
def test_every_suggestion_raises_the_score_when_it_is_simulated_afresh_with_another_seed(network, typed):
    options = of_family(SMALL | network)
    report = gradcheck.simulate(suggest=True, **options)
    for seed in (4321, 4322):
        before = score_of(options | {"seed": seed})
        for one in report.suggestions:
            assert score_of(typed(one.command) | {"seed": seed}) > before, one.command


def test_a_change_that_only_the_users_seed_likes_is_not_suggested(monkeypatch):
    """The confirming draws score below the network as it is."""
    monkeypatch.setattr("gradcheck.simulation.cures._scores", lambda experiment, tick: [0.3, 0.0])
    assert gradcheck.simulate(suggest=True, **of_family(SMALL)).suggestions == ()


# ---- what theory knows


def perceptron(**options):
    return NetworkSpec(**options)


def test_the_critical_gain_of_the_activation_is_the_first_change():
    first, second, third, *_ = PERCEPTRON.changes(perceptron(activation="tanh", gain=0.3), 64, shallower=True)
    assert first == {"gain": 1.0}
    assert second == {"init": "lecun", "gain": 1.0, "weight_std": None}
    assert third == {"init": "orthogonal", "gain": 1.0, "weight_std": None}


def test_a_free_standard_deviation_gives_way_to_the_critical_one():
    first, *_ = PERCEPTRON.changes(perceptron(activation="relu", init="normal", weight_std=0.02), 64, shallower=True)
    assert first == {"init": "lecun", "gain": 1.414, "weight_std": None}


def test_an_activation_without_a_critical_gain_has_none_to_try():
    gains = [change.get("gain") for change in PERCEPTRON.changes(perceptron(activation="gelu"), 64, shallower=True)]
    assert set(gains) <= {None, 1.0}


def test_the_depth_that_theory_allows_is_tried_before_halves():
    changes = PERCEPTRON.changes(perceptron(activation="tanh", gain=0.8), 64, True)
    depths = [change["depth"] for change in changes if "depth" in change]
    assert depths == [depth_limit(perceptron(activation="tanh", gain=0.8)), 25, 12, 6]
    assert depths[0] == int(6 / abs(math.log(0.8**2)))  # ξ_c = 1/|log σ_w²| where the signal dies out


@pytest.mark.parametrize(
    ("spec", "hopeless"),
    [
        ({"activation": "relu", "norm": "batch", "depth": 100, "width": 512}, True),
        ({"activation": "relu", "norm": "batch", "depth": 20, "width": 512}, False),
        ({"activation": "sigmoid", "depth": 50}, True),
        ({"activation": "tanh", "norm": "batch", "depth": 500}, False),  # theory doesn't know
    ],
    ids=str,
)
def test_what_theory_knows_to_fail_is_not_simulated(spec, hopeless):
    assert is_hopeless(perceptron(**spec), 64, max_span=2.3) == hopeless


def test_batch_norm_is_never_suggested_to_a_network_that_it_makes_explode():
    report = gradcheck.simulate(activation="relu", init="he", gain=0.5, depth=60, width=16, batch_size=32, suggest=True)
    assert report.verdict.status == "vanishing"
    assert report.suggestions
    assert not any(one.changes.get("norm") == "batch" for one in report.suggestions)
