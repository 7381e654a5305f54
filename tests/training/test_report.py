import json
import math
from dataclasses import replace

import jsonschema
import pytest

import gradcheck
from gradcheck.spec.clip_rules import Rule
from gradcheck.training.conclusions import VERDICTS
from gradcheck.training.demonstration import Demonstration
from gradcheck.training.strategy import STATUSES

SMALL = {"width": 16, "epochs": 2, "batch_size": 256}

KEYS = [
    "schema_version", "gradcheck_version", "command", "config", "start", "strategies", "verdict", "warnings",
    "suggestion", "complete",
]  # fmt: skip

STRATEGY = [
    "rule", "name", "threshold", "status", "final_loss", "final_accuracy", "diverged", "diverged_at_step", "steps",
    "largest_norm_before", "largest_norm_after", "clipped_fraction", "mean_cosine", "mean_global_cosine",
    "learning_rate_lost", "nonfinite_steps", "first_nonfinite_step", "first_nonfinite_tensor", "conclusion", "series",
]  # fmt: skip

REPORTS = {
    "default rules": SMALL,
    "mlp": {"network": "mlp", "depth": 2, **SMALL},
    "no labels": {"data": "gaussian", "steps": 4, **SMALL, "clip": ["none", "suggest"]},
    "overflow": {
        "network": "mlp",
        "depth": 3,
        "activation": "relu",
        "init": "he",
        "gain": 1e200,
        **SMALL,
        "clip": ["none", "zscore:1"],
    },
    "stopped": {"lr": 1e300, "nonfinite": "stop", **SMALL, "clip": ["none", "percentile:50"]},
    "zeroed": {"lr": 1e300, "nonfinite": "zero", **SMALL, "clip": ["none", "global-norm:1e-6"]},
}


@pytest.fixture(scope="module", params=REPORTS)
def report(request):
    return gradcheck.clip_demo(**REPORTS[request.param])


@pytest.fixture(scope="module")
def document(report):
    """The report, after it has been to strict JSON and back."""
    return json.loads(json.dumps(report.to_dict(), allow_nan=False), parse_constant=pytest.fail)


def test_the_document_has_these_keys(document):
    assert list(document) == KEYS
    assert (document["schema_version"], document["command"]) == (1, "clip-demo")
    assert set(document["start"]) == {"parameters", "status", "gradient_span", "mean_local_gain"}
    assert all(list(one) == STRATEGY for one in document["strategies"])
    assert {tuple(one["series"]) for one in document["strategies"]} == {
        ("loss", "gradient_norm", "clipped_norm", "threshold")
    }


def test_the_document_is_what_the_schema_says(document):
    schema = gradcheck.json_schema("clip-demo")
    jsonschema.validate(document, schema)  # which checks the schema first


def test_the_document_is_the_report(report, document):
    assert document == report.to_dict()
    assert document["strategies"] == list(report.strategies)
    assert list(report.strategies[0].series.loss) == document["strategies"][0]["series"]["loss"]


def test_a_strategy_is_one_of_those_that_were_asked_for_in_that_order(document):
    assert [one["rule"] for one in document["strategies"]] == document["config"]["clip"]
    assert document["complete"] is True
    for one in document["strategies"]:
        assert one["status"] in STATUSES
        assert one["rule"].startswith(one["name"])


def test_a_series_has_an_entry_a_step(document):
    for one in document["strategies"]:
        assert {len(series) for series in one["series"].values()} == {one["steps"]}
        assert one["steps"] == 14 or one["status"] == "stopped" or document["config"]["data"] == "gaussian"


def test_the_numbers_are_those_of_the_series(document):
    for one in document["strategies"]:
        norms, after = one["series"]["gradient_norm"], one["series"]["clipped_norm"]
        finite = [norm for norm in norms if norm is not None]
        assert one["largest_norm_before"] == max(finite, default=None)
        assert one["largest_norm_after"] == max((norm for norm in after if norm is not None), default=None)
        if document["config"]["nonfinite"] != "zero":
            assert one["nonfinite_steps"] == norms.count(None)
        assert (one["first_nonfinite_step"] is None) == (one["nonfinite_steps"] == 0)
        assert one["diverged"] == (one["diverged_at_step"] is not None)
        if one["name"] == "none":
            assert (after, one["threshold"]) == (norms, None)


def test_a_share_is_between_none_and_all(document):
    for one in document["strategies"]:
        for name in ("clipped_fraction", "mean_cosine", "mean_global_cosine", "learning_rate_lost", "final_accuracy"):
            assert one[name] is None or 0 <= one[name] <= 1, name


def test_the_verdict_names_a_strategy(document):
    verdict = document["verdict"]
    assert verdict["status"] in VERDICTS
    assert verdict["best"] in document["config"]["clip"]
    assert verdict["reasons"]


def test_a_report_prints_as_text(report):
    assert str(report).endswith("\n")
    assert report.strategies[0].rule in str(report)


@pytest.fixture
def demonstration():
    return Demonstration.from_options(SMALL | {"clip": ["none", "norm:1", "global-norm:1e-7"]})


def test_a_report_of_what_is_finished_is_incomplete(demonstration):
    finished = [demonstration.run(rule) for rule in demonstration.rules]
    for count in range(4):
        report = demonstration.report(finished[:count])
        assert report.complete == (count == 3)
        assert len(report.strategies) == count
        assert (report.verdict is None) == (count == 0)
        json.dumps(report.to_dict(), allow_nan=False)
    assert demonstration.report(finished[:1]).verdict.status == "unclipped"


def test_an_empty_report_prints(demonstration):
    assert len(str(demonstration.report([])).splitlines()) <= 2


def test_the_warnings_are_in_the_report(demonstration):
    report = demonstration.report([])
    assert len(report.warnings) == 1
    assert "over-clips" in report.warnings[0]
    assert report.warnings == tuple(report.to_dict()["warnings"])


def test_a_number_that_is_not_finite_is_null(demonstration):
    one = demonstration.run(Rule("none"))
    odd = replace(one, largest_norm=math.inf, mean_cosine=math.nan, loss=(1.0, math.nan, math.inf, *one.loss[3:]))
    record = demonstration.report([odd]).strategies[0]
    assert (record.largest_norm_before, record.mean_cosine) == (None, None)
    assert record.series.loss[:3] == (1.0, None, None)
