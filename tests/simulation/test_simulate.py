import inspect
import json
import math
import threading

import numpy as np
import pytest

import gradcheck
from gradcheck import NetworkSpec, Thresholds
from gradcheck.errors import GradcheckError, InputError, OptionError, OutputError
from gradcheck.render.documents import as_json
from gradcheck.spec.data import DataSpec
from gradcheck.spec.run import RunSpec

SMALL = {"depth": 4, "width": 8, "batch_size": 16}

#: The contract's network options, and what goes beyond them.
NETWORK_OPTIONS = {
    "arch", "depth", "width", "activation", "init", "gain", "weight_std", "bias_std", "norm", "residual",
    "residual_scale", "data", "batch_size", "shuffle", "weights", "save_weights", "layers", "seed", "seeds", "dtype",
    "labels", "vanish_below", "explode_above", "max_span", "min_rank",
}  # fmt: skip


def layers_of(report):
    return report.to_dict()["layers"]


def test_the_options_have_the_names_of_the_contract():
    parameters = inspect.signature(gradcheck.simulate).parameters
    assert set(parameters) >= NETWORK_OPTIONS
    assert {one.kind for one in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_the_defaults_are_those_of_the_network_the_data_the_run_and_the_thresholds():
    parameters = inspect.signature(gradcheck.simulate).parameters
    defaults = {**NetworkSpec().to_dict(), **DataSpec().to_dict(), **Thresholds().to_dict(), **vars(RunSpec())}
    given = {name: parameter.default for name, parameter in parameters.items() if name in defaults}
    left_open = {*NetworkSpec().to_dict(), "data", "batch_size"}  # None: as weights, a preset and arch say
    assert {name: given[name] for name in left_open} == dict.fromkeys(left_open)
    assert given | {name: defaults[name] for name in left_open} == defaults


def test_the_config_has_every_option_with_its_resolved_value():
    config = gradcheck.simulate(**SMALL).config
    assert set(config) == set(inspect.signature(gradcheck.simulate).parameters) - {"tick"}
    assert (config.depth, config.width, config.init, config.gain, config.bias_std) == (4, 8, "xavier", 1.0, 0.0)
    assert (config.layers, config.data, config.weights, config.suggest) == ("dense", "digits", None, False)
    assert (config.activation, config.steps, config.recurrent_gain, config.forget_bias) == ("sigmoid", None, None, None)


@pytest.mark.parametrize(("arch", "forget_bias"), [("rnn", None), ("lstm", 1.0), ("gru", 0.0)])
def test_the_config_of_a_recurrence_has_the_same_options_at_their_only_values_where_they_mean_nothing(
    arch, forget_bias
):
    config = gradcheck.simulate(arch=arch, width=8, batch_size=16).config
    assert list(config) == list(gradcheck.simulate(**SMALL).config)
    assert (config.arch, config.steps, config.width, config.activation) == (arch, 64, 8, "tanh")
    assert (config.recurrent_gain, config.forget_bias) == (1.0, forget_bias)
    assert (config.depth, config.norm, config.residual, config.residual_scale) == (1, "none", False, 1.0)


def test_the_default_network_vanishes():
    report = gradcheck.simulate()
    assert (len(report.layers), report.layers[0].fan_out) == (50, 128)
    assert report.verdict.status == "vanishing"
    assert not report.verdict.trainable
    assert report.regions[0].flag == "vanishing"
    assert report.regions[0].first_layer == 1


def test_a_tuple_gives_each_layer_its_width():
    report = gradcheck.simulate(width=(8, 16, 8), batch_size=16)
    assert [layer.fan_out for layer in report.layers] == [8, 16, 8]
    assert (report.config.depth, report.config.width) == (3, (8, 16, 8))


def test_a_list_of_widths_is_as_good_as_a_tuple():
    one, other = (gradcheck.simulate(width=width, batch_size=16) for width in ((8, 16, 8), [8, 16, 8]))
    assert layers_of(one) == layers_of(other)


@pytest.mark.parametrize(
    "options",
    [
        {"depth": np.int64(4), "width": np.int64(8), "gain": np.float64(1.5), "bias_std": np.float32(0.5)},
        {"batch_size": np.int64(16)},
        {"seed": np.int64(3), "seeds": np.int8(2)},
        {"max_span": np.float32(2.5), "min_rank": np.int64(2)},
    ],
    ids=str,
)
def test_numpys_numbers_are_as_good_as_plain_ones(options):
    plain = {name: value.item() for name, value in options.items()}
    assert as_json(gradcheck.simulate(**(SMALL | options))) == as_json(gradcheck.simulate(**(SMALL | plain)))


def test_the_same_seed_gives_the_same_document_and_another_seed_another():
    first, again, other = (as_json(gradcheck.simulate(seed=seed, **SMALL)) for seed in (7, 7, 8))
    assert first == again
    assert json.loads(first)["layers"] != json.loads(other)["layers"]


def test_a_layers_draw_does_not_depend_on_the_depth():
    shallow, deep = (gradcheck.simulate(depth=depth, width=16, batch_size=8) for depth in (10, 20))
    for name in ("weight_norm", "preactivation_std", "activation_rms"):
        assert shallow.layers[6][name] == deep.layers[6][name]
        assert shallow.layers[6][name] != shallow.layers[7][name]


def test_one_draw_of_several_is_the_same_as_alone():
    several = gradcheck.simulate(seed=3, seeds=2, **SMALL)
    singles = [gradcheck.simulate(seed=seed, **SMALL) for seed in (3, 4)]
    norms = sorted(single.layers[2].weight_norm for single in singles)
    assert [several.layers[2].weight_norm_low, several.layers[2].weight_norm_high] == norms


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"init": "he"},
        {"gain": 1.5},
        {"bias_std": 0.1},
        {"norm": "layer"},
        {"residual": True},
        {"data": "gaussian"},
        {"shuffle": False},
        {"seed": 1},
        {"dtype": "float32"},
        {"batch_size": 17},
        {"width": 9},
    ],
    ids=str,
)
def test_every_option_of_the_network_has_an_effect(options):
    assert layers_of(gradcheck.simulate(**SMALL)) != layers_of(gradcheck.simulate(**(SMALL | options)))


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"vanish_below": 0.5}, "vanishing"),
        ({"explode_above": 1.01, "activation": "relu", "init": "he", "gain": 2.0}, "exploding"),
        ({"dead_above": 0.0, "activation": "relu", "batch_size": 2}, "dead"),
        ({"saturated_above": 0.0, "activation": "relu"}, "saturated"),
    ],
)
def test_limits_of_a_layer_have_an_effect(options, flag):
    assert flag in {layer.flag for layer in gradcheck.simulate(**(SMALL | options)).layers}


def test_limits_of_the_network_have_an_effect():
    options = {"activation": "tanh", "init": "lecun", **SMALL}
    assert gradcheck.simulate(**options).verdict.status == "healthy"
    assert gradcheck.simulate(max_span=0.01, **options).verdict.status in ("vanishing", "exploding")
    assert gradcheck.simulate(min_rank=60.0, **options).verdict.status == "collapsed"


# ---- data


def test_a_users_file_is_simulated_with_its_own_labels(tmp_path, rng):
    np.savez(tmp_path / "mine.npz", x=rng.standard_normal((20, 3, 2)), y=rng.integers(0, 4, 20))
    report = gradcheck.simulate(data=tmp_path / "mine.npz", depth=2, width=5, batch_size=20)
    assert report.layers[0].fan_in == 6
    assert report.config.data == str(tmp_path / "mine.npz")
    assert 0.5 < report.output.loss < 5


def test_without_labels_the_loss_is_the_mean_squared_read_out():
    output = gradcheck.simulate(data="gaussian", **SMALL).output
    assert output.loss == pytest.approx(output.logit_rms**2)


def test_a_table_with_labels_in_its_last_column_is_simulated(tmp_path):
    rows = "".join(f"{row},{row * row},{row % 3}\n" for row in range(12))
    (tmp_path / "a.csv").write_text("a,b,class\n" + rows)
    labelled = gradcheck.simulate(data=tmp_path / "a.csv", labels=True, depth=2, width=4, batch_size=12)
    plain = gradcheck.simulate(data=tmp_path / "a.csv", depth=2, width=4, batch_size=12)
    assert (labelled.layers[0].fan_in, plain.layers[0].fan_in) == (2, 3)
    assert plain.output.loss == pytest.approx(plain.output.logit_rms**2)
    assert labelled.output.loss != pytest.approx(labelled.output.logit_rms**2)


# ---- weights


@pytest.mark.parametrize("options", [{}, {"bias_std": 0.2}, {"dtype": "float32"}, {"init": "torch_default"}], ids=str)
def test_saved_weights_give_the_same_layers_when_they_are_given(tmp_path, options):
    path = tmp_path / "w.npz"
    drawn = gradcheck.simulate(save_weights=path, activation="tanh", width=(8, 4, 6), batch_size=16, **options)
    dtype = {key: value for key, value in options.items() if key == "dtype"}
    given = gradcheck.simulate(weights=path, activation="tanh", batch_size=16, **dtype)
    assert layers_of(given) == layers_of(drawn)
    assert given.output == drawn.output
    assert (given.config.weights, given.config.init) == (str(path), None)
    assert drawn.config.save_weights == str(path)


def test_saving_weights_changes_no_number(tmp_path):
    assert layers_of(gradcheck.simulate(save_weights=tmp_path / "w.npz", **SMALL)) == layers_of(
        gradcheck.simulate(**SMALL)
    )


def test_several_draws_are_not_saved_in_one_file(tmp_path):
    with pytest.raises(OptionError, match="save_weights writes one draw, but seeds is 2"):
        gradcheck.simulate(save_weights=tmp_path / "w.npz", seeds=2, **SMALL)
    assert not list(tmp_path.iterdir())


def test_given_weights_are_not_saved_again(tmp_path):
    gradcheck.simulate(save_weights=tmp_path / "w.npz", **SMALL)
    with pytest.raises(OptionError, match=r"save_weights writes drawn weights, but weights .* gives them"):
        gradcheck.simulate(weights=tmp_path / "w.npz", save_weights=tmp_path / "again.npz")
    assert not (tmp_path / "again.npz").exists()


def test_a_folder_that_is_not_there_takes_no_weights(tmp_path):
    with pytest.raises(OutputError, match="doesn't exist"):
        gradcheck.simulate(save_weights=tmp_path / "none" / "w.npz", **SMALL)


@pytest.mark.parametrize("option", ["depth", "width", "init", "gain", "weight_std", "bias_std"])
def test_options_of_drawn_weights_are_refused_beside_given_ones(tmp_path, option):
    gradcheck.simulate(save_weights=tmp_path / "w.npz", **SMALL)
    value = "he" if option == "init" else 1
    with pytest.raises(OptionError, match=f"{option} goes with drawn weights"):
        gradcheck.simulate(weights=tmp_path / "w.npz", **{option: value})


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"none.npz: no such file"):
        gradcheck.simulate(weights="none.npz")
    with pytest.raises(InputError, match=r"none.csv: no such file"):
        gradcheck.simulate(data="none.csv")


# ---- suggestions


def test_suggestions_are_made_when_asked_for_or_when_they_take_a_moment_only(monkeypatch):
    monkeypatch.setattr("gradcheck.simulation.cures.cures", lambda *_: ("one",))
    assert gradcheck.simulate(**SMALL).suggestions is None
    assert gradcheck.simulate(suggest=False, **SMALL).suggestions is None
    assert gradcheck.simulate(suggest=True, **SMALL).suggestions == ("one",)
    assert gradcheck.simulate(suggest=None, **SMALL).suggestions == ("one",)
    monkeypatch.setattr("gradcheck.simulation.experiment.A_MOMENT", 10)
    assert gradcheck.simulate(suggest=None, **SMALL).suggestions is None
    assert gradcheck.simulate(suggest=True, **SMALL).suggestions == ("one",)


def test_the_config_says_whether_suggestions_were_made():
    for asked, resolved in [(False, False), (None, True), (True, True)]:
        assert gradcheck.simulate(suggest=asked, activation="tanh", init="lecun", **SMALL).config.suggest is resolved


def test_every_layer_on_both_ways_ticks():
    shares = []
    gradcheck.simulate(tick=shares.append, **SMALL)
    assert len(shares) == 2 * 4
    assert shares[-1] == 1


# ---- bad options


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"arch": "cnn"}, "arch"),
        ({"activation": "relo"}, "activation"),
        ({"init": "xaver"}, "init"),
        ({"norm": "group"}, "norm"),
        ({"depth": 0}, "depth"),
        ({"width": 0}, "width"),
        ({"gain": 0}, "gain"),
        ({"gain": float("nan")}, "gain"),
        ({"weight_std": 0.1}, "weight_std"),
        ({"init": "normal"}, "init"),
        ({"bias_std": -1}, "bias_std"),
        ({"norm": "batch", "batch_size": 1}, "batch_size"),
        ({"batch_size": 1798}, "batch_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"data": "digit"}, "data"),
        ({"labels": True}, "labels"),
        ({"layers": "weightles"}, "layers"),
        ({"seed": -1}, "seed"),
        ({"seeds": 0}, "seeds"),
        ({"dtype": "float16"}, "dtype"),
        ({"max_span": -1}, "max_span"),
        ({"vanish_below": 1e4}, "vanish_below"),
        ({"weights": "w.pt"}, "w.pt"),
    ],
    ids=str,
)
def test_a_bad_option_is_refused_by_its_name_in_one_line(options, flag):
    with pytest.raises(GradcheckError) as caught:
        gradcheck.simulate(**options)
    assert str(caught.value).startswith(flag)
    assert "\n" not in str(caught.value)


def test_a_misspelt_option_is_an_error_that_names_the_right_one():
    with pytest.raises(gradcheck.GradcheckError, match=r"simulate\(\) has no option 'depht'; did you mean 'depth'\?"):
        gradcheck.simulate(depht=5)


@pytest.mark.parametrize(("moment", "beside"), [(0, True), (1e9, False)])
def test_of_a_large_network_theory_is_made_by_another_thread_and_the_report_is_the_same(
    moment, beside, on_threads, monkeypatch
):
    from gradcheck.simulation import simulate as room

    alone, found = gradcheck.simulate(**SMALL), []

    def predicted(experiment):
        found.append(threading.get_ident())
        begun.set()
        return expected(experiment)

    def outcome(experiment, *rest):
        if beside:
            assert begun.wait(timeout=60)
        return measured(experiment, *rest)

    begun, expected, measured = threading.Event(), room.predicted, room.Experiment.outcome
    monkeypatch.setattr("gradcheck.simulation.experiment.A_MOMENT", moment)
    monkeypatch.setattr(room, "predicted", predicted)
    monkeypatch.setattr(room.Experiment, "outcome", outcome)
    assert on_threads(2, lambda: gradcheck.simulate(**SMALL)).to_dict() == alone.to_dict()
    assert (found != [threading.get_ident()]) == beside


def test_a_loss_that_starts_far_above_guessing_is_said():
    said = gradcheck.simulate(residual=True).verdict.causes[-1]
    assert (said.code, said.limit) == ("first-loss", pytest.approx(math.log(10)))
    assert said.value > 10 * said.limit
    for near in ({"residual_scale": 0.141}, {"data": "gaussian"}):
        causes = gradcheck.simulate(residual=True, **near).verdict.causes
        assert "first-loss" not in [cause.code for cause in causes]


def test_a_column_that_drowns_the_others_is_named(tmp_path, rng):
    columns = rng.standard_normal((64, 5)) * [1, 20, 49_000, 2, 0]
    np.savez(tmp_path / "x.npz", x=columns)
    np.savez(tmp_path / "apart.npz", x=columns[:, :4] / columns[:, :4].std(0))
    named, apart = (
        gradcheck.simulate(depth=4, width=8, data=tmp_path / name, suggest=False) for name in ("x.npz", "apart.npz")
    )
    (cause,) = (one for one in named.verdict.causes if one.code == "columns-apart")
    assert 2000 < cause.value < 49_000
    assert "column 3 of the data" in cause.text
    assert "columns-apart" not in [one.code for one in apart.verdict.causes]
