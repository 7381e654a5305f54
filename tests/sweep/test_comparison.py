import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcheck
from gradcheck.errors import OptionError
from gradcheck.spec.grid import Grid
from gradcheck.sweep import rows as sweep
from gradcheck.sweep.ranking import grouped, ranked

GRID = {"depth": [2, 6], "activation": ["sigmoid", "tanh"], "init": ["he", "normal"], "width": 8, "batch_size": 8}


@pytest.fixture
def comparison():
    return gradcheck.compare(GRID, seeds=2)


def strictly(document):
    """The document, after it has been to strict JSON and back."""
    return json.loads(json.dumps(document, allow_nan=False))


def test_rows_are_measured_while_one_iterates(measured):
    comparison = gradcheck.compare(GRID, seeds=1)
    assert (measured, len(comparison), comparison.finished) == ([], 8, [])
    found = iter(comparison)
    first = next(found)
    assert measured == [0]
    assert comparison.finished == [first]
    assert [row["index"] for row in found] == [1, 2, 3, 4, 5, 6, 7]


def test_a_second_look_measures_nothing_again(comparison, measured):
    assert list(comparison) == list(comparison)
    assert comparison.rows == comparison.rows
    assert measured == list(range(8))


def test_two_that_look_at_once_see_the_same_rows(comparison, measured):
    assert [pair[0] == pair[1] for pair in zip(comparison, comparison, strict=True)] == [True] * 8
    assert measured == list(range(8))


def test_rows_are_all_rows_best_first(comparison):
    assert comparison.rows == ranked(list(comparison))
    assert comparison.best == comparison.rows[0]
    assert comparison.best["score"] == max(row["score"] for row in comparison if row["error"] is None)


def test_rows_are_ranked_by_what_was_asked_for():
    for order in ("span", "gain", "rank", "grid"):
        comparison = gradcheck.compare(GRID, seeds=1, sort=order)
        assert comparison.rows == ranked(list(comparison), order), order


def test_a_row_is_what_simulate_says_of_the_same_options(comparison):
    for row in comparison:
        if row["error"] is None:
            report = gradcheck.simulate(**row["options"], seeds=2)
            assert (row["status"], row["score"]) == (report.verdict.status, report.verdict.score)
            assert list(row["log10_gradient"]) == [layer.log10_gradient_rms for layer in report.layers]


def test_an_interrupted_sweep_goes_on_where_it_stood(monkeypatch, measured):
    counted = sweep.measure_row

    def interrupted(task):
        if task.number == 3 and 3 not in measured:
            measured.append(3)
            raise KeyboardInterrupt
        return counted(task)

    monkeypatch.setattr(sweep, "measure_row", interrupted)
    comparison = gradcheck.compare(GRID, seeds=1)
    with pytest.raises(KeyboardInterrupt):
        list(comparison)
    assert len(comparison.finished) == 3
    assert len(comparison.rows) == 8


def test_the_dict_is_strict_json_with_the_whole_configuration(comparison):
    list(comparison)
    document = comparison.to_dict()
    assert strictly(document) == document
    assert document["schema_version"] == gradcheck.SCHEMA_VERSION
    assert (document["command"], document["gradcheck_version"]) == ("compare", gradcheck.__version__)
    values = {name: value if isinstance(value, list) else [value] for name, value in GRID.items()}
    assert document["config"]["grid"] == values
    assert {"seed": 0, "seeds": 2, "shuffle": True, "labels": False}.items() <= document["config"].items()
    assert gradcheck.Thresholds().to_dict().items() <= document["config"].items()
    assert document["rows"] == comparison.rows


def test_the_dict_holds_the_finished_rows_and_measures_none(measured):
    comparison = gradcheck.compare(GRID, seeds=1)
    first = next(iter(comparison))
    assert comparison.to_dict()["rows"] == [first]
    assert measured == [0]


def test_groups_are_in_the_dict_when_asked_for(comparison):
    list(comparison)
    assert comparison.to_dict("activation")["groups"] == grouped(comparison.rows, "activation")
    assert "groups" not in comparison.to_dict()


def test_printing_shows_all_rows(comparison):
    text = str(comparison)
    assert "8 networks" in text
    assert text.count("error") >= 4
    for row in comparison:
        assert row["error"] or row["status"] in text


def test_one_network_is_one_network():
    assert str(gradcheck.compare({"depth": 2, "width": 8}, seeds=1)).startswith("1 network:")


def test_rows_that_overflow_or_vanish_altogether_are_strict_json():
    grid = {"depth": 6, "width": 8, "activation": ["linear", "step"], "gain": [1e-200, 1, 1e80, 1e300]}
    found = list(gradcheck.compare(grid, seeds=2))
    assert strictly([row.to_dict() for row in found]) == found
    assert {row["status"] for row in found} >= {"nonfinite", "dead"}


@given(
    depth=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    gain=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=2),
    residual=st.lists(st.booleans(), min_size=1, max_size=2),
)
def test_every_combination_has_its_row(depth, gain, residual):
    grid = Grid({"depth": depth, "width": 4, "gain": gain, "residual": residual, "batch_size": 4})
    found = list(gradcheck.compare(grid, seeds=1))
    assert [row["options"] for row in found] == list(grid)
    assert all(math.isfinite(row["score"]) for row in found)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seeds": 0}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"sort": "scor"}, "'score'"),
        ({"max_rows": 7}, "8 rows"),
        ({"vanish_below": 1e9}, "vanish_below"),
    ],
)
def test_bad_options_are_refused_before_any_work(options, word, measured, tmp_path):
    with pytest.raises(OptionError, match=word):
        gradcheck.compare(GRID, **options, journal=tmp_path / "rows.jsonl")
    assert measured == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_limit_is_refused():
    with pytest.raises(TypeError, match="max_spam"):
        gradcheck.compare(GRID, max_spam=3)


def test_architectures_are_compared_and_ranked():
    comparison = gradcheck.compare({"arch": ["mlp", "rnn", "lstm", "gru"], "width": 8, "batch_size": 16}, seeds=1)
    assert {row["options"]["arch"]: len(row["log10_gradient"]) for row in comparison} == {
        "mlp": 50, "rnn": 64, "lstm": 64, "gru": 64,
    }  # fmt: skip
    assert [row["error"] for row in comparison] == [None] * 4
    for row in comparison:
        report = gradcheck.simulate(**row["options"], seeds=1)
        assert (row["status"], row["score"]) == (report.verdict.status, report.verdict.score)
        assert list(row["log10_gradient"]) == [layer.log10_gradient_rms for layer in report.layers]


def test_options_of_recurrences_are_varied_and_a_cell_that_lacks_one_says_so_in_its_row():
    grid = {"arch": ["rnn", "lstm"], "steps": [8, 16], "forget_bias": [0, 4], "width": 4, "batch_size": 8}
    found = {(row["options"]["arch"], row["options"]["forget_bias"]): row for row in gradcheck.compare(grid, seeds=1)}
    assert len(found) == 4
    assert "--forget-bias goes with --arch lstm or gru" in found["rnn", 0]["error"]
    assert found["lstm", 0]["error"] is found["lstm", 4]["error"] is None
    assert found["lstm", 4]["gradient_span"] < found["lstm", 0]["gradient_span"]


def test_a_copy_of_a_comparison_measures_what_is_missing(measured):
    comparison = gradcheck.compare(GRID, seeds=1)
    first = next(iter(comparison))
    copied = pickle.loads(pickle.dumps(comparison))
    before = len(measured)
    assert next(iter(copied)) == first
    assert len(list(copied)) == len(comparison)
    assert len(measured) == before + len(comparison) - 1
    assert [row["options"] for row in copied] == [row["options"] for row in comparison]
