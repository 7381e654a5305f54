"""Annotations of a workflow."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

import gradcheck
from gradcheck.diagnosis.ci import as_github, as_junit, regression_as_junit
from gradcheck.diagnosis.regression import compare_reports


@pytest.mark.parametrize(
    ("status", "titles"), [("vanishing", ["vanishing"]), ("no-gradient", ["no-gradient", "vanishing"])]
)
def test_a_verdict_that_no_region_has_is_an_annotation_of_its_own(status, titles):
    report = gradcheck.simulate(depth=12, width=8, batch_size=16)
    verdict = replace(report.verdict, status=status)
    lines = as_github(replace(report, verdict=verdict)).splitlines()
    assert [line.partition("title=gradcheck ")[2].partition("::")[0] for line in lines] == titles


def test_what_can_be_asked_for_beside_a_healthy_verdict_is_shown():
    report = gradcheck.simulate(depth=4, activation="relu", init="he")
    remark = replace(report.verdict.causes[0], code="softmax-twice", text="two of them")
    report = replace(report, verdict=replace(report.verdict, causes=(*report.verdict.causes, remark)))
    assert as_github(report).splitlines()[-1] == "::warning title=gradcheck softmax-twice::two of them"
    (case,) = (one for one in ElementTree.fromstring(as_junit(report))[0] if len(one))
    assert (case.get("name"), case[0].text) == ("softmax-twice", "two of them")


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        ({"gain": 1.5}, ["hidden 1", "hidden 2"]),
        ({"max_span": 0.001}, ["verdict"]),
        ({"depth": 1, "gain": 1.5}, ["layers", "hidden 1"]),
    ],
)
def test_a_regression_is_a_test_report_whose_failures_are_what_moved(changed, failed):
    network = {"depth": 3, "width": 8, "batch_size": 16, "activation": "tanh"}
    old, new = (gradcheck.simulate(**options).to_dict() for options in (network, network | changed))
    suite = ElementTree.fromstring(regression_as_junit(compare_reports(old, new, 0.1)))[0]
    assert [case.get("name") for case in suite if len(case)] == failed
    assert int(suite.get("failures")) == len(failed)
