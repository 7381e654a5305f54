"""``gradcheck.theory`` from Python: numbers, reasons, and options at their extremes."""

import json
import math
import warnings

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.errors import GradcheckError, OptionError
from gradcheck.mean_field.formats import as_csv, as_markdown
from gradcheck.render.documents import as_json
from gradcheck.spec import ACTIVATIONS, FRAMEWORKS, FREE_SCALE, INITIALIZERS, NORMS

VALIDATOR = jsonschema.Draft202012Validator(gradcheck.json_schema("theory"))

SCALES = [0.0, 1e-200, 1e-60, 1e-8, 0.3, 1.0, 1.5, 30.0, 1e8, 1e60, 1e200]


@settings(max_examples=40)
@given(
    activation=st.sampled_from(ACTIVATIONS),
    init=st.sampled_from([*FRAMEWORKS, *(name for name in INITIALIZERS if name not in FREE_SCALE)]),
    gain=st.sampled_from(SCALES[1:]),
    bias_std=st.sampled_from(SCALES),
    norm=st.sampled_from(NORMS),
    residual=st.booleans(),
    residual_scale=st.sampled_from([*SCALES, -1.0]),
    depth=st.sampled_from([1, 2, 40]),
    width=st.sampled_from([1, 64, 10**9]),
    batch_size=st.sampled_from([1, 3, 64]),
    phase_diagram=st.booleans(),
)
def test_any_network_gets_numbers_or_reasons_in_every_format(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            report = gradcheck.theory(**options)
        except OptionError as error:
            refused = error.option
        else:
            refused = None
        if refused:
            assert (refused, options["phase_diagram"]) == ("phase_diagram", True)
            return
        document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        VALIDATOR.validate(document)
        for form in (as_json, as_csv, as_markdown):
            assert form(report)
        assert str(report).startswith(options["activation"])
    for name, value in report.fixed_point.items():
        assert value is not None or name in report.reasons or "fixed_point" in report.reasons
    assert report.layers or report.reasons.layers


def test_sigma_w_is_the_scale_of_the_initialisation():
    for options, expected in [
        ({"init": "lecun", "gain": 1.3}, 1.3),
        ({"init": "he_uniform"}, math.sqrt(2)),
        ({"init": "xavier"}, 1.0),
        ({"init": "orthogonal", "gain": 2.0}, 2.0),
        ({"init": "torch_default"}, math.sqrt(1 / 3)),
        ({"init": "normal", "weight_std": 0.1, "width": 400}, 2.0),
    ]:
        assert gradcheck.theory(**options).config.sigma_w == pytest.approx(expected, rel=1e-14)


def test_the_gain_that_is_critical_makes_the_network_so():
    for options in ({"activation": "sigmoid"}, {"activation": "selu", "init": "he", "bias_std": 0.2, "gain": 3.0}):
        gain = gradcheck.theory(**options).fixed_point.critical_gain
        assert gradcheck.theory(**options | {"gain": gain}).fixed_point.phase == "critical"


def test_in_a_deep_network_layers_come_to_the_gain_of_the_fixed_point():
    report = gradcheck.theory(activation="tanh", init="lecun", gain=1.6, bias_std=0.3, depth=60)
    assert 2 * report.layers[50].log10_local_gain == pytest.approx(math.log10(report.fixed_point.chi), rel=1e-10)
    assert report.layers[50].preactivation_std ** 2 == pytest.approx(report.fixed_point.variance, rel=1e-12)


def test_widths_that_share_a_scale_have_a_fixed_point_and_others_have_none():
    shared = gradcheck.theory(width=(64, 32, 16), init="he", activation="relu")
    apart = gradcheck.theory(width=(64, 32, 16), init="normal", weight_std=0.1)
    assert shared.fixed_point.phase == "critical"
    assert apart.fixed_point.phase is None
    assert "each width" in apart.reasons.fixed_point
    assert len(apart.layers) == 3


def test_a_recurrence_or_a_transformer_that_is_given_several_widths_is_refused_for_them():
    for arch in ("rnn", "transformer"):
        with pytest.raises(OptionError, match=r"^width"):
            gradcheck.theory(arch=arch, width=[3, 4])


def test_numpy_s_numbers_will_do():
    plain = gradcheck.theory(depth=5, width=32, gain=1.5, activation="tanh")
    numpy = gradcheck.theory(depth=np.int64(5), width=np.int64(32), gain=np.float64(1.5), activation="tanh")
    assert numpy.to_dict() == plain.to_dict()


def test_the_diagram_surrounds_the_network_and_the_critical_line():
    report = gradcheck.theory(activation="tanh", init="lecun", gain=2.0, bias_std=0.4, phase_diagram=True)
    plane = report.phase_diagram
    assert report.diagram is plane
    assert plane.sigma_w[0] < report.fixed_point.critical_sigma_w < report.config.sigma_w < plane.sigma_w[-1]
    assert plane.sigma_b[0] > report.config.sigma_b > plane.sigma_b[-1] == 0
    assert np.shape(plane.chi) == (len(plane.sigma_b), len(plane.sigma_w))


@pytest.mark.parametrize(
    "options",
    [{"weight_std": 0.1}, {"init": "normal"}, {"depth": 0}, {"batch_size": 0}, {"activation": "swishy"}, {"gain": 0}],
)
def test_what_no_network_can_have_is_refused(options):
    with pytest.raises(GradcheckError, match=f"^{next(iter(options))}[ =]"):
        gradcheck.theory(**options)


def test_the_next_command_ends_the_text():
    report = gradcheck.theory(activation="tanh", init="lecun", bias_std=0.2)
    assert report.next_command.startswith("gradcheck simulate --activation tanh --init lecun --gain 1.30415")
    assert str(report).endswith(f"  {report.next_command}\n  gradcheck explain ordered\n")


@settings(max_examples=20)
@given(
    activation=st.sampled_from([*ACTIVATIONS, "geglu", "swiglu"]),
    init=st.sampled_from(["xavier", "he", "orthogonal", "torch_default", "torch", "gpt2"]),
    gain=st.sampled_from([1e-60, 1e-8, 0.3, 1.0, 30.0, 1e8, 1e60]),
    bias_std=st.sampled_from([0.0, 1e-8, 0.3, 1e60]),
    norm=st.sampled_from(["none", "layer", "rms"]),
    norm_placement=st.sampled_from(["pre", "post", "both"]),
    residual_scale=st.sampled_from([0.0, -1.0, 1e-60, 1.0, 1e8, "gpt2"]),
    positions=st.sampled_from(["learned", "sinusoidal", "rotary", "none"]),
    tokens=st.sampled_from([1, 2, 5, 513]),
    blocks=st.sampled_from([1, 3]),
    causal=st.booleans(),
    tied=st.booleans(),
)
def test_any_transformer_gets_numbers_or_reasons_in_every_format(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = gradcheck.theory(arch="transformer", model_width=8, heads=2, **options)
        VALIDATOR.validate(json.loads(json.dumps(report.to_dict(), allow_nan=False)))
        for form in (as_json, as_csv, as_markdown):
            assert form(report)
        assert str(report).startswith("transformer")
    assert report.layers or report.reasons.layers
    assert all(math.isfinite(one.log10_gradient_ratio) for one in report.layers)
