"""Every report: nobody can change it through its parts, and its parts are what its JSON and schema say."""

import copy
import json
import pickle
import re

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck
from gradcheck.base.record import Frozen, Record

#: A loss that stands still and a gradient that explodes, with a clip that never stops.
LOG = "".join(
    json.dumps({"step": step, "loss": 2.0, "grad_norm": 1.1**step, "grad_norm_after": 0.5, "grad_norm/a": 1.1**step})
    + "\n"
    for step in range(1, 121)
)


def diagnosed(folder):
    (folder / "run.jsonl").write_text(LOG)
    return gradcheck.diagnose(folder / "run.jsonl")


def swept(folder):
    comparison = gradcheck.compare({"depth": [2, 3], "width": 8}, seeds=2)
    return comparison if comparison.rows else None


MADE = {
    "theory": lambda folder: gradcheck.theory(activation="relu", norm="batch"),
    "theory with a plane": lambda folder: gradcheck.theory(activation="tanh", phase_diagram=True),
    "clip-demo": lambda folder: gradcheck.clip_demo(clip=["none", "suggest"], width=4, epochs=1),
    "rate": lambda folder: gradcheck.rate(depth=2, width=4, activation="tanh", updates=6),
    "transfer": lambda folder: gradcheck.transfer(width=[4, 8, 16], seeds=2, steps=2),
    "diagnose": diagnosed,
    "verify": lambda folder: gradcheck.verify(only="loss"),
    "compare": swept,
    "explain": lambda folder: gradcheck.explain("vanishing"),
    "pages": lambda folder: gradcheck.explain(),
}

every_report = pytest.mark.parametrize("name", MADE)


@pytest.fixture(scope="module")
def report_of(tmp_path_factory):
    """A name ↦ its report, made once."""
    made = {}

    def report(name):
        if name not in made:
            made[name] = MADE[name](tmp_path_factory.mktemp("reports"))
        return made[name]

    return report


def parts(value):
    """The value and all that is within, at every depth."""
    yield value
    inner = value.values() if isinstance(value, Record | Frozen) else value if isinstance(value, tuple) else ()
    for one in inner:
        yield from parts(one)


def change(document, choose):
    """Change something somewhere in a document of lists and dicts."""
    inner = list(document.values() if isinstance(document, dict) else document)
    deeper = [one for one in inner if isinstance(one, dict | list) and one]
    if deeper and choose(st.booleans()):
        change(choose(st.sampled_from(deeper)), choose)
    elif isinstance(document, dict):
        document[choose(st.sampled_from(sorted(document)))] = "changed"
    else:
        document.append("changed")


@pytest.mark.parametrize("name", [name for name in MADE if name != "pages"])
@settings(max_examples=10)
@given(data=st.data())
def test_a_change_of_the_document_never_reaches_the_report(name, data, report_of):
    report = report_of(name)
    before = copy.deepcopy(report.to_dict())
    change(report.to_dict(), data.draw)
    assert report.to_dict() == before


@every_report
def test_every_report_is_short_by_itself_and_its_text_in_a_notebook(name, report_of):
    report = report_of(name)
    assert re.fullmatch(r"<\w+( [^<>]{1,60})?>", repr(report))
    assert "<pre" in report._repr_html_()
    assert str(report).split()[0] in report._repr_html_()
    assert not [one for one in dir(report) if one.startswith("_")]


@every_report
def test_every_report_survives_the_way_to_another_process_and_can_be_copied(name, report_of):
    report = report_of(name)
    for copied in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
        assert type(copied) is type(report)
        assert copied.to_json() == report.to_json()
        assert str(copied) == str(report)


@pytest.mark.parametrize("name", [name for name in MADE if name not in ("compare", "explain", "pages")])
def test_every_part_of_a_report_is_one_that_cant_be_changed(name, report_of):
    report = report_of(name)
    for part in parts(report):
        assert part is None or isinstance(part, bool | int | float | str | tuple | Record | Frozen)
        if isinstance(part, Record | Frozen):
            for field in part:
                with pytest.raises(AttributeError):
                    setattr(part, field, "changed")
                with pytest.raises(TypeError):
                    part[field] = "changed"


def test_what_a_comparison_hands_out_cant_be_changed(report_of):
    for handed_out in ("rows", "finished", "best", "common"):
        comparison = report_of("compare")
        before = str(comparison)
        found = getattr(comparison, handed_out)
        if isinstance(found, list):
            assert all(isinstance(row, Frozen) for row in found), handed_out
            found.clear()
        else:
            assert isinstance(found, Frozen), handed_out
        assert str(comparison) == before, handed_out


def test_attributes_are_items_and_both_are_the_document(report_of):
    for name in ("theory", "theory with a plane", "clip-demo", "rate", "transfer", "diagnose", "verify"):
        report = report_of(name)
        document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        jsonschema.Draft202012Validator(gradcheck.json_schema(name.split()[0])).validate(document)
        for part in (one for one in parts(report) if isinstance(one, Record)):
            assert [getattr(part, field) for field in part] == list(part.values()), name
        assert document == report, name


@pytest.mark.parametrize("name", ["clip-demo", "rate", "diagnose"])
def test_the_causes_of_a_verdict_are_its_reasons_as_data(name, report_of):
    verdict = report_of(name).verdict
    assert verdict.reasons
    assert tuple(cause.text for cause in verdict.causes) == verdict.reasons
    for cause in verdict.to_dict()["causes"]:
        assert list(cause) == ["code", "layers", "value", "limit", "text"]
