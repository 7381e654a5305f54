"""The same run in every format has the same numbers."""

import json
from io import BytesIO, TextIOWrapper

import numpy as np
import pytest

from gradcheck.logs.reading import read_log
from gradcheck.logs.series import Series

ROWS = [
    {"step": 10 * row, "loss": 2.0 / (1 + row), "lr": 0.1, "grad_norm": 1.5 + row, "grad_norm/fc1": 0.5 * row}
    for row in range(1, 30)
]

NESTED = [{"step": row["step"], "train": {"loss": row["loss"], "lr": row["lr"], "grad_norm": row["grad_norm"]},
           "layers": {"fc1": {"grad_norm": row["grad_norm/fc1"]}}} for row in ROWS]  # fmt: skip


def lines(rows, end="\n"):
    return "".join(json.dumps(row) + end for row in rows).encode()


def table(delimiter=",", end="\n", head="{}"):
    cells = [ROWS[0].keys(), *(map(repr, row.values()) for row in ROWS)]
    return end.join(delimiter.join(row) for row in cells).encode() + end.encode()


def state(**how):
    history = [row | {"epoch": 0.1} for row in ROWS] + [{"eval_loss": 9.0, "step": 290}, {"train_runtime": 3.0}]
    return json.dumps({"best_metric": None, "log_history": history, "max_steps": 9}, **how).encode()


def columns(kind, **how):
    return json.dumps({"note": "x"} | {name: kind([row[name] for row in ROWS]) for name in ROWS[0]}, **how)


FORMATS = {
    "JSON Lines": lines(ROWS),
    "JSON Lines with carriage returns": lines(ROWS, "\r\n"),
    "both ends mixed": lines(ROWS[:9], "\r\n") + lines(ROWS[9:]),
    "nested objects": lines(NESTED),
    "a byte order mark": b"\xef\xbb\xbf" + lines(ROWS),
    "no end of the last line": lines(ROWS).rstrip(),
    "empty lines": lines(ROWS).replace(b"\n", b"\n\n"),
    "CSV": table(),
    "CSV with carriage returns": table(end="\r\n"),
    "semicolons": table(";"),
    "tabs": table("\t"),
    "UTF-16": table().decode().encode("utf-16"),
    "UTF-16 of a large machine": b"\xfe\xff" + lines(ROWS).decode().encode("utf-16-be"),
    "decimal commas": table(";").replace(b".", b","),
    "a header that stands twice": table() + table().splitlines(keepends=True)[0],
    "a trainer's state": state(indent=2),
    "a trainer's state on one line": state(),
    "a list": json.dumps(ROWS).encode(),
    "a list on several lines": json.dumps(ROWS, indent=1).encode(),
    "an object of columns": columns(list).encode(),
    "an object of columns on several lines": columns(list, indent=1).encode(),
    "an object of columns by row": columns(lambda column: {str(row): one for row, one in enumerate(column)}).encode(),
    "objects on several lines": "\n".join(json.dumps(row, indent=2) for row in ROWS).encode(),
}


def check(series, name):
    """Hold what was read of a format against the rows."""
    assert series.steps.tolist() == pytest.approx([*(row["step"] for row in ROWS), *series.steps[29:]]), name
    for quantity in ("loss", "lr", "grad_norm"):
        values = series.values(quantity)
        assert values[~np.isnan(values)].tolist() == [row[quantity] for row in ROWS], name
    names, norms = series.layers_with("grad_norm")
    assert names == ["fc1"], name
    assert norms[~np.isnan(norms)].tolist() == [row["grad_norm/fc1"] for row in ROWS], name


def test_every_format_has_the_same_numbers(series, read):
    for name, content in FORMATS.items():
        check(series(content), name)
        assert read(content).problems.lines() == [], name


def test_the_standard_input_is_read_like_a_file(monkeypatch):
    for name, content in FORMATS.items():
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content)))
        check(Series(read_log("-")), name)


def test_a_log_without_steps_counts_its_rows(series):
    assert series(b"loss,grad_norm\n1,2\n1,2\n1,2\n").steps.tolist() == [1, 2, 3]


def test_epochs_stand_in_for_steps(series):
    assert series(b"epoch,loss\n0.5,2\n1.0,1\n").steps.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_the_mean_loss_of_a_whole_run_is_not_that_of_its_last_step(prefix, series):
    last = {"step": 290, f"{prefix}train_loss": 9.0, f"{prefix}train_runtime": 3.0}
    losses = series(lines([*ROWS, last])).values("loss")
    assert losses[~np.isnan(losses)][-1] == ROWS[-1]["loss"]
    assert np.nanmax(series(lines([*ROWS, last])).values("loss")) < 9
    assert np.nanmax(series(json.dumps({"log_history": [*ROWS, last]}).encode()).values("loss")) < 9


def test_of_a_chart_of_several_runs_the_first_is_read_and_that_is_told(read):
    log = read(b'"Step","a - loss","a - grad_norm","b - loss","b - grad_norm"\n"1","1","2","3","4"\n')
    assert Series(log).values("loss").tolist() == [1]
    assert log.problems.lines() == ["line 1 has columns of 2 runs: of each quantity the first one is read"]
    assert read(b"step,loss,lap - time\n1,2,3\n").problems.lines() == []


def test_steps_that_are_no_numbers_are_counted(series):
    assert series(b"step,loss\nfirst,2\nsecond,1\nthird,1\n").steps.tolist() == [1, 2, 3]


def test_columns_of_different_lengths_leave_gaps(series):
    read = series(b'{"loss": [3, 2, 1], "grad_norm": [5, 4], "lr": 0.1}')
    assert read.steps.tolist() == [1, 2, 3]
    assert read.norms.tolist()[:2] == [5, 4]


def test_a_list_beside_a_step_is_no_column(series):
    read = series(b'{"step": 7, "loss": 1, "grad_norm": [1, 2]}\n{"step": 8, "loss": 1, "grad_norm": [1, 2]}\n')
    assert read.steps.tolist() == [7, 8]
    assert not len(read.norm)


def test_a_row_without_a_step_has_that_of_the_row_before(series):
    assert series(b"step,loss\n5,2\n,1\n7,1\n").steps.tolist() == [5, 5, 7]


def test_a_log_of_layers_alone_has_their_norm_together(series):
    assert series(b"step,grad_norm/a,grad_norm/b\n1,3,4\n2,0,0\n").norms.tolist() == [5, 0]


@pytest.mark.parametrize("word", ["NaN", "nan", "-nan", "Infinity", "inf", "-inf", "1e999"])
def test_numbers_that_are_not_finite_are_seen_in_any_spelling(word, series):
    assert series(f"step,grad_norm\n1,2\n2,{word}\n".encode()).table.nonfinite.first_step == 2
    value = word if word in ("NaN", "Infinity", "1e999") else f'"{word}"'
    assert series(f'{{"step": 1, "grad_norm": {value}}}\n'.encode()).table.nonfinite.first_step == 1


@pytest.mark.parametrize("cell", ["", "n/a", "null", "-"])
def test_an_empty_cell_is_no_number_that_is_not_finite(cell, series):
    read = series(f"step,grad_norm,loss\n1,2,{cell}\n2,2,1\n".encode())
    assert read.table.nonfinite is None
    assert np.isnan(read.values("loss")[0])
