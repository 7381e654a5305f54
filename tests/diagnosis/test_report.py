import copy
import json
import math
import pickle
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.base.record import Frozen, number, power_in_range
from gradcheck.diagnosis.report import CauseRecord, LayerRecord, Report, VerdictRecord
from gradcheck.diagnosis.reporting import make_report
from gradcheck.diagnosis.summary import summarize
from gradcheck.diagnosis.verdict import diagnose
from gradcheck.flow.average import average
from gradcheck.flow.gradient_flow import GradientFlow, OutputFlow
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.spec.thresholds import Thresholds

SMALL = {"depth": 4, "width": 8, "batch_size": 16}
DRAWS = 3
OUTPUT = OutputFlow(2.3, 0.0, 0.0)

LOGARITHMS = ("gradient_rms", "gradient_ratio", "weight_gradient_norm")
GEOMETRIC = (
    "preactivation_std", "activation_rms", "effective_rank", "gradient_rms", "gradient_ratio", "weight_norm",
    "weight_gradient_norm",
)  # fmt: skip


def strict(text):
    """Read JSON as RFC 8259 has it: no NaN, no Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def report_on(flow):
    summary = summarize(flow)
    return make_report(
        "simulate", {}, [flow], flow, [summary], summary, diagnose(flow, summary, Thresholds()), parameters=72
    )


def flow_with(*layers, output=OUTPUT, reached=None, obstacle=""):
    fans = (8,) * len(layers)
    flows = tuple(LayerFlow(0.0, 0.0, 0.5, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0)._replace(**fields) for fields in layers)
    return GradientFlow(fans, fans, flows, output, len(layers) if reached is None else reached, obstacle)


@pytest.fixture(scope="module")
def report():
    return gradcheck.simulate(suggest=True, **SMALL)


# ---- the contract's keys


def test_a_report_has_the_keys_of_the_contract_in_its_order(report):
    document = strict(json.dumps(report.to_dict(), allow_nan=False))
    assert list(document) == [
        "schema_version", "gradcheck_version", "command", "config", "layers", "output", "regions", "summary",
        "verdict", "prediction", "suggestions",
    ]  # fmt: skip
    assert list(document["layers"][0]) == [
        "index", "name", "fan_in", "fan_out",
        "preactivation_std", "activation_rms", "input_cosine", "effective_rank",
        "dead_fraction", "saturated_fraction",
        "gradient_rms", "log10_gradient_rms", "gradient_ratio", "log10_gradient_ratio", "local_gain",
        "weight_norm", "weight_gradient_norm", "log10_weight_gradient_norm", "status", "flag",
    ]  # fmt: skip
    assert list(document["output"]) == ["loss", "logit_rms", "weight_gradient_norm"]
    assert list(document["summary"]) == [
        "gradient_span", "mean_local_gain", "effective_rank_last", "weight_gradient_span", "effective_rank_least",
        "sensitivity", "parameters",
    ]  # fmt: skip
    assert list(document["verdict"]) == ["status", "trainable", "score", "reasons", "causes"]


def test_a_region_has_the_keys_of_the_contract():
    region = report_on(flow_with({"log10_gradient_rms": -9.0}, {})).to_dict()["regions"][0]
    assert region == {
        "flag": "vanishing", "first_layer": 1, "last_layer": 1, "worst_layer": 1, "log10_worst_ratio": -9.0,
    }  # fmt: skip


def test_a_report_says_what_made_it(report):
    document = report.to_dict()
    assert (document["schema_version"], document["command"]) == (1, "simulate")
    assert document["gradcheck_version"] == gradcheck.__version__


def test_without_suggestions_there_is_no_such_key():
    assert "suggestions" not in gradcheck.simulate(**SMALL).to_dict()


def test_layers_are_counted_named_and_sized():
    layers = gradcheck.simulate(width=(8, 16, 4), batch_size=16).layers
    assert [(layer.index, layer.name) for layer in layers] == [(1, "hidden 1"), (2, "hidden 2"), (3, "hidden 3")]
    assert [(layer.fan_in, layer.fan_out) for layer in layers] == [(64, 8), (8, 16), (16, 4)]


@pytest.mark.parametrize(("arch", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_steps_are_counted_named_and_sized(arch, gates):
    report = gradcheck.simulate(arch=arch, steps=4, width=8, batch_size=16)
    assert report.unit == "step"
    assert [(layer.index, layer.name) for layer in report.layers] == [(step, f"step {step}") for step in range(1, 5)]
    assert {(layer.fan_in, layer.fan_out) for layer in report.layers} == {(16 + 8, gates * 8)}
    assert gradcheck.simulate(**SMALL).unit == "layer"


def test_numbers_survive_json_to_the_last_digit(report):
    assert strict(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()


def test_every_number_is_a_plain_one(report):
    def check(value):
        if isinstance(value, dict):
            assert all(type(key) is str for key in value)
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                check(one)
            return
        assert value is None or type(value) in (str, int, float, bool)

    check(report.to_dict())


def test_a_report_is_frozen(report):
    with pytest.raises(AttributeError):
        report.layers = ()


def test_printing_a_report_prints_its_text(report, capsys):
    from gradcheck.diagnosis.text import as_text

    print(report)  # noqa: T201
    assert capsys.readouterr().out == as_text(report) + "\n"


# ---- numbers beside their logarithms


@given(st.floats(-320, 308))
def test_a_power_of_ten_is_what_python_makes_of_it(logarithm):
    assert power_in_range(logarithm) == 10.0**logarithm > 0


def test_a_power_of_ten_is_zero_for_an_exact_zero_only_and_none_beyond_the_range():
    for logarithm, expected in [
        (-math.inf, 0.0),
        (-6000.0, None),
        (-324.0, None),
        (-323.0, 1e-323),
        (0.0, 1.0),
        (308.0, 1e308),
        (309.0, None),
        (6000.0, None),
        (math.inf, None),
        (math.nan, None),
    ]:
        assert power_in_range(logarithm) == expected, logarithm


def test_only_finite_numbers_are_numbers():
    assert [number(value) for value in (math.nan, math.inf, -math.inf, np.float64(2.5))] == [None, None, None, 2.5]
    assert type(number(np.float64(2.5))) is float


def test_the_status_says_why_a_number_is_null_or_zero():
    for fields, status in [
        ({}, "ok"),
        ({"log10_gradient_rms": -200.0}, "ok"),
        ({"log10_gradient_rms": -400.0}, "underflow"),
        ({"log10_gradient_rms": -math.inf}, "underflow"),
        ({"log10_activation_rms": -math.inf}, "underflow"),
        ({"log10_weight_gradient_norm": -math.inf}, "underflow"),
        ({"log10_gradient_rms": 400.0}, "overflow"),
        ({"log10_weight_norm": 308.4}, "overflow"),
    ]:
        layer = report_on(flow_with(fields, {}, {})).layers[0]
        assert layer.status == status, fields
        numbers = [value for key, value in layer.items() if key not in ("local_gain", "input_cosine")]
        assert (None in numbers or any(layer[name] == 0 for name in GEOMETRIC)) == (status != "ok"), fields


def test_a_number_below_the_range_of_floats_is_null_and_its_logarithm_is_there():
    layer = report_on(flow_with({"log10_gradient_rms": -400.0}, {})).layers[0]
    assert (layer.gradient_rms, layer.log10_gradient_rms) == (None, -400.0)
    assert (layer.gradient_ratio, layer.log10_gradient_ratio, layer.local_gain) == (None, -400.0, None)


def test_an_exact_zero_is_zero_and_its_logarithm_null():
    layer = report_on(flow_with({"log10_gradient_rms": -math.inf}, {})).layers[0]
    assert (layer.gradient_rms, layer.log10_gradient_rms) == (0.0, None)
    assert (layer.gradient_ratio, layer.log10_gradient_ratio, layer.status) == (0.0, None, "underflow")


@pytest.mark.parametrize("obstacle", ["overflow", "nan"])
def test_layers_behind_an_obstacle_have_no_numbers_and_say_why(obstacle):
    numberless = dict.fromkeys(LayerFlow._fields, math.nan)
    report = report_on(flow_with({}, numberless, output=OutputFlow(), reached=1, obstacle=obstacle))
    before, behind = report.layers
    assert (before.status, behind.status, behind.flag) == ("ok", obstacle, "nonfinite")
    assert all(behind[name] is None for name in GEOMETRIC)
    assert set(report.output.values()) == {None}
    assert strict(json.dumps(report.to_dict(), allow_nan=False))


def test_the_last_layer_has_a_ratio_of_one_and_no_local_gain(report):
    last = report.layers[-1]
    assert (last.gradient_ratio, last.log10_gradient_ratio, last.local_gain) == (1.0, 0.0, None)


def test_ratios_and_gains_are_those_of_the_gradients(report):
    gradients = [layer.gradient_rms for layer in report.layers]
    for layer, gradient, following in zip(report.layers, gradients, gradients[1:], strict=False):
        assert layer.gradient_ratio == pytest.approx(gradient / gradients[-1])
        assert layer.local_gain == pytest.approx(gradient / following)
        assert layer.log10_gradient_rms == pytest.approx(math.log10(gradient))
    assert report.summary.gradient_span == pytest.approx(math.log10(max(gradients) / min(gradients)))
    assert report.summary.mean_local_gain == pytest.approx((gradients[0] / gradients[-1]) ** (1 / 3))
    assert report.summary.effective_rank_last == report.layers[-1].effective_rank


# ---- real networks at the ends of the range


def test_a_gradient_below_the_range_of_floats_keeps_its_logarithm():
    layers = gradcheck.simulate(depth=12, width=8, init="normal", weight_std=1e-40, batch_size=8).layers
    assert (layers[0].gradient_rms, layers[0].status, layers[0].flag) == (None, "underflow", "vanishing")
    assert layers[0].log10_gradient_rms < -400
    assert layers[-1].status == "ok"


def test_a_forward_pass_that_overflows_reports_the_layers_up_to_there():
    report = gradcheck.simulate(depth=12, width=8, init="normal", weight_std=1e40, activation="linear", batch_size=8)
    reached = [layer.log10_gradient_rms is not None for layer in report.layers]
    assert reached == [True] * 7 + [False] * 5  # 1e40**8 is beyond
    assert [layer.flag == "nonfinite" for layer in report.layers] == [not one for one in reached]
    assert {layer.status for layer in report.layers[7:]} == {"overflow"}
    assert (report.verdict.status, report.output.loss) == ("nonfinite", None)
    assert report.verdict.reasons[0].startswith("layer 8 is the first")


def test_a_step_function_passes_exactly_nothing_back():
    report = gradcheck.simulate(activation="step", **SMALL)
    assert {layer.gradient_rms for layer in report.layers} == {0.0}
    assert {layer.log10_gradient_rms for layer in report.layers} == {None}
    assert {layer.status for layer in report.layers} == {"underflow"}
    assert report.summary.gradient_span is None


# ---- several draws


@pytest.fixture(scope="module")
def several():
    """A report on three draws, and the three reports on one draw each."""
    options = {"activation": "relu", "init": "he", "depth": 4, "width": 32, "batch_size": 16}
    singles = [gradcheck.simulate(seed=seed, **options) for seed in range(5, 5 + DRAWS)]
    return gradcheck.simulate(seed=5, seeds=DRAWS, **options), singles


def column(reports, layer, name):
    return [report.layers[layer][name] for report in reports]


def test_of_several_draws_a_magnitude_is_the_geometric_mean(several):
    for name in GEOMETRIC:
        report, singles = several
        for index, layer in enumerate(report.layers):
            assert layer[name] == pytest.approx(math.prod(column(singles, index, name)) ** (1 / DRAWS), rel=1e-12), name


@pytest.mark.parametrize("name", LOGARITHMS)
def test_of_several_draws_a_logarithm_is_the_mean(several, name):
    report, singles = several
    for index, layer in enumerate(report.layers):
        mean = sum(column(singles, index, f"log10_{name}")) / DRAWS
        assert layer[f"log10_{name}"] == pytest.approx(mean, rel=1e-12, abs=1e-14)


def test_of_several_draws_the_cosine_which_can_be_negative_is_the_arithmetic_mean(several):
    report, singles = several
    for index, layer in enumerate(report.layers):
        assert layer.input_cosine == pytest.approx(sum(column(singles, index, "input_cosine")) / DRAWS, rel=1e-12)


def test_of_several_draws_low_and_high_are_the_extremes(several):
    for name in (*GEOMETRIC, *(f"log10_{name}" for name in LOGARITHMS), "input_cosine", "dead_fraction", "local_gain"):
        report, singles = several
        for index, layer in enumerate(report.layers[:-1]):
            assert layer[f"{name}_low"] == pytest.approx(min(column(singles, index, name)), rel=1e-12), name
            assert layer[f"{name}_high"] == pytest.approx(max(column(singles, index, name)), rel=1e-12), name


@pytest.mark.parametrize("part", ["output", "summary"])
def test_of_several_draws_every_number_of_the_whole_network_has_its_extremes(several, part):
    report, singles = several
    for name in set(getattr(singles[0], part)) - {"parameters"}:
        draws = [getattr(single, part)[name] for single in singles]
        values = [getattr(report, part)[name + band] for band in ("", "_low", "_high")]
        mean = sum(draws) / DRAWS if name.endswith("_span") else math.prod(draws) ** (1 / DRAWS)
        assert values == pytest.approx([mean, min(draws), max(draws)], rel=1e-12)


def test_a_single_draw_has_no_extremes(report):
    keys = [*report.layers[0], *report.output, *report.summary]
    assert not [key for key in keys if key.endswith(("_low", "_high"))]


def test_a_draw_that_overflows_makes_the_whole_nonfinite_and_leaves_the_others_extremes():
    fine = flow_with({}, {})
    broken = flow_with({}, dict.fromkeys(LayerFlow._fields, math.nan), reached=1, obstacle="overflow")
    typical, summaries = average([fine, broken]), [summarize(fine), summarize(broken)]
    diagnosis = diagnose(typical, summaries[0], Thresholds())
    report = make_report("simulate", {}, [fine, broken], typical, summaries, summaries[0], diagnosis, parameters=72)
    second = report.layers[1]
    assert (second.gradient_rms, second.gradient_rms_low, second.gradient_rms_high) == (None, 1.0, 1.0)
    assert (second.status, second.flag, report.verdict.status) == ("overflow", "nonfinite", "nonfinite")


# ---- read only


def test_a_report_can_be_copied_and_sent_to_another_process(report):
    for twin in (copy.deepcopy(report), pickle.loads(pickle.dumps(report))):
        assert twin == report
        assert twin.layers[0].flag == report.layers[0].flag


def parts_of(value):
    """A report's mappings and sequences, at every depth."""
    yield value
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ():
        if not isinstance(one, int | float | str | None):
            yield from parts_of(one)


def test_no_part_of_a_report_can_be_changed(report):
    parts = list(parts_of(report))
    assert {type(part) for part in parts} >= {Report, LayerRecord, VerdictRecord, CauseRecord, Frozen, tuple}
    for part in parts:
        if isinstance(part, Mapping):
            name = next(iter(part), "new")
            for change in (lambda part: setattr(part, name, 1), lambda part: part.__setitem__(name, 1)):  # noqa: B023
                with pytest.raises(AttributeError):
                    change(part)
        else:
            assert not hasattr(part, "append")


def test_what_is_made_of_a_report_can_be_changed_without_changing_it(report):
    before = json.dumps(report.to_dict())
    document = report.to_dict()
    document["layers"].clear()
    document["verdict"]["reasons"].append("more")
    document["verdict"]["causes"][0]["code"] = "other"
    document["config"]["depth"] = 0
    document["suggestions"].clear()
    assert json.dumps(report.to_dict()) == before
