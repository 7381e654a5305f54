"""What is torn, damaged or malicious is left out and named; nothing of it is believed."""

import json
import tracemalloc

import pytest

from gradcheck.errors import InputError
from gradcheck.logs import lines, table
from gradcheck.logs.lines import LONGEST
from gradcheck.logs.readers import documents, json_records

GOOD = b'{"step": 1, "loss": 2, "grad_norm": 3}\n'


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (b'{"step": 2, "lo', "line 2 is not JSON, cut off: left out"),
        (b"}{\n", "line 2 is not JSON: left out"),
        (b"\xff\xfe\x00\n", "line 2 is not JSON: left out"),
        (b"[1, 2]\n", "line 2 is not a JSON object: left out"),
        (b"7\n", "line 2 is not a JSON object: left out"),
        (b'{"a":' * 100_000 + b"\n", "line 2 is not JSON: left out"),
        (b"[" * 100_000 + b"\n", "line 2 is not JSON: left out"),
        (GOOD[:-1] + b" tail\n", "line 2 is not JSON: left out"),
        (b'{"step": ' + b"9" * 5000 + b"}\n", "line 2 is not JSON: left out"),
    ],
)
def test_a_damaged_line_is_left_out_and_told(damaged, told, read):
    log = read(GOOD + damaged)
    assert log.table.rows_read == 1
    assert log.problems.lines() == [told]


def test_words_before_the_first_record_are_left_out_and_told(read):
    log = read(b"Loading data ...\nok, 3 files\n" + 3 * GOOD)
    assert log.table.rows_read == 3
    assert log.problems.lines() == ["2 lines (the first is 1): is not JSON: left out"]


def test_damage_of_one_kind_is_told_once(read):
    assert read(GOOD + 3 * b"}{\n").problems.lines() == ["3 lines (the first is 2): is not JSON: left out"]


@pytest.mark.parametrize("value", ['"word"', "null", "{}", "[]", "true", "1" + 400 * "0"])
def test_a_value_that_is_no_number_does_no_harm(value, read):
    assert read(GOOD + f'{{"step": 2, "loss": {value}, "grad_norm": 1}}\n'.encode()).table.rows_read == 2


def test_a_line_beyond_all_bounds_is_left_out_and_the_next_one_read(read, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 5000)
    monkeypatch.setattr(lines, "CHUNK", 1000)
    log = read(GOOD + b'{"x": "' + 20_000 * b"x" + b'"}\n' + GOOD)
    assert log.table.rows_read == 2
    assert log.problems.lines() == ["line 2 is longer than 0 MiB: left out"]


def test_an_endless_line_takes_no_more_memory_than_the_longest_that_is_allowed(tmp_path, monkeypatch):
    class Endless:
        left = 200

        def read1(self, size):
            self.left -= 1
            return b"x" * size if self.left else b""

    monkeypatch.setattr(lines, "LONGEST", LONGEST // 16)
    monkeypatch.setattr(lines, "CHUNK", 2**16)
    tracemalloc.start()
    problems = lines.Problems()
    assert list(lines.whole_lines(lines.chunks(Endless()), problems)) == []
    assert tracemalloc.get_traced_memory()[1] < LONGEST // 4
    tracemalloc.stop()
    assert len(problems.found) == 1


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_a_row_with_other_cells_than_the_header_is_left_out_and_told(delimiter, read):
    log = read(b"step,loss,grad_norm\n1,2,3\n2,3\n3,2,3\n4,2,".replace(b",", delimiter))
    assert log.table.rows_read == 3
    assert log.problems.lines() == ["line 3 has 2 cells, the header has 3: left out"]


def test_an_open_quote_does_not_swallow_memory(read, monkeypatch):
    monkeypatch.setattr("gradcheck.logs.readers.delimited.LONGEST", 1000)
    log = read(b'step,loss\n1,2\n2,"' + b"x\n" * 5000)
    assert log.table.rows_read == 1


@pytest.mark.parametrize("cut", [50, 90, 151])
def test_a_document_that_is_cut_off_is_read_as_far_as_it_goes(cut, read):
    content = json.dumps({"log_history": [{"step": step, "loss": 1.0} for step in range(9)]}).encode()
    log = read(content[:cut])
    assert 1 <= log.table.rows_read < 9
    assert "cut off" in log.problems.lines()[0]


def test_a_document_of_many_objects_is_not_copied_for_each():
    copied = []

    class Copied(str):
        def __getitem__(self, key):
            copied.append(len(self))
            return Copied(super().__getitem__(key))

        def lstrip(self, *characters):
            return self[len(self) - len(super().lstrip(*characters)) :]

    content = Copied(json.dumps([{"step": step, "loss": 1.0} for step in range(500)])[1:])
    document = documents.Document(lines.Problems())
    document._start = lambda texts: content
    assert len(list(document.rows(iter(())))) == 500
    assert len(copied) < 5


def test_a_long_object_of_a_document_is_read_with_no_more_than_as_much_again(monkeypatch):
    monkeypatch.setattr(documents, "LONGEST", 2**18)
    asked = iter([b'[{"loss": 1}, {"x": "', *(b"x" * 2**16 for _ in range(100))])
    list(documents.Document(lines.Problems()).rows(asked))
    assert len(list(asked)) > 80


def test_columns_beyond_all_bounds_are_left_out_and_told(read, monkeypatch):
    monkeypatch.setattr(table, "MOST_COLUMNS", 50)
    log = read(GOOD + json.dumps({f"grad_norm/{layer}": 1.0 for layer in range(200)}).encode() + b"\n" + GOOD)
    assert len(log.table.columns) == 50
    assert log.problems.lines() == ["line 2 has more columns than 50: left out"]


def test_layers_of_a_header_beyond_all_bounds_are_left_out(read, monkeypatch):
    monkeypatch.setattr(json_records, "MOST_LAYERS", 10)
    header = json.dumps({"gradcheck_log": 1, "layers": [str(name) for name in range(1000)]}).encode()
    record = json.dumps({"step": 1, "grad_norm": 1, "layers": {"grad_norm": list(range(1000))}}).encode()
    assert len(read(header + b"\n" + record + b"\n").table.columns) < 20


def test_ever_new_columns_take_no_more_than_linear_time(read, monkeypatch):
    monkeypatch.setattr(table, "MOST_COLUMNS", 1000)
    content = b"".join(json.dumps({"step": n, f"grad_norm/{n}": 1.0}).encode() + b"\n" for n in range(2000))
    log = read(content)
    assert log.table.rows_read == 2000
    assert len(log.table.columns) == 1000


def test_ever_new_orders_of_keys_are_not_remembered_for_ever(read):
    content = b"".join(f'{{"step": {n}, "loss": 1, "extra{n}": 1}}\n'.encode() for n in range(3000))
    log = read(content)
    assert log.table.rows_read == 3000
    assert len(log.reader._plans) <= json_records.MOST_PLANS


@pytest.mark.parametrize("header", [{}, {"layers": 7}, {"layers": None, "clip": 3}, {"clip": {"threshold": "x"}}])
def test_a_header_that_makes_no_sense_does_no_harm(header, read):
    content = json.dumps({"gradcheck_log": 1} | header).encode() + b"\n" + GOOD
    assert read(content).table.rows_read == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; nothing was logged"),
        (b"\n\n \n", "is empty; nothing was logged"),
        (b"a,b\n1,2\n", "has neither a loss nor a gradient norm .its columns are a, b.; name columns step, loss"),
        (b'{"a": 1}\n', "its columns are a"),
        (b"hello\n", "none of its lines has a number by such a name"),
        (b'{"log_history": []}', "it has no step yet"),
        (b"{\n", "none of its lines could be read"),
        (b"[]", "it has no step yet"),
        (b'{"epoch": 1', "none of its lines could be read"),
        (b'{"gradcheck_log": 1, "layers": ["a"]}\n', "it has no step yet"),
        (b"step,loss,grad_norm\n", "has no number under grad_norm, loss; write plain ones"),
        (b"step,grad_norm\n1,tensor(2.5)\n2,tensor(2.5)\n", "has no number under grad_norm; write plain ones"),
        (b'{"loss": [[1, 2]], "step": 3}\n', "has no number under loss"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "is damaged: gzip can't unpack its beginning"),
        (b"\x1f\x8b\x08\x00\xff\xff\xff\xff\xff\xff\xff\xff", "is damaged: gzip can't unpack its beginning"),
    ],
)
def test_a_file_in_which_nothing_can_be_read_is_an_error_that_says_what_would_be_right(content, told, read):
    with pytest.raises(InputError, match=told):
        read(content)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    from gradcheck.logs.reading import read_log

    with pytest.raises(InputError, match="no such file"):
        read_log(tmp_path / "nothing.jsonl")
