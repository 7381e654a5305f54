"""What every result can do: be shown in short, in a notebook, as JSON and as a table."""

import copy
import html
import json
import pickle
import pydoc
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

import gradcheck
from gradcheck.errors import MissingExtraError

SMALL = {"depth": 4, "width": 8, "batch_size": 8}


@pytest.fixture(scope="module")
def report():
    return gradcheck.simulate(**SMALL)


def test_a_report_is_short_in_a_list_and_whole_when_it_is_printed(report):
    assert repr(report).startswith(f"<Report {report.verdict.status}, 4 layers, span ")
    assert len(repr(report)) < 60
    assert len(str(report)) > 500


def test_in_a_notebook_it_is_its_text_and_no_markup(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = report._repr_html_()
    assert page.startswith("<pre")
    assert report.verdict.reasons[0][:20] in page
    assert "<" not in page.removeprefix('<pre style="line-height: 1.2">').removesuffix("</pre>")


def test_in_a_notebook_its_figure_follows_the_text_where_matplotlib_is_installed(report):
    pytest.importorskip("matplotlib")
    text, ended, figure = report._repr_html_().partition("</pre>")
    assert ended
    assert html.unescape(text).endswith(str(report))
    assert (figure[:5], figure.rstrip()[-6:], figure.count("<svg")) == ("<svg ", "</svg>", 1)


def test_its_json_is_that_of_the_command_and_goes_to_a_file(report, tmp_path):
    text = report.to_json(tmp_path / "report.json")
    assert json.loads(text) == report.to_dict()
    assert (tmp_path / "report.json").read_text() == text


def test_its_page_is_that_of_the_command_and_goes_to_a_file(report, tmp_path):
    pytest.importorskip("jinja2")
    text = report.to_html(tmp_path / "report.html")
    assert text == import_module("gradcheck.diagnosis.html").as_html(report)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


def test_every_report_has_its_page():
    pytest.importorskip("jinja2")
    sweep = gradcheck.compare({"depth": [2, 3], "width": 8, "batch_size": 8}, seeds=1)
    list(sweep)
    log = gradcheck.diagnose([{"step": step, "loss": 1.0, "grad_norm": 1.0} for step in range(40)])
    for one in (sweep, log, gradcheck.theory(depth=3), gradcheck.verify(only="loss")):
        assert one.to_html().startswith("<!doctype html>")


def test_its_table_is_a_frame_of_its_rows(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    assert [row["name"] for row in report.to_frame()] == [f"hidden {index}" for index in range(1, 5)]
    sweep = gradcheck.compare({"depth": [2, 3], "width": 8, "batch_size": 8}, seeds=1)
    list(sweep)
    assert [row["index"] for row in sweep.to_frame()] == [0, 1]


def test_without_pandas_it_says_what_to_install(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        report.to_frame()


def test_completion_shows_fields_and_public_names_only(report):
    assert {"layers", "verdict", "to_dict", "to_json", "to_frame", "plot", "to_html"} <= set(dir(report))
    assert not {"keys", "values", "get", "_names", "text", "figure", "page"} & set(dir(report))
    assert set(dir(report.verdict)) == {*report.verdict, "to_dict"}
    assert {"passed", "failed", "worst"} <= set(dir(gradcheck.verify(only="loss")))
    assert set(dir(gradcheck.compare({"depth": 2}))) >= {"rows", "best", "finished"}


def test_the_packages_help_has_what_one_calls_and_is_short():
    called = set(dir(gradcheck))
    assert {name for name in gradcheck.__all__ if callable(getattr(gradcheck, name)) and name.islower()} <= called
    assert called - set(gradcheck.__all__) <= {"torch"}
    lines = pydoc.plain(pydoc.render_doc(gradcheck)).count("\n")
    assert lines < 700  # from Python 3.13 on each parameter of a long signature has a line of its own


def test_a_comparison_is_short_in_a_list():
    sweep = gradcheck.compare({"depth": [2, 3], "width": 8, "batch_size": 8}, seeds=1)
    assert repr(sweep) == "<Comparison 2 networks, 0 measured, 0 healthy>"
    list(sweep)
    assert repr(sweep).startswith("<Comparison 2 networks, 2 measured, ")


def test_a_report_of_several_seeds_survives_the_way_to_another_process_and_back():
    report = gradcheck.simulate(**SMALL, seeds=2)
    for copied in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
        assert copied == report
        assert copied.layers[0].gradient_ratio_low == report.layers[0].gradient_ratio_low
        assert str(copied) == str(report)
