"""The same run in every format has the same numbers."""

import json
import os
import struct
from io import BytesIO, TextIOWrapper

import numpy as np
import pytest

from gradcheck.errors import InputError, MissingExtraError
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


# ---- event files


@pytest.fixture
def events(tmp_path):
    """Scalars ↦ an event file of them, written by the package's own writer."""
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    def write(rows, name="events.out.tfevents.1", tail=b""):
        content = b""
        for row in rows:
            for tag, value in row.items():
                scalar = Summary.Value(tag=tag, simple_value=value)
                event = Event(step=row["step"], summary=Summary(value=[scalar])).SerializeToString()
                content += struct.pack("<QI", len(event), 0) + event + struct.pack("<I", 0)
        (tmp_path / name).write_bytes(content + tail)
        return tmp_path / name

    return write


def test_event_files_have_the_same_numbers(events):
    series = Series(read_log(events(ROWS)))
    assert series.steps.tolist() == [row["step"] for row in ROWS]
    np.testing.assert_allclose(series.values("loss"), [row["loss"] for row in ROWS], rtol=1e-6)  # they are float32
    assert series.layers == ["fc1"]


def test_tags_that_mean_nothing_make_no_rows(events):
    samples = [{"step": 3 * row["step"], "loss vs samples": row["loss"]} for row in ROWS]
    mixed = [row for pair in zip(ROWS, samples, strict=True) for row in pair]
    series = Series(read_log(events(mixed)))
    assert (series.table.rows, series.table.steps_back) == (len(ROWS), 0)


def test_a_folder_of_event_files_is_one_run(events, tmp_path):
    events(ROWS[:9], "events.out.tfevents.1")
    events(ROWS[9:], "events.out.tfevents.2")
    assert Series(read_log(tmp_path)).steps.tolist() == [row["step"] for row in ROWS]


def test_a_torn_event_file_is_read_as_far_as_it_goes(events):
    log = read_log(events(ROWS, tail=struct.pack("<QI", 50, 0) + b"torn"))
    assert log.table.rows_read == len(ROWS)
    assert "torn" in log.problems.lines()[0]


def test_a_length_beyond_all_bounds_is_not_believed(events):
    log = read_log(events(ROWS, tail=struct.pack("<QI", 2**63, 0)))
    assert log.table.rows_read == len(ROWS)


def test_an_event_that_is_not_a_number_is_seen(events):
    assert Series(read_log(events([{"step": 4, "loss": float("nan")}]))).table.nonfinite.first_step == 4


def test_event_files_without_their_package_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX.proto.event_pb2", None)
    (tmp_path / "x.tfevents").write_bytes(struct.pack("<QI", 1, 0) + b"a" + bytes(4))
    with pytest.raises(MissingExtraError, match="pip install tensorboardX"):
        read_log(tmp_path / "x.tfevents")


def test_a_folder_of_runs_is_read_whole_and_the_newest_one_is_judged(events, tmp_path):
    for place, name in enumerate(("second", "first")):
        (tmp_path / name).mkdir()
        written = events(ROWS[: 9 + place], f"{name}/events.out.tfevents.1")
        os.utime(written, (place, place))
    log = read_log(tmp_path)
    assert [(name, run.rows) for name, _, run in log.runs()] == [("second", 9), ("first", 10)]


def test_a_folder_is_not_followed(events, tmp_path):
    events(ROWS)
    with pytest.raises(InputError, match="not while they grow"):
        read_log(tmp_path, follow=lambda log: True)


def test_a_folder_without_event_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"folder without a log .trainer_state.json.*\*tfevents\*.*; name a file"):
        read_log(tmp_path)
