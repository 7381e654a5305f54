"""Event files of TensorBoard, as its writers write them, and as nobody should."""

import json
import math
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import InputError
from gradcheck.logs.readers.event_files import _event
from gradcheck.logs.readers.protobuf import DamagedMessageError
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
from gradcheck.logs.series import Series

ROWS = [
    {"step": step, "loss": 1 / step, "lr": 0.1, "grad_norm": 2.0 * step, "grad_norm/fc1": 1.0 * step}
    for step in range(1, 21)
]


def number(value):
    """A number as messages have it."""
    text = b""
    while value > 127:
        text, value = text + bytes([value & 127 | 128]), value >> 7
    return text + bytes([value])


def within(field, content):
    """A field that holds bytes."""
    return number(field << 3 | 2) + number(len(content)) + content


def simple(value):
    return number(2 << 3 | 5) + struct.pack("<f", value)


def event(step, tag, value):
    """An event of one value, which is a field of its summary already written."""
    return number(2 << 3) + number(step) + within(5, within(1, within(1, tag.encode()) + value))


def record(message):
    return struct.pack("<QI", len(message), 0) + message + bytes(4)


@pytest.fixture
def events(tmp_path):
    """Scalars ↦ an event file of them."""

    def write(rows, name="events.out.tfevents.1", tail=b""):
        content = b"".join(record(event(row["step"], tag, simple(value))) for row in rows for tag, value in row.items())
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


TENSORS = {
    "a float": number(1 << 3) + number(1) + within(5, struct.pack("<f", 2.5)),
    "a float by itself": number(1 << 3) + number(1) + number(5 << 3 | 5) + struct.pack("<f", 2.5),
    "a double": within(6, struct.pack("<d", 2.5)) + number(1 << 3) + number(2),
    "bytes of a float": number(1 << 3) + number(1) + within(2, b"") + within(4, struct.pack("<f", 2.5)),
}


@pytest.mark.parametrize("tensor", TENSORS)
def test_a_number_may_be_a_tensor(tensor):
    assert _event(event(3, "loss", within(8, TENSORS[tensor]))) == (3, [("loss", 2.5)])


@pytest.mark.parametrize(
    "value",
    [
        within(8, number(1 << 3) + number(1) + within(5, struct.pack("<ff", 1, 2))),
        within(8, number(1 << 3) + number(7) + within(8, b"text")),
        within(5, b""),
        b"",
    ],
)
def test_what_is_no_single_number_is_missing(value):
    ((tag, missing),) = _event(event(3, "loss", value))[1]
    assert tag == "loss"
    assert math.isnan(missing)


def test_a_record_that_is_no_event_is_left_out_and_the_next_one_is_read(events):
    path = events(ROWS[:5], tail=record(b"\xff\xff\xff") + record(event(7, "loss", simple(0.5))))
    log = read_log(path)
    assert log.problems.found == {"is not an event: left out": (1, 26)}
    assert Series(log).steps.tolist() == [1, 2, 3, 4, 5, 7]


def test_tags_of_any_length_are_held_in_bounded_memory(monkeypatch, tmp_path):
    monkeypatch.setattr("gradcheck.logs.readers.event_files.HELD", 20)
    long = [record(event(step, "x" * 600 + str(step), simple(1.0))) for step in range(5)]
    (tmp_path / "x.tfevents").write_bytes(b"".join(long) + record(event(9, "loss", simple(1.0))))
    assert Series(read_log(tmp_path / "x.tfevents")).steps.tolist() == [9]


@given(message=st.binary(max_size=60))
def test_of_any_bytes_an_event_is_read_or_refused(message):
    for one in (message, event(3, "loss", within(8, message)), within(5, within(1, message))):
        try:
            step, scalars = _event(one)
        except DamagedMessageError:
            continue
        assert isinstance(step, int)
        assert all(isinstance(value, float) for _, value in scalars)


SCALARS = st.one_of(
    st.builds(lambda value: {"simple_value": value}, st.floats(width=32)),
    st.builds(lambda value: {"tensor": {"dtype": 1, "float_val": [value]}}, st.floats(width=32)),
    st.builds(lambda value: {"tensor": {"dtype": 2, "double_val": [value]}}, st.floats()),
    st.builds(lambda value: {"tensor": {"dtype": 2, "tensor_content": struct.pack("<d", value)}}, st.floats()),
)


@given(step=st.integers(-(2**63), 2**63 - 1), values=st.lists(st.tuples(st.text(max_size=9), SCALARS), max_size=4))
def test_what_the_usual_package_writes_is_read(step, values):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    summary = {"value": [{"tag": tag, "node_name": "n", **value} for tag, value in values]}
    found, scalars = _event(Event(wall_time=1.5, step=step, summary=summary).SerializeToString())
    assert (found, [tag for tag, _ in scalars]) == (step, [tag for tag, _ in values])
    for (_, value), (_, written) in zip(scalars, values, strict=True):
        expected = written.get("simple_value", (written.get("tensor") or {}).get("float_val", [None])[0])
        tensor = written.get("tensor", {})
        if expected is None:
            held = tensor.get("double_val") or struct.unpack("<d", tensor["tensor_content"])
            expected = held[0]
        finite = math.isfinite(expected)
        assert value == (expected if finite or expected > 0 else -math.inf)


def test_a_folder_of_runs_is_read_whole_and_the_newest_one_is_judged(events, tmp_path):
    for place, name in enumerate(("second", "first")):
        (tmp_path / name).mkdir()
        written = events(ROWS[: 9 + place], f"{name}/events.out.tfevents.1")
        os.utime(written, (place, place))
    log = read_log(tmp_path)
    assert [(name, run.rows) for name, _, run in log.runs()] == [("second", 9), ("first", 10)]


def test_of_one_run_the_record_that_says_most_of_its_gradients_is_judged_and_the_others_are_named(events, tmp_path):
    totals = [{name: row[name] for name in ("step", "loss", "grad_norm")} for row in ROWS]
    (tmp_path / "runs/night").mkdir(parents=True)
    (tmp_path / "checkpoint-20").mkdir()
    state, layers = tmp_path / "checkpoint-20/trainer_state.json", tmp_path / "gradcheck.jsonl"
    state.write_text(json.dumps({"log_history": totals}, indent=1))
    layers.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    written = events(totals, "runs/night/events.out.tfevents.1700000000.host.1.0")
    for path, changed in ((layers, 1_700_000_500), (state, 1_700_000_600), (written, 1_700_000_900)):
        os.utime(path, (changed, changed))
    log = read_log(tmp_path)
    assert (log.name, log.beside) == ("gradcheck.jsonl", ["checkpoint-20", "runs/night"])
    said = "judged is gradcheck.jsonl; of the same run, with less of its gradients: checkpoint-20, runs/night"
    assert said in diagnose(tmp_path).warnings
    os.utime(layers, (1_699_000_000, 1_699_000_000))  # of an earlier run
    assert (read_log(tmp_path).name, len(read_log(tmp_path).others)) == ("runs/night", 1)


def test_a_folder_is_not_followed(events, tmp_path):
    events(ROWS)
    with pytest.raises(InputError, match="not while they grow"):
        read_log(tmp_path, follow=lambda log: True)


def test_a_folder_without_event_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"folder without a log .trainer_state.json.*\*tfevents\*.*; name a file"):
        read_log(tmp_path)
