import csv
import io
import json
from dataclasses import replace

import pytest

import gradcheck
from gradcheck.base.record import Frozen
from gradcheck.render.documents import as_json
from gradcheck.training import formats
from gradcheck.training.text import COLUMNS

SMALL = {"width": 8, "epochs": 1, "batch_size": 256}

REPORTS = {
    "rules": {},
    "stopped": {"lr": 1e300, "nonfinite": "stop"},
    "overflow": {"network": "mlp", "depth": 3, "activation": "relu", "gain": 1e200},
    "no labels": {"data": "gaussian", "steps": 2, "clip": ["suggest", "none", "global-norm:1e-6"]},
}


@pytest.fixture(scope="module", params=REPORTS)
def report(request):
    return gradcheck.clip_demo(**SMALL | REPORTS[request.param])


def cells(line):
    """A Markdown line's cells; an escaped bar is none of its borders."""
    return [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")]


def table(markdown):
    return [cells(line) for line in markdown.splitlines() if line.startswith("|")]


def test_json_is_strict_and_is_the_report(report):
    text = as_json(report)
    assert json.loads(text, parse_constant=pytest.fail) == report.to_dict()
    assert text.isascii()
    assert text.endswith("}\n")


def test_json_keeps_every_digit(report):
    found = json.loads(as_json(report))["strategies"]
    assert [one["series"]["loss"] for one in found] == [list(one.series.loss) for one in report.strategies]


def test_a_number_that_is_not_finite_is_never_written(report):
    with pytest.raises(ValueError, match="JSON"):
        as_json(replace(report, start=Frozen(parameters=float("nan"))))


def test_csv_has_a_line_a_strategy_with_its_numbers_in_full(report):
    records = list(csv.DictReader(io.StringIO(formats.as_csv(report))))
    assert len(records) == len(report.strategies)
    for record, one in zip(records, report.strategies, strict=True):
        assert list(record) == [name for name in one if name != "series"]
        for name, text in record.items():
            if isinstance(one[name], float):
                assert float(text) == one[name]
            else:
                assert text == ("" if one[name] is None else str(one[name]))


def test_markdown_is_a_table_with_a_row_a_strategy(report):
    header, rule, *rows = table(formats.as_markdown(report))
    assert header == list(COLUMNS)
    assert [set(cell) <= {"-", ":"} for cell in rule] == [True] * len(COLUMNS)
    assert [row[0] for row in rows] == [one.rule for one in report.strategies]
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_markdown_begins_with_the_verdict_and_its_reasons(report):
    first, _, *lines = formats.as_markdown(report).splitlines()
    assert first.startswith(f"**{report.verdict.status}** - ")
    unescaped = [line.replace("\\", "") for line in lines]
    assert [f"- {reason}" in unescaped for reason in report.verdict.reasons] == [True] * len(report.verdict.reasons)


def test_markdown_has_every_conclusion_warning_and_suggestion(report):
    text = formats.as_markdown(report).replace("\\", "")
    for said in (*(one.conclusion for one in report.strategies), *report.warnings, report.suggestion or ""):
        assert said in text


@pytest.mark.parametrize("name", ["a\nb.npy", "a\033[2Jb.npy", "*a*|<b>.npy"])
def test_a_file_s_name_breaks_nothing_in_markdown(name, report):
    odd = replace(report, config=Frozen({**report.config, "data": name}))
    text = formats.as_markdown(odd)
    assert "\033" not in text
    assert len(text.splitlines()) == len(formats.as_markdown(report).splitlines())
    assert "*a*|<b>" not in text


@pytest.fixture
def interrupted(report):
    return replace(report, strategies=report.strategies[:1], complete=False)


def test_a_report_that_is_incomplete_says_so_in_json_and_markdown(interrupted):
    assert json.loads(as_json(interrupted))["complete"] is False
    assert "interrupted" in formats.as_markdown(interrupted)
    assert len(table(formats.as_markdown(interrupted))) == 3


def test_a_report_of_nothing_can_be_written(report):
    empty = replace(report, strategies=(), verdict=None, complete=False)
    assert json.loads(as_json(empty))["verdict"] is None
    assert len(table(formats.as_markdown(empty))) == 2
    assert formats.as_csv(empty).strip() == ""
