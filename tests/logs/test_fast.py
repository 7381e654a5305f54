"""The extra ``fast``: the same rows with it and without it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.logs import fast
from gradcheck.logs.reading import read_log

#: Values of records, among them all that only one of the two parsers reads.
VALUES = st.one_of(
    st.floats().map(json.dumps),
    st.integers().map(str),
    st.sampled_from([
        "null", "true", '"2.5"', '"nan"', "nan", "-Infinity", "1e999", "-0", "1" + "0" * 400, "1" * 5000, "[1, 2]",
        '{"a": 3}', "{}", '"\\ud800"', "01", "1.", "",
    ]),
)  # fmt: skip

RECORDS = st.lists(st.tuples(st.sampled_from(["step", "loss", "lr", "grad_norm", "note"]), VALUES), max_size=5).map(
    lambda pairs: "{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"
)

USUAL = st.floats(0.1, 10).map(lambda loss: f'{{"step": 1, "loss": {loss}, "grad_norm": 2.0}}')

LINES = st.one_of(
    USUAL,
    USUAL,
    USUAL,
    RECORDS,
    st.sampled_from(["", " ", "\ufeff{}", '["step", "loss"]', '"ab"', "3", '{"loss": 1', "\x0b{}"]),
).map(str.encode) | st.just(b'{"loss": 1, "note": "\xff"}')


def outcome(path):
    """All that a diagnosis reads of a log."""
    log = read_log(path)
    samples, peaks = log.table.kept()
    return samples, peaks, log.problems.found, log.reader.seen, log.table.names, log.rows_found, len(log.table.runs)


@pytest.fixture
def orjson(monkeypatch):
    """The extra, from the fourth line on."""
    package = pytest.importorskip("orjson")
    monkeypatch.setattr(fast, "TOGETHER", 3)
    return package


@given(lines=st.lists(LINES, max_size=30))
def test_a_log_is_read_alike_with_the_extra_and_without_it(lines, tmp_path_factory):
    pytest.importorskip("orjson")
    path = tmp_path_factory.getbasetemp() / "mixed.jsonl"
    path.write_bytes(b"\n".join([b'{"step": 1, "loss": 1.5, "grad_norm": 2.0}', *lines]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "TOGETHER", 3)
        quick = outcome(path)
        patch.setattr(fast, "parser", lambda: None)
        plain = outcome(path)
    np.testing.assert_equal(quick, plain)


def test_a_damaged_line_has_its_number_in_the_file(orjson, tmp_path):
    path = tmp_path / "run.jsonl"
    rows = [f'{{"step": {step}, "loss": 1.0}}\n' for step in range(20)]
    path.write_text("".join([*rows[:10], '{"step": 10, "lo\n', *rows[11:]]))
    assert read_log(path).problems.lines() == ["line 11 is not JSON: left out"]


def test_a_short_log_does_not_import_the_extra(monkeypatch, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in range(fast.TOGETHER // 2)))
    parsed = []
    monkeypatch.setattr(fast, "parser", lambda: parsed.append)
    assert read_log(path).rows_found == fast.TOGETHER // 2
    assert not parsed


def test_a_long_log_is_parsed_by_the_extra_after_its_first_lines(orjson, monkeypatch, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in range(10)))
    parsed = []
    monkeypatch.setattr(fast, "parser", lambda: lambda line: [parsed.append(line), orjson.loads(line)][1])
    assert read_log(path).rows_found == 10
    assert len(parsed) == 7


def test_lines_that_are_there_are_not_held_back_while_more_are_awaited():
    assert list(fast.batches(iter([b"1\n", b"", b"", b"2\n"]))) == [[b"1\n"], [b"2\n"]]


def test_few_long_lines_are_a_batch(monkeypatch):
    monkeypatch.setattr(fast, "MOST_BYTES", 10)
    assert [len(batch) for batch in fast.batches(iter([b"12345"] * 5))] == [2, 2, 1]
