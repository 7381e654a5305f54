"""Each reason why theory has no number: a network that has it, found by its code, never by its words."""

import pickle

import pytest

import gradcheck
from gradcheck.errors import OptionError
from gradcheck.mean_field.prediction import predict
from gradcheck.mean_field.unknown import ENDLESS, SENTENCES, Unknown
from gradcheck.simulation.expectation import predicted
from gradcheck.simulation.experiment import Experiment
from gradcheck.spec import NetworkSpec, RecurrentSpec, TransformerSpec

PREDICTED = {
    "many_steps": RecurrentSpec(arch="rnn", steps=513),
    "given_weights": NetworkSpec(init=None),
    "float_range": NetworkSpec(activation="gelu", gain=1e200),
    "flat": NetworkSpec(activation="step"),
    "no_branch": NetworkSpec(activation="tanh", residual=True, residual_scale=0.0),
    "batch_norm_residual": NetworkSpec(activation="relu", norm="batch", residual=True),
    "batch_norm_activation": NetworkSpec(activation="tanh", norm="batch"),
    "batch_size": NetworkSpec(activation="linear", norm="batch"),
    "many_tokens": TransformerSpec(tokens=513),
}

#: Code ↦ the number that it explains, and the options of a network that lacks it.
REPORTED = {
    "unlike_widths": ("fixed_point", {"width": (64, 32), "init": "normal", "weight_std": 0.1}),
    "residual": ("fixed_point", {"residual": True}),
    "steps": ("fixed_point", {"arch": "rnn", "steps": 2, "width": 4}),
    "blocks": ("fixed_point", {"arch": "transformer", "blocks": 1, "model_width": 8, "heads": 1, "tokens": 2}),
    "endless": ("deepest_trainable", {"activation": "relu", "init": "he"}),
    "unbounded": ("variance", {"activation": "relu", "init": "he", "gain": 2.0}),
    "unbounded_depth": ("deepest_trainable", {"activation": "relu", "init": "he", "gain": 2.0}),
    "dies_out": ("correlation", {"activation": "tanh", "gain": 0.5}),
    "flat_at_any_scale": ("critical_gain", {"activation": "step"}),
    "norm_without_biases": ("critical_sigma_w", {"activation": "tanh", "norm": "layer"}),
    "norm": ("critical_sigma_w", {"activation": "linear", "norm": "layer", "bias_std": 0.5}),
    "no_crossing": ("critical_sigma_w", {"activation": "softplus"}),
    "batch_norm": ("correlation", {"activation": "relu", "norm": "batch"}),
    "batch_norm_depth": ("deepest_trainable", {"activation": "relu", "norm": "batch"}),
    "batch_norm_scale": ("critical_gain", {"activation": "relu", "norm": "batch"}),
}


@pytest.mark.parametrize("code", PREDICTED)
def test_a_network_that_theory_cant_predict_has_the_code_of_its_reason(code):
    assert predict(PREDICTED[code], input_square=1.0, batch_size=3).code == code


@pytest.mark.parametrize("code", REPORTED)
def test_a_number_that_theory_doesnt_know_has_the_code_of_its_reason(code):
    name, options = REPORTED[code]
    report = gradcheck.theory(**options)
    assert report.reasons[name].code == code
    assert report.reasons[name] == report.to_dict()["reasons"][name]


def test_a_batch_of_zeros_has_a_code_of_its_own(tmp_path):
    file = tmp_path / "first_zeros.csv"
    file.write_text("0,0\n0,0\n1,-1\n")
    options = {"data": str(file), "batch_size": 2, "shuffle": False}
    assert predicted(Experiment.from_options(options)) == Unknown("inputs")


def test_a_plane_that_batch_norm_empties_is_refused_with_its_reason():
    with pytest.raises(OptionError, match="norm batch undoes both scales"):
        gradcheck.theory(activation="relu", norm="batch", phase_diagram=True)


def test_every_reason_has_a_network():
    assert {*PREDICTED, *REPORTED, "inputs", "batch_norm_plane"} == set(SENTENCES)


def test_an_infinite_number_is_known_by_the_code_of_its_reason(monkeypatch):
    def shown():
        return str(gradcheck.theory(activation="relu", init="he"))

    before = shown()
    monkeypatch.setitem(SENTENCES, ENDLESS, "other words")
    assert shown() == before


def test_a_reason_is_whole_after_pickling():
    copy = pickle.loads(pickle.dumps(Unknown("batch_size", 3)))
    assert (copy, copy.code, copy.value) == (Unknown("batch_size", 3).reason, "batch_size", 3)
