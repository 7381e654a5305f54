"""Test reports in JUnit's XML."""

from xml.etree import ElementTree

from gradcheck.render.junit import case, suite


def test_a_suite_counts_its_cases_and_those_that_fail():
    written = suite(
        "diagnose", [case("run.jsonl", "verdict", "", "x"), case("run.jsonl", "spikes", "spikes", "2 of <3")]
    )
    (root,) = ElementTree.fromstring(written)
    assert (root.get("name"), root.get("tests"), root.get("failures")) == ("gradcheck diagnose", "2", "1")
    assert root.find("testcase/failure").text == "2 of <3"
