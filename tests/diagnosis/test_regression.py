import copy
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.diagnosis.ci import regression_as_github
from gradcheck.diagnosis.formats import regression_as_markdown
from gradcheck.diagnosis.regression import SEVERITY, compare_reports, missing_layers, read_report
from gradcheck.diagnosis.status import STATUSES
from gradcheck.diagnosis.text.regression import as_text
from gradcheck.errors import InputError, OptionError

GRADIENTS = st.lists(st.none() | st.floats(-300, 300), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def report():
    return gradcheck.simulate(depth=4, width=8, batch_size=8).to_dict()


def of(*gradients, status="healthy", names=None):
    names = names or [f"hidden {index}" for index in range(1, len(gradients) + 1)]
    layers = [
        {"name": name, "log10_gradient_rms": value, "flag": "ok"} for name, value in zip(names, gradients, strict=True)
    ]
    return {"schema_version": 1, "layers": layers, "verdict": {"status": status}}


def moved(before, after, tolerance=0.1):
    return [move.name for move in compare_reports(before, after, tolerance).layers if move.moved]


def test_a_report_is_no_regression_of_itself(report):
    regression = compare_reports(report, copy.deepcopy(report), 0.0)
    assert not regression.regression
    assert {move.change for move in regression.layers} == {0.0}
    assert [move.name for move in regression.layers] == [layer["name"] for layer in report["layers"]]


@given(before=GRADIENTS, change=st.floats(-9, 9), tolerance=st.floats(0, 5), data=st.data())
def test_a_layer_has_moved_when_its_logarithm_changed_by_more_than_the_tolerance(before, change, tolerance, data):
    place = data.draw(st.integers(0, len(before) - 1))
    after = list(before)
    after[place] = None if before[place] is None else before[place] + change
    regression = compare_reports(of(*before), of(*after), tolerance)
    far = before[place] is not None and abs(after[place] - before[place]) > tolerance
    assert moved(of(*before), of(*after), tolerance) == ([f"hidden {place + 1}"] if far else [])
    assert regression.regression == far


def test_better_and_worse_gradients_are_both_moves():
    assert moved(of(-1, -1, -1), of(-0.5, -1.05, -1.5)) == ["hidden 1", "hidden 3"]


def test_a_number_that_came_or_went_is_a_move_and_none_that_stayed_is_not():
    regression = compare_reports(of(None, -1, None), of(-1, None, None), 0.1)
    assert [tuple(move.values()) for move in regression.layers] == [
        ("hidden 1", None, -1, None, True),
        ("hidden 2", -1, None, None, True),
        ("hidden 3", None, None, None, False),
    ]


def test_a_verdict_gets_worse_from_healthy_to_nonfinite():
    for after in SEVERITY:
        for before in SEVERITY:
            regression = compare_reports(of(-1, status=before), of(-1, status=after), 0.1)
            assert regression.regression == (SEVERITY[after] > SEVERITY[before]), (before, after)


def test_a_verdict_that_got_better_is_no_regression_however_far_gradients_moved():
    then, now = of(-9, -5, -1, status="vanishing"), of(-1, -1, -1)
    better, same = compare_reports(then, now, 0.1), compare_reports(of(-9, -5, -1), now, 0.1)
    assert (better.regression, better.outcome) == (False, "improved")
    assert [move.moved for move in better.layers] == [True, True, False]
    assert (same.regression, same.outcome) == (True, "regression")
    assert "IMPROVED" in as_text(better)
    assert "write the baseline anew" in as_text(better)
    assert regression_as_github(better).startswith("::notice title=gradcheck improved::vanishing → healthy; write the")


def test_healthy_is_best_and_nonfinite_worst_of_all_verdicts():
    assert set(SEVERITY) == set(STATUSES)
    assert min(SEVERITY, key=SEVERITY.get) == "healthy"
    assert max(SEVERITY, key=SEVERITY.get) == "nonfinite"


def test_layers_are_matched_by_name_and_the_rest_listed():
    before, after = of(-1, -2, -3, names=["a", "b", "c"]), of(-3, -9, -1.01, names=["c", "d", "a"])
    regression = compare_reports(before, after, 0.1)
    assert [move.name for move in regression.layers] == ["a", "c"]
    assert (regression.only_before, regression.only_after) == (("b",), ("d",))
    assert not regression.regression


def test_a_report_that_lacks_most_layers_of_its_baseline_is_a_regression():
    regression = compare_reports(of(-1, -2, -3, names=["a", "b", "c"]), of(-1, names=["a"]), 0.1)
    assert regression.regression
    assert missing_layers(regression) == "2 of the baseline's 3 layers are missing: is it another network?"


def test_reports_without_a_common_layer_are_no_comparison():
    with pytest.raises(OptionError, match="no layer of the new report"):
        compare_reports(of(-1, names=["a"]), of(-1, names=["b"]), 0.1)


def test_another_depth_is_compared_as_far_as_both_go(report):
    deeper = gradcheck.simulate(depth=6, width=8, batch_size=8).to_dict()
    regression = compare_reports(report, deeper, 0.1)
    assert [move.name for move in regression.layers] == [f"hidden {index}" for index in range(1, 5)]
    assert regression.only_after == ("hidden 5", "hidden 6")
    assert regression.regression


UNITS = {"mlp": "layer", "rnn": "step", "lstm": "step", "transformer": "flow point"}


def test_layers_are_called_what_both_networks_call_them():
    for before in UNITS:
        for after in (None, *UNITS):
            old, new = of(-1) | {"config": {"arch": before}}, of(-1) | ({"config": {"arch": after}} if after else {})
            unit = UNITS[before] if UNITS[before] == UNITS.get(after) else "layer"
            assert compare_reports(old, new, 0.1).unit == unit, (after, before)


def test_the_dict_is_strict_json_and_says_everything():
    regression = compare_reports(of(-1, None), of(-2, None, -1, status="dead"), 0.5)
    assert json.loads(json.dumps(regression.to_dict(), allow_nan=False)) == {
        "schema_version": 1,
        "gradcheck_version": gradcheck.__version__,
        "command": "compare",
        "schema": "baseline",
        "layers": [
            {"name": "hidden 1", "before": -1, "after": -2, "change": -1, "moved": True},
            {"name": "hidden 2", "before": None, "after": None, "change": None, "moved": False},
        ],
        "only_before": [],
        "only_after": ["hidden 3"],
        "status_before": "healthy",
        "status_after": "dead",
        "tolerance": 0.5,
        "regression": True,
    }


# ---- reading


def test_what_simulate_wrote_is_read_back(tmp_path, report):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(report))
    assert read_report(path) == report


@pytest.mark.parametrize("gain", [1e-200, 1e200])
def test_reports_with_null_gradients_are_read_and_compared(tmp_path, gain):
    network = {"depth": 4, "width": 8, "batch_size": 8, "activation": "step" if gain < 1 else "linear"}
    report = gradcheck.simulate(**network, gain=gain).to_dict()
    assert None in [layer["log10_gradient_rms"] for layer in report["layers"]]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(report, allow_nan=False))
    assert not compare_reports(read_report(path), report, 0).regression


LAYER = {"name": "a", "log10_gradient_rms": -1.0}

GOOD = {"schema_version": 1, "layers": [LAYER], "verdict": {"status": "healthy"}}

NO_REPORTS = {
    "a list": [GOOD],
    "a number": 3,
    "null": None,
    "nothing": {},
    "no layers": {"verdict": {"status": "healthy"}},
    "no verdict": {"layers": [LAYER]},
    "a verdict of its own": GOOD | {"verdict": {"status": "fine"}},
    "a verdict that is a list": GOOD | {"verdict": {"status": []}},
    "a verdict that is text": GOOD | {"verdict": "healthy"},
    "layers of text": GOOD | {"layers": ["a"]},
    "layers that are a record": GOOD | {"layers": LAYER},
    "layers that are null": GOOD | {"layers": None},
    "a layer without a name": GOOD | {"layers": [{"log10_gradient_rms": -1.0}]},
    "a name that is a list": GOOD | {"layers": [LAYER | {"name": ["a"]}]},
    "a gradient that is text": GOOD | {"layers": [LAYER | {"log10_gradient_rms": "-1"}]},
    "a gradient that is NaN": GOOD | {"layers": [LAYER | {"log10_gradient_rms": math.nan}]},
    "a gradient beyond floats": GOOD | {"layers": [LAYER | {"log10_gradient_rms": 10**400}]},
    "another schema": GOOD | {"schema_version": 2},
    "an unknown architecture": GOOD | {"config": {"arch": "foo"}},
    "options that are a list": GOOD | {"config": []},
    "no schema": {name: value for name, value in GOOD.items() if name != "schema_version"},
}


@pytest.mark.parametrize("what", NO_REPORTS)
def test_a_document_that_is_no_report_is_refused(tmp_path, what):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(NO_REPORTS[what]))
    with pytest.raises(InputError, match=r"old\.json: .*(simulate --json|write it again)"):
        read_report(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "old.json"),
        (b'{"layers": [1' + b"0" * 5000 + b"]}", "old.json"),
    ],
    ids=["empty", "torn", "not UTF-8", "too deep", "too long a number"],
)
def test_a_file_that_is_no_json_is_refused(tmp_path, content, words):
    path = tmp_path / "old.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_report(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(InputError, match="can't be read") as refused:
            read_report(path)
        assert str(refused.value).startswith(f"{path}: ")


def test_markdown_has_the_layers_that_moved():
    text = regression_as_markdown(compare_reports(of(-1.0, -2.0, None), of(-1.0, -3.5, -2.0), 0.1))
    assert text.splitlines()[0] == "**regression** - healthy → healthy, 2 of 3 layers moved by more than 0.1 decades"
    assert "| -2.00 | -3.50 | -1.50 |" in " ".join(text.split())
    assert "| - | -2.00 | - |" in " ".join(text.split())


def test_markdown_of_no_regression_has_no_table():
    text = regression_as_markdown(compare_reports(of(-1.0), of(-1.0), 0.1))
    assert text == "**no regression** - healthy → healthy, 0 of 1 layers moved by more than 0.1 decades\n"
