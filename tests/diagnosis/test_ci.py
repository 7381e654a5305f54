"""Annotations of a workflow."""

from dataclasses import replace

import pytest

import gradcheck
from gradcheck.diagnosis.ci import as_github


@pytest.mark.parametrize(
    ("status", "titles"), [("vanishing", ["vanishing"]), ("no-gradient", ["no-gradient", "vanishing"])]
)
def test_a_verdict_that_no_region_has_is_an_annotation_of_its_own(status, titles):
    report = gradcheck.simulate(depth=12, width=8, batch_size=16)
    verdict = replace(report.verdict, status=status)
    lines = as_github(replace(report, verdict=verdict)).splitlines()
    assert [line.partition("title=gradcheck ")[2].partition("::")[0] for line in lines] == titles
