import inspect
import json
import math
import shlex
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import typer

import gradcheck
from gradcheck.cli.app import app
from gradcheck.clipping import clip
from gradcheck.engine.magnitude import joint_norm
from gradcheck.errors import GradcheckError, OptionError
from gradcheck.spec.clip_rules import RULES, Rule
from gradcheck.spec.demonstration import demo_command_line
from gradcheck.training.demonstration import Demonstration
from gradcheck.training.sgd import train
from gradcheck.training.strategy import LEARNED
from gradcheck.training.threshold import WARM_UP

SMALL = {"width": 16, "epochs": 1, "batch_size": 256}
MLP = {"network": "mlp", "depth": 2, "activation": "tanh", **SMALL}

BY_FACTOR = ("norm", "global-norm", "percentile", "zscore")

COMMAND = typer.main.get_command(app).commands["clip-demo"]


def demonstration(**options):
    return Demonstration.from_options(SMALL | options)


def arrays_of(network):
    return [array for _, one in network.maps for array in one]


@pytest.fixture(scope="module")
def default(shared):
    """The demonstration as it is when nobody says anything; it is run once."""
    return shared("default", gradcheck.clip_demo)


@pytest.fixture(scope="module")
def strategies(default):
    """The name of a rule ↦ what became of its run."""
    return {one.name: one for one in default.strategies}


# ---- the default shows what it should


@pytest.mark.slow
def test_by_default_there_is_one_strategy_of_each_kind(default):
    assert [one.name for one in default.strategies] == list(RULES)
    assert default.complete


@pytest.mark.slow
def test_by_default_the_gradient_explodes_before_any_training(default):
    assert default.start.status == "exploding"
    assert default.start.mean_local_gain > 1


@pytest.mark.slow
def test_without_clipping_the_default_diverges(strategies, default):
    one = strategies["none"]
    assert (one.diverged, one.status) == (True, "diverged")
    assert one.final_accuracy < 0.5
    limit = 2 * one.series.loss[0]
    after = [loss is None or loss > limit for loss in one.series.loss[one.diverged_at_step - 1 :]]
    assert after[0]
    assert 2 * sum(after) > len(after)


@pytest.mark.slow
def test_at_least_two_rules_save_the_default(default):
    learned = [one for one in default.strategies if one.final_accuracy >= LEARNED]
    assert len(learned) >= 2
    assert all(one.name != "none" and one.status == "learned" and not one.diverged for one in learned)
    assert default.verdict.status == "saved"
    assert default.verdict.best == max(learned, key=lambda one: one.final_accuracy).rule


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_FACTOR)
def test_a_factor_keeps_the_direction_of_the_default(name, strategies):
    assert strategies[name].mean_cosine == pytest.approx(1, abs=1e-12)
    if name != "norm":
        assert strategies[name].mean_global_cosine == pytest.approx(1, abs=1e-12)


@pytest.mark.slow
def test_values_turn_the_direction_of_the_default(strategies):
    assert strategies["value"].mean_cosine < 0.99
    assert strategies["value"].clipped_fraction > 0
    assert "turns the direction" in strategies["value"].conclusion


@pytest.mark.slow
def test_all_strategies_start_alike(default):
    first = {(one.series.loss[0], one.series.gradient_norm[0]) for one in default.strategies}
    assert len(first) == 1


@pytest.mark.slow
def test_a_run_does_what_its_threshold_says(strategies):
    one = strategies["global-norm"]
    assert all(norm <= one.threshold * (1 + 1e-12) for norm in one.series.clipped_norm)
    assert set(one.series.threshold) == {one.threshold}
    assert one.clipped_fraction == np.mean([norm > one.threshold for norm in one.series.gradient_norm])
    assert one.largest_norm_before == max(one.series.gradient_norm)


# ---- what it is made of


@pytest.mark.parametrize("options", [{}, MLP, {"network": "lstm"}, {"network": "gru", "dtype": "float32"}], ids=str)
def test_every_run_finds_the_same_network_with_arrays_of_its_own(options):
    one = demonstration(**options)
    first, second = one.network(), one.network()
    assert all(map(np.array_equal, arrays_of(first), arrays_of(second)))
    assert not any(map(np.shares_memory, arrays_of(first), arrays_of(second)))
    assert all(array is not None for array in arrays_of(first))
    before = [array.copy() for array in arrays_of(second)]
    one.run(Rule("none"))
    assert all(map(np.array_equal, arrays_of(one.network()), before))


def test_the_network_is_the_one_that_simulate_draws():
    start = gradcheck.clip_demo(**MLP, clip=["none"]).start
    report = gradcheck.simulate(depth=2, activation="tanh", width=16, batch_size=256)
    assert (start.status, start.gradient_span) == (report.verdict.status, report.summary.gradient_span)
    assert start.mean_local_gain == report.summary.mean_local_gain
    assert start.parameters == 64 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


def test_a_strategy_does_not_depend_on_the_others():
    alone = gradcheck.clip_demo(**SMALL, clip=["zscore:1"]).strategies[0]
    among = gradcheck.clip_demo(**SMALL, clip=["none", "percentile:5", "zscore:1"]).strategies[2]
    assert alone == among


@pytest.mark.parametrize("options", [SMALL, MLP, SMALL | {"data": "gaussian", "steps": 4}], ids=str)
def test_the_same_seed_is_the_same_report_and_another_is_another(options):
    rules = ["none", "percentile"]
    one, same, other = (gradcheck.clip_demo(**options, clip=rules, seed=seed).to_dict() for seed in (3, 3, 4))
    assert one == same
    assert one["strategies"] != other["strategies"]


def test_two_demonstrations_at_once_do_not_disturb_each_other():
    options = SMALL | {"clip": ["none", "percentile", "zscore"]}
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(gradcheck.clip_demo, **options, seed=seed) for seed in (0, 1)]
        together = [call.result() for call in calls]
    assert together == [gradcheck.clip_demo(**options, seed=seed) for seed in (0, 1)]


def test_a_rule_that_never_clips_does_what_none_does():
    none, never = gradcheck.clip_demo(**SMALL, clip=["none", "global-norm:1e9"]).strategies
    assert (none.series.loss, none.final_loss) == (never.series.loss, never.final_loss)
    assert "it does what none does" in never.conclusion


def test_tick_is_called_with_the_rule_after_each_step():
    ticks = []
    report = gradcheck.clip_demo(**SMALL, clip=["none", "norm:1"], tick=ticks.append)
    steps = [one.steps for one in report.strategies]
    assert steps == [7, 7]
    assert sorted(map(str, ticks)) == ["none"] * 7 + ["norm:1"] * 7


def test_the_number_of_steps_is_known_before():
    assert demonstration(epochs=3).steps == 21
    assert demonstration(batch_size=1000).steps == 1


@pytest.mark.parametrize("policy", ["skip", "stop", "zero"])
def test_a_network_that_overflows_is_reported_under_every_policy(policy):
    overflowing = {"network": "mlp", "depth": 3, "activation": "relu", "init": "he", "gain": 1e200}
    report = gradcheck.clip_demo(**SMALL | overflowing, nonfinite=policy)
    for one in report.strategies:
        assert one.first_nonfinite_step == 1
        assert one.first_nonfinite_tensor == "W_out"
        assert one.nonfinite_steps == one.steps == (1 if policy == "stop" else 7)
        assert one.status == ("stopped" if policy == "stop" else "diverged")
    assert report.verdict.status == "lost"


@pytest.mark.parametrize("rule", ["zscore", "percentile", "agc", "norm"])
def test_a_network_whose_gradients_are_huge_and_finite_is_no_traceback(rule):
    """A norm of 1e240 has no square; 35 steps are more than zscore watches."""
    huge = {"network": "mlp", "depth": 4, "activation": "relu", "init": "he", "gain": 1e60, "lr": 1e-300}
    [one] = gradcheck.clip_demo(**SMALL | huge | {"epochs": 5}, clip=[rule]).strategies
    assert one.largest_norm_before > 1e200
    assert one.nonfinite_steps == 0


# ---- a suggested threshold


@pytest.mark.parametrize("options", [{}, {"epochs": 5}, MLP], ids=str)
def test_a_suggested_threshold_comes_from_unclipped_steps(options):
    one = demonstration(**options, clip=["none", "suggest"])
    steps = list(train(one.network(), one.training_batches(), gradcheck.clipping.Clipper("none"), one.training))[
        :WARM_UP
    ]
    norms = [step.report.norm_before for step in steps]
    bearable = 0.01 * joint_norm(arrays_of(one.network())).value * 0.1 / 0.3
    expected = float(f"{min(np.median(norms), bearable):.2g}")
    assert one.rules == (Rule("none"), Rule("global-norm", expected))
    assert f"median norm of {min(len(norms), WARM_UP)} unclipped steps" in one.suggestion.how


def test_the_report_says_how_the_threshold_came_about():
    report = gradcheck.clip_demo(**SMALL, clip=["suggest"])
    assert report.suggestion.startswith(f"{report.strategies[0].rule} ")
    assert report.config.clip == (report.strategies[0].rule,)
    assert gradcheck.clip_demo(**SMALL, clip=["none"]).suggestion is None


def test_a_suggested_threshold_that_is_typed_as_well_runs_once():
    rule = gradcheck.clip_demo(**SMALL, clip=["suggest"]).strategies[0].rule
    report = gradcheck.clip_demo(**SMALL, clip=[rule, "suggest", "none"])
    assert [one.rule for one in report.strategies] == [rule, "none"]


def test_nothing_can_be_suggested_where_no_gradient_is_finite():
    with pytest.raises(OptionError, match="clip suggest: of 7 unclipped steps none has a finite gradient"):
        gradcheck.clip_demo(**SMALL | {"network": "mlp", "activation": "relu", "gain": 1e200}, clip=["suggest"])


@pytest.mark.slow
def test_a_suggestion_trains():
    rules = ["none", "suggest"]
    none, suggested = gradcheck.clip_demo(clip=rules, epochs=8, batch_size=64).strategies
    assert suggested.final_accuracy > none.final_accuracy + 0.2


# ---- the config, and the command that gives it again

CONFIGS = [
    {},
    {"clip": ["norm:0.5", "none"]},
    {"sequence": "pixels", "width": 8},
    {"steps": 16, "recurrent_gain": 1.0, "init": "xavier"},
    {"network": "lstm", "forget_bias": 2.0, "lr": 0.05, "momentum": 0.0},
    {"network": "gru", "bias_std": 0.1, "dtype": "float32", "nonfinite": "stop"},
    {"data": "gaussian", "steps": 3, "activation": "relu"},
    {"data": "gaussian", "shuffle": False, "seed": 5},
    MLP,
    MLP | {"width": (8, 16), "norm": "layer"},
    MLP | {"residual": True, "residual_scale": 0.5, "init": "normal", "weight_std": 0.1},
]


def again(command):
    """The config that the command's own options make of a command line."""
    program, name, *words = shlex.split(command)
    assert (program, name) == ("gradcheck", "clip-demo")
    options = COMMAND.make_context("clip-demo", words).params
    return Demonstration.from_options(options).report([]).config


@pytest.mark.parametrize("options", CONFIGS, ids=str)
def test_the_command_of_a_config_gives_the_same_config(options):
    config = demonstration(**{"epochs": 2, **options}).report([]).config
    assert again(demo_command_line(config)) == config


@pytest.mark.parametrize("options", CONFIGS, ids=str)
def test_a_change_to_the_command_changes_that_alone(options):
    config = demonstration(**options).report([]).config
    assert again(demo_command_line(config, lr=0.125, seed=9)) == config.to_dict() | {"lr": 0.125, "seed": 9}
    assert again(demo_command_line(config, clip=["zscore:3"])).clip == ("zscore:3",)


def test_the_command_of_the_default_is_the_bare_one():
    assert demo_command_line(Demonstration.from_options({}).report([]).config) == "gradcheck clip-demo"


@pytest.mark.parametrize("data", [{}, {"data": "gaussian"}], ids=["digits", "gaussian"])
@pytest.mark.parametrize("steps", [None, 4, 64])
def test_the_command_for_given_weights_gives_the_same_config(data, steps, tmp_path):
    per_step = 16 if steps == 4 and not data else 1 if steps == 64 and not data else 64 if data else 8
    rng = np.random.default_rng(0)
    shapes = {"W_x": (per_step, 5), "W_h": (5, 5), "W_out": (5, 10)}
    np.savez(tmp_path / "w.npz", **{name: rng.standard_normal(shape) for name, shape in shapes.items()})
    options = {"weights": str(tmp_path / "w.npz"), **data} | ({} if steps is None else {"steps": steps})
    config = Demonstration.from_options(options).report([]).config
    assert again(demo_command_line(config)) == config


@pytest.mark.parametrize("steps", [None, 16, 64, 128])
def test_the_command_for_a_file_gives_the_same_config(steps, tmp_path):
    np.save(tmp_path / "two words.npy", np.random.default_rng(0).standard_normal((70, 128)))
    options = {"data": str(tmp_path / "two words.npy")} | ({} if steps is None else {"steps": steps})
    config = demonstration(**options | {"batch_size": 32}).report([]).config
    assert config.steps == (steps or 128)
    assert again(demo_command_line(config)) == config


def test_a_threshold_is_in_the_command_with_all_its_digits():
    config = demonstration(clip=["norm:0.123456789"]).report([]).config
    assert demo_command_line(config).endswith("clip norm:0.123456789")


# ---- the interface


def test_every_option_is_in_the_config():
    config = demonstration().report([]).config
    options = set(inspect.signature(gradcheck.clip_demo).parameters) - {"tick", "workers"}
    assert options | {"arch"} == set(config)


@pytest.mark.parametrize(
    "options",
    [{"network": "cnn"}, {"clip": ["norms:1"]}, {"clip": ["norm:-1"]}, {"lr": 0}, {"momentum": 1}, {"epochs": 0},
     {"nonfinite": "no"}, {"depth": 3}, {"network": "mlp", "steps": 3}, {"network": "mlp", "recurrent_gain": 2.0},
     {"batch_size": 2000}, {"steps": 7}, {"width": (8, 8)}, {"forget_bias": 1.0}, {"norm": "layer"}, {"seed": -1},
     {"data": "missing.npy"}, {"network": "lstm", "activation": "relu"}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_demonstrated_is_one_line(options):
    with pytest.raises(GradcheckError) as caught:
        gradcheck.clip_demo(**options)
    assert "\n" not in str(caught.value)


def test_an_error_names_no_option_that_nobody_gave():
    with pytest.raises(OptionError) as caught:
        gradcheck.clip_demo(width=(8, 8))
    assert caught.value.option == "width"


def test_numbers_may_be_numpy_s():
    numpy_s = {"seed": np.int64(1), "lr": np.float64(0.1), "epochs": np.int64(1)}
    report = gradcheck.clip_demo(**SMALL | numpy_s, clip=["none"])
    assert report == gradcheck.clip_demo(**SMALL | {"seed": 1, "lr": 0.1}, clip=["none"])
    json.dumps(report.to_dict())


def test_clip_is_offered_under_its_public_name():
    assert gradcheck.clipping.clip is clip
    assert not math.isnan(clip([np.ones(2)], "norm:1")[1].kept)
