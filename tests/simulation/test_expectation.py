import math

import numpy as np
import pytest

import gradcheck
from gradcheck.simulation.expectation import expectation, predicted
from gradcheck.simulation.experiment import Experiment


def expected(**options):
    experiment = Experiment.from_options(options)
    return expectation(experiment, experiment.outcome(), predicted(experiment))


AGREEING = [
    {"activation": "sigmoid"},
    {"activation": "tanh", "init": "lecun", "seeds": 3},
    {"activation": "relu", "init": "he", "depth": 20, "width": 256},
    {"activation": "relu", "init": "he", "norm": "batch", "depth": 20, "width": 256, "batch_size": 256},
    {"activation": "tanh", "norm": "rms", "residual": True},
    {"activation": "gelu", "init": "he_uniform", "depth": 10, "width": (256, 128, 256)},
    {"activation": "tanh", "init": "lecun", "width": 2048, "depth": 8},
]


#: Of the same kinds as others.
ALIKE = [
    {"activation": "tanh", "init": "lecun", "gain": 1.5},
    {"activation": "relu", "init": "he", "norm": "layer", "depth": 20},
    {"activation": "selu", "init": "orthogonal"},
    {"activation": "linear", "init": "orthogonal", "depth": 100},
]


@pytest.mark.parametrize("options", [*AGREEING, *(pytest.param(one, marks=pytest.mark.slow) for one in ALIKE)], ids=str)
def test_measurements_agree_where_theory_holds(options):
    if isinstance(options.get("width"), tuple):
        options = {name: value for name, value in options.items() if name != "depth"}
    found = expected(**options)
    assert found.agrees is True
    assert found.says.startswith("as theory predicts: ")


def test_of_layers_that_are_narrow_for_their_depth_it_says_that_theory_is_of_wide_ones():
    found = expected(activation="gelu", init="he")
    assert found.agrees is False
    assert found.says.startswith("theory predicts 0.769 a layer, 5.6 ±0.23 decades; it is theory of wide layers")
    assert "depth/width 0.39" in found.says


def test_an_orthogonal_linear_recurrence_keeps_its_gradient_as_theory_predicts():
    assert expected(arch="rnn", activation="linear", init="orthogonal").says == (
        "as theory predicts: 1 a step, 0 decades"
    )


def test_of_a_recurrence_that_is_narrow_for_its_steps_it_says_that_theory_is_of_wide_layers():
    found = expected(arch="rnn", activation="linear", init="lecun")
    assert found.agrees is None
    assert found.says.startswith("theory predicts 1 a step, 0 decades; it is theory of wide layers")
    assert "steps^2/width 32" in found.says


def test_a_gradient_that_depends_on_the_signal_is_outside_the_theory():
    """Without labels the targets are zero: the gradient at the outputs is the outputs."""
    found = expected(activation="relu", init="he", residual=True, depth=15, seeds=20, data="gaussian")
    assert found.agrees is False
    assert "the measurement doesn't agree" in found.says


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"arch": "rnn", "steps": 4, "activation": "step"}, "nothing passes backwards"),
        ({"arch": "transformer", "activation": "step", "blocks": 1, "model_width": 16, "heads": 2}, "passes backwards"),
        ({"activation": "step", "depth": 3}, "nothing passes backwards"),
        ({"activation": "tanh", "norm": "batch", "depth": 3}, "rate of batch norm is published for relu and linear"),
    ],
    ids=str,
)
def test_where_theory_has_no_answer_it_says_so_and_gives_none(options, why):
    found = expected(**options)
    assert why in found.says
    assert all(found[name] is None for name in found if name != "says")


def test_given_weights_have_no_law_to_predict_from(tmp_path):
    np.savez(tmp_path / "w.npz", W1=np.eye(64, 8), W2=np.eye(8), W_out=np.eye(8, 10))
    assert "these are given" in expected(weights=tmp_path / "w.npz").says


def test_what_overflows_is_predicted_but_not_compared():
    found = expected(activation="linear", depth=400, init="normal", weight_std=10.0, width=16)
    assert found.agrees is None


def test_one_layer_has_no_factor():
    found = expected(depth=1)
    assert (found.mean_local_gain, found.local_gains) == (None, (None,))


def test_the_report_has_the_prediction_beside_each_measured_gain():
    report = gradcheck.simulate(depth=6, width=512, activation="tanh", init="lecun")
    *gains, last = report.prediction.local_gains
    assert last is None
    assert gains == pytest.approx([layer.local_gain for layer in report.layers[:-1]], rel=0.15)
    assert math.prod(gains) == pytest.approx(10**report.prediction.log10_gradient_ratio, rel=1e-12)
    assert report.prediction.mean_local_gain == pytest.approx(math.prod(gains) ** (1 / 5), rel=1e-12)
    assert report.to_dict()["prediction"] == report.prediction
    assert "as theory predicts: " in str(report)
    assert [line.split()[4] for line in str(report).splitlines() if line.lstrip().startswith("layer  gr")] == ["theory"]


def test_an_agreement_does_not_hang_on_luck():
    """Of 24 networks that theory knows, each with a seed of its own, hardly one lies outside its band."""
    agreeing = [
        expected(activation=activation, init=init, depth=8, width=64, seed=seed).agrees
        for seed in range(6)
        for activation, init in (("tanh", "lecun"), ("relu", "he"), ("gelu", "he"), ("sigmoid", "xavier"))
    ]
    assert sum(agreeing) >= 23


TRANSFORMERS = [
    {"blocks": 6, "model_width": 128, "heads": 4, "tokens": 12},
    {"preset": "gpt2", "blocks": 4, "model_width": 128, "heads": 4, "tokens": 12, "vocabulary": 512, "seeds": 2},
    {"blocks": 6, "model_width": 128, "heads": 4, "patch": 8, "tied": False, "data": "digits", "batch_size": 2},
    {"blocks": 4, "model_width": 64, "heads": 4, "tokens": 8, "patch": 8, "tied": False},
]


@pytest.mark.parametrize("options", TRANSFORMERS, ids=str)
def test_transformers_too_are_predicted_from_the_batch_that_they_read(options):
    found = expected(**({} if "preset" in options else {"arch": "transformer"}), **options)
    assert found.agrees is True
    assert found.says.startswith("as theory predicts: ")
    assert "a block" in found.says
    assert len(found.token_cosines) == len(found.preactivation_stds) == 3 * options["blocks"]


def test_the_report_has_the_predicted_stream_and_likeness_beside_the_measured():
    options = {"blocks": 4, "model_width": 512, "heads": 8, "tokens": 16, "layers": "weightless", "seeds": 4}
    report = gradcheck.simulate(arch="transformer", shuffle=False, **options)
    found = report.prediction
    assert [layer.preactivation_std for layer in report.layers] == pytest.approx(found.preactivation_stds, rel=0.05)
    assert [layer.input_cosine for layer in report.layers] == pytest.approx(found.token_cosines, abs=0.05)


def test_a_measurement_that_theory_is_decades_away_from_is_not_said_to_be_as_predicted():
    found = expected(
        init="truncated_normal", weight_std=1.0, gain=30.0, activation="tanh", depth=30, width=16, seed=226
    )
    assert found.log10_gradient_ratio > 10
    assert found.agrees is False
    assert "it is theory of wide layers" in found.says
