"""Many lines at once, and the extra ``fast``: the same rows with them and without them."""

import json
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.logs.readers import fast
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.reading import read_log

#: Where the extra is installed, other tests read with it, too.
pytestmark = pytest.mark.extras

#: Values of records, among them all that only one of the two parsers reads.
VALUES = st.one_of(
    st.floats().map(json.dumps),
    st.integers().map(str),
    st.sampled_from([
        "null", "true", '"2.5"', '"nan"', "nan", "-Infinity", "1e999", "-0", "1" + "0" * 400, "1" * 5000, "[1, 2]",
        '{"a": 3}', "{}", '"\\ud800"', "01", "1.", "",
    ]),
)  # fmt: skip

TEXTS = st.sampled_from(['"train"', '"a: 5, b"', '"7"', "true", "null", "[1, 2, 3]", '{"a": 1}', '"run 12"'])

#: Rows with something beside numbers, and the same in most of them.
NAMED = st.tuples(TEXTS, st.floats(0.1, 10), st.integers(0, 99)).map(
    lambda row: f'{{"phase": {row[0]}, "step": {row[2]}, "loss": {row[1]}, "run": {row[0]}}}'
)

RECORDS = st.lists(st.tuples(st.sampled_from(["step", "loss", "lr", "grad_norm", "note"]), VALUES), max_size=5).map(
    lambda pairs: "{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"
)

USUAL = st.floats(0.1, 10).map(lambda loss: f'{{"step": 1, "loss": {loss}, "grad_norm": 2.0, "tokens": 3}}')

LINES = st.one_of(
    USUAL,
    USUAL,
    USUAL,
    RECORDS,
    NAMED,
    NAMED,
    st.sampled_from(["", " ", "\ufeff{}", '["step", "loss"]', '"ab"', "3", '{"loss": 1', "\x0b{}"]),
).map(str.encode) | st.just(b'{"loss": 1, "note": "\xff"}')


START = [b'{"step": 1, "loss": 1.5, "grad_norm": 2.0, "tokens": 3}']


def outcome(lines, folder, piece):
    """All that a diagnosis reads of a log, so many bytes at a time."""
    path = folder / "mixed.jsonl"
    path.write_bytes(b"\n".join([*START, *lines]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "PIECE", piece)
        log = read_log(path)
    samples, peaks = log.table.kept()
    return samples, peaks, log.problems.found, log.reader.seen, log.table.names, log.rows_found, len(log.table.runs)


@given(lines=st.lists(LINES, max_size=30))
def test_a_log_is_read_alike_at_once_and_line_by_line(lines, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    at_once = outcome(lines, folder, 200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "orjson", lambda: None)
        patch.setattr(fast, "mould_of", lambda *_: None)
        line_by_line = outcome(lines, folder, 200)
    np.testing.assert_equal(at_once, line_by_line)


@given(lines=st.lists(LINES, max_size=30))
def test_a_log_is_read_alike_with_the_extra_and_without_it(lines, tmp_path_factory):
    pytest.importorskip("orjson")
    folder = tmp_path_factory.getbasetemp()
    quick = outcome(lines, folder, 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "orjson", lambda: None)
        plain = outcome(lines, folder, 100)
    np.testing.assert_equal(quick, plain)


@pytest.mark.parametrize(
    "lines",
    [
        ['{"step": 1, "loss": 2, "lr": 3}', '{"step": 1, "loss": 2, "lr": 3, "lr": 3}'],
        ['{"step": 1, "loss": 2, "loss": 2}', '{"step": 1, "lr": 2, "lr": 3}'],
        ['{"step": 1, "lo3ss": 2, "lr": 3}'],
        ['5{"step": 1, "loss": 2, "lr": 3}'],
        ['{"step": 1, "loss": 2, "lr": 3}5'],
        ['{"step": 1, 5"loss": 2, "lr": 3}'],
        ['{"step": 1, "loss": , "lr": 3}'],
        ['{"step": 1, "loss": 01, "lr": 3}'],
        ['{"step": 1, "loss": 1-2, "lr": 3}'],
        ['{"step": 1, "loss": 1 2, "lr": 3}'],
        ['{"step": 1, "loss": 1e999, "lr": 3}', '{"step": 1, "loss": 2e, "lr": 3}'],
    ],
)
def test_a_line_that_differs_in_more_than_its_numbers_does_not_fit(lines):
    line = b'{"step": 1, "loss": 1.5, "lr": 0.1}\n'
    mould = fast.mould_of(line, [1, 1.5, 0.1], [0, 1, 2])
    assert mould.numbers_of(line * 3) == (3, array("d", [1, 1.5, 0.1] * 3))
    assert mould.numbers_of(line + "".join(f"{one}\n" for one in lines).encode() + line) is None


def test_numbers_that_no_quantity_has_are_left_out(tmp_path):
    lines = [f'{{"step": {step}, "loss": {step / 8}, "grad_norm": 2.0, "tokens": 3}}'.encode() for step in range(2, 9)]
    samples, *_ = outcome(lines, tmp_path, 150)
    assert samples[:, 1:].tolist() == [[1, 1.5, 2], *([step, step / 8, 2] for step in range(2, 9))]


def test_a_damaged_line_has_its_number_in_the_file(tmp_path):
    rows = [f'{{"step": {step}, "loss": 1.0}}'.encode() for step in range(20)]
    problems = outcome([*rows[:10], b'{"step": 10, "lo', *rows[11:]], tmp_path, 60)[2]
    assert problems == {"is not JSON: left out": (1, 12)}


def test_a_short_log_does_not_import_the_extra(monkeypatch, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f'{{"step": {step}, "loss": 1.0}}\n' for step in range(1000)))
    parsed = []
    monkeypatch.setattr(fast, "orjson", lambda: parsed.append)
    assert read_log(path).rows_found == 1000
    assert not parsed


def test_numbers_with_exponents_are_parsed_by_the_extra_many_lines_at_a_time(monkeypatch, tmp_path):
    loads = pytest.importorskip("orjson").loads
    parsed = []
    monkeypatch.setattr(fast, "orjson", lambda: lambda text: [parsed.append(text), loads(text)][1])
    outcome([b'{"step": 2, "loss": 1.5e-5, "grad_norm": 2.0, "tokens": 3}'] * 12, tmp_path, 400)
    assert any(text.startswith(b"[1.5e-5,1.5e-5,") for text in parsed)


def test_lines_that_are_there_are_not_held_back_while_more_are_awaited():
    assert list(fast.pieces(iter([b"1\n", b"2\n", b"", b"", b"3\n"]))) == [b"1\n2\n", b"3\n"]


def test_pieces_end_where_lines_end(monkeypatch):
    monkeypatch.setattr(fast, "PIECE", 6)
    assert list(fast.pieces(iter([b"12\n34\n5678901\n2\n3"]))) == [b"12\n34\n", b"5678901\n", b"2\n", b"3"]


def test_rows_of_other_names_in_between_leave_those_around_them_to_be_read_at_once(monkeypatch, tmp_path):
    parsed = []
    usual = JsonRecords.parsed
    monkeypatch.setattr(JsonRecords, "parsed", lambda self, text: [parsed.append(text), usual(self, text)][1])
    monkeypatch.setattr(fast, "orjson", lambda: None)
    rows = [f'{{"step": {step}, "loss": {step / 8}, "grad_norm": 2.0, "tokens": 3}}'.encode() for step in range(2, 40)]
    rows[9::10] = [b'{"step": 1, "eval_loss": 1.5}'] * 3
    samples, *_, found, _ = outcome(rows, tmp_path, 1000)
    assert found == 39
    assert samples[:, 1].tolist() == [step for step in range(1, 40) if step % 10 != 1 or step == 1]
    assert sum(b"eval" not in text.encode() for text in parsed) < 25  # those of the first piece, and moulds


def test_the_mould_is_that_of_most_lines():
    assert fast.most_alike([b"a1\n", b"b2\n", b"b33\n"]) == b"b2\n"
