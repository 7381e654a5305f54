"""Calls of the public functions that don't fit: one line that says what would, whichever function it is."""

import numpy as np
import pytest

import gradcheck
from gradcheck.base.calls import public
from gradcheck.errors import CallError, GradcheckError


def refusal(function, *values, **options):
    with pytest.raises(GradcheckError) as caught:
        function(*values, **options)
    return str(caught.value)


MISSPELT = {
    "simulate": {"depht": 5},
    "theory": {"widht": 5},
    "clip_demo": {"epoch": 5},
    "rate": {"optimiser": "adam"},
    "verify": {"sed": 1},
    "diagnose": {"max_nrm": 1.0},
    "explain": {"topics": "dead"},
    "catalogue": {"kinds": "norms"},
    "json_schema": {"comand": "simulate"},
}


@pytest.mark.parametrize("function", MISSPELT)
def test_a_misspelt_option_names_the_function_and_the_nearest_option(function):
    (name,) = MISSPELT[function]
    text = refusal(getattr(gradcheck, function), **MISSPELT[function])
    assert text.startswith(f"{function}() has no option {name!r}; did you mean '"), text
    assert "allowed: " in text


def test_what_is_missing_or_given_by_place_is_said_with_what_there_is():
    assert refusal(gradcheck.compare).startswith("compare() is missing a required argument: 'grid'; options are given")
    assert refusal(gradcheck.simulate, 50).startswith("simulate() has too many positional arguments; options are given")


def test_an_option_that_belongs_elsewhere_is_sent_there():
    assert refusal(gradcheck.compare, depth=[10, 50]).endswith("it belongs into the grid: compare({'depth': [...]})")
    assert refusal(gradcheck.clip_demo, arch="lstm").endswith("here it is network, as in clip_demo(network='lstm')")
    assert "seeds, limits and the like go beside the grid" in refusal(gradcheck.compare, {"depth": 5, "seeds": 2})


def test_a_wrong_call_is_still_a_type_error():
    with pytest.raises(TypeError):
        gradcheck.simulate(depht=5)
    assert issubclass(CallError, GradcheckError)


def test_a_class_is_called_by_its_own_name():
    class Ruler:
        @public
        def __init__(self, length):
            self.length = length

    assert Ruler(3).length == 3
    assert refusal(Ruler, lenght=3) == "Ruler() has no option 'lenght'; did you mean 'length'? allowed: length"


def test_a_tick_that_cannot_be_called_is_refused_before_any_work():
    assert refusal(gradcheck.simulate, tick=5) == "tick=5 can't be called; give a function, or None"


@pytest.mark.parametrize("kind", ["NetworkSpec", "RecurrentSpec", "TransformerSpec", "Thresholds"])
def test_so_does_a_description(kind):
    assert refusal(getattr(gradcheck, kind), maxspan=3).startswith(f"{kind}() has no option 'maxspan'; ")


def test_so_do_the_clipping_rules():
    gradients = [np.ones(3)]
    assert "did you mean 'unit_axis'?" in refusal(gradcheck.clipping.clip, gradients, "norm:1", unitaxis=0)
    assert refusal(gradcheck.clipping.Clipper).startswith("Clipper() is missing a required argument: 'rule'")
    assert refusal(gradcheck.clipping.clip, 5, "norm:1") == "clip takes a list of arrays, not 5"


# ---- values of a wrong type


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"depth": "5"}, "depth='5' is not a whole number of at least 1: "),
        ({"depth": []}, "depth=[] is not a whole number of at least 1: "),
        ({"depth": [5, 10]}, "depth takes one value; to compare several: gradcheck.compare({'depth': [5, 10]})"),
        ({"width": []}, "width names 0 layers but depth is 50"),
        ({"width": [64, "a"]}, "width=[64, 'a'] is not a whole number of at least 1: "),
        ({"gain": "2"}, "gain='2' is not a finite number above 0: "),
        ({"gain": 10**400}, "gain=1000"),
        ({"residual": "yes"}, "residual='yes' is neither True nor False"),
        ({"activation": 5}, "activation=5 is unknown; allowed: linear, "),
        ({"data": 5}, "data=5 is of the wrong type; allowed: a text, a path, None"),
        ({"data": np.zeros((3, 4))}, "data=[[0.0, 0.0, "),
    ],
)
def test_a_value_of_a_wrong_type_is_shown_with_what_is_allowed(options, text):
    said = refusal(gradcheck.simulate, **options)
    assert said.startswith(text)
    assert "\n" not in said
    assert len(said) < 250


@pytest.mark.parametrize("grid", [None, 5, "depth", [10, 50]])
def test_a_grid_that_is_no_mapping_says_what_one_looks_like(grid):
    assert "is no mapping of options to values; write {'depth': [10, 50]}" in refusal(gradcheck.compare, grid)


def test_an_executor_is_one_and_a_window_holds_a_row():
    assert "executor='dask' is no executor" in refusal(gradcheck.compare, {"depth": 2}, executor="dask")
    assert refusal(gradcheck.compare, {"depth": 2}, window=0).startswith("window=0 is not a whole number of at least 1")


def test_numpys_numbers_and_arrays_are_taken_where_pythons_are():
    report = gradcheck.simulate(
        depth=np.int64(3), width=np.array([8, 8, 8]), gain=np.float32(1), residual=np.bool_(True), dtype=np.float32
    )
    config = report.config
    assert (config.depth, config.width, config.gain, config.residual) == (3, (8, 8, 8), 1.0, True)
    assert [type(value) for value in (config.depth, config.gain, config.residual)] == [int, float, bool]
    assert config.dtype == "float32"


def test_descriptions_keep_plain_numbers():
    limits = gradcheck.Thresholds(max_span=np.float32(3), min_rank=2)
    assert [type(value) for value in (limits.max_span, limits.min_rank)] == [float, float]


# ---- names


@pytest.mark.parametrize(
    ("options", "canonical"),
    [
        ({"activation": "ReLU", "init": "Kaiming_Normal"}, {"activation": "relu", "init": "he"}),
        ({"activation": "LeakyReLU", "norm": "LayerNorm"}, {"activation": "leaky_relu", "norm": "layer"}),
        ({"activation": "GELU", "init": "Glorot uniform"}, {"activation": "gelu", "init": "xavier_uniform"}),
        ({"activation": "Swish", "norm": "Batch-Norm"}, {"activation": "silu", "norm": "batch"}),
        ({"arch": "LSTM", "steps": 8}, {"arch": "lstm"}),
        ({"data": "Gaussian", "dtype": "Float32"}, {"data": "gaussian", "dtype": "float32"}),
    ],
)
def test_names_are_taken_in_any_case_and_as_others_call_them(options, canonical):
    config = gradcheck.simulate(**{"width": 8, **options}).config
    assert {name: config[name] for name in canonical} == canonical


def test_so_are_those_of_grids_rules_checks_and_presets():
    grid = gradcheck.compare({"Activation": ["ReLU", "relu", "GELU"], "depth": 2, "width": 8}, seeds=1, sort="Span")
    assert grid.grid.values["activation"] == ("relu", "gelu")
    assert grid.order == "span"
    assert gradcheck.verify(only="Loss", dtype="Single").passed
    assert gradcheck.clipping.Clipper("Global_Norm:2").rule.name == "global-norm"
    assert (
        gradcheck.TransformerSpec(activation="SwiGLU", norm="RMSNorm", residual_scale="GPT2").residual_scale == "gpt2"
    )
    assert gradcheck.json_schema("Clip_Demo")["title"] == "gradcheck clip-demo"
