"""Logs that a program has in memory are read as their files are."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import gradcheck
from gradcheck.errors import InputError, OptionError

ROWS = [{"step": step, "loss": 2 * 0.99**step, "grad_norm": 1.2 ** max(0, step - 150)} for step in range(200)]

COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


class Frame:
    """What a DataFrame of pandas is asked for."""

    def __init__(self, columns, index=None):
        self.columns, self.index, self._columns = list(columns), SimpleNamespace(name=index), columns

    def to_dict(self, how):
        assert how == "records"
        return [dict(zip(self._columns, row, strict=True)) for row in zip(*self._columns.values(), strict=True)]

    def reset_index(self):
        return Frame({self.index.name: range(len(ROWS)), **self._columns})


KINDS = {
    "a list of dicts": ROWS,
    "a generator": (row for row in ROWS),
    "a dict of lists": COLUMNS,
    "a dict of arrays": {name: np.array(column) for name, column in COLUMNS.items()},
    "NumPy's numbers": [{name: np.float32(value) for name, value in row.items()} for row in ROWS],
    "Keras's History": SimpleNamespace(history=COLUMNS),
    "a DataFrame": Frame(COLUMNS),
    "a DataFrame whose index holds the steps": Frame({n: c for n, c in COLUMNS.items() if n != "step"}, "step"),
    "a DataFrame of polars": SimpleNamespace(to_dicts=lambda: ROWS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_read_as_the_file_of_them_is(kind, tmp_path):
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    said, read = gradcheck.diagnose(KINDS[kind]), gradcheck.diagnose(tmp_path / "run.jsonl")
    assert said.verdict.status == "exploding"
    for name in ("status", "first_step", "layer"):
        assert said.verdict[name] == read.verdict[name]
    assert (said.log.rows, said.log.first_step, said.log.last_step) == (200, 0, 199)
    assert not said.warnings


def test_its_text_says_what_was_read_and_names_no_file():
    text = str(gradcheck.diagnose(ROWS))
    assert text.startswith("list · in memory, 200 rows · steps 0 to 199")
    assert "gradcheck diagnose" not in text


def test_numbers_that_are_not_finite_are_found():
    report = gradcheck.diagnose([{**row, "loss": float("nan")} if row["step"] > 50 else row for row in ROWS])
    assert (report.verdict.status, report.verdict.first_step) == ("nonfinite", 51)


@pytest.mark.parametrize("given", [5, None, b"log", {"loss": 1.0}])
def test_what_is_no_log_is_refused_with_what_is_one(given):
    with pytest.raises(OptionError, match="is no log; give a path, a list of dicts, a dict of lists or a DataFrame"):
        gradcheck.diagnose(given)


@pytest.mark.parametrize("given", [[], {}, [1, 2], ["run.jsonl"], [{"epoch": 1}]])
def test_rows_without_anything_to_judge_are_refused_with_the_names_to_give(given):
    with pytest.raises(InputError, match=r"has neither a loss nor a gradient norm .* name columns step, loss"):
        gradcheck.diagnose(given)


def test_a_real_frame_of_pandas_is_read():
    pandas = pytest.importorskip("pandas")
    assert gradcheck.diagnose(pandas.DataFrame(ROWS).set_index("step")).verdict.status == "exploding"


def test_a_layer_whose_norm_cannot_be_read_is_no_layer_without_gradient():
    for odd in ("tensor(0.5)", "n/a", [0.5], {"_type": "histogram"}):
        rows = [{"step": i, "loss": 2 / (1 + i), "grad_norm/a": 1.0, "grad_norm/b": odd} for i in range(40)]
        assert not [one for one in gradcheck.diagnose(rows).findings if one.kind == "no-gradient"], odd


def test_a_column_that_is_named_and_is_not_there_is_an_error():
    rows = [{"step": i, "loss": 2 / (1 + i), "grad_norm": 1.0} for i in range(40)]
    with pytest.raises(InputError, match="has no column 'nope' for loss"):
        gradcheck.diagnose(rows, columns={"loss": "nope"})
    with pytest.raises(InputError, match="no file's name"):
        gradcheck.diagnose("")


def test_a_row_that_contains_itself_is_an_error_that_says_what_to_give():
    row = {"loss": 1.0}
    row["row"] = row
    with pytest.raises(OptionError, match="contains itself"):
        gradcheck.diagnose([row])


def test_an_array_with_fields_is_an_error_with_the_way_round_it():
    rows = np.zeros(5, dtype=[("step", int), ("loss", float)])
    with pytest.raises(OptionError, match=r"give \{name: rows\[name\] for name in rows.dtype.names\}"):
        gradcheck.diagnose(rows)
    rows["step"] = range(5)
    assert gradcheck.diagnose({name: rows[name] for name in rows.dtype.names}).log.last_step == 4
