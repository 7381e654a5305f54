import json

import pytest

from gradcheck.errors import OutputError
from gradcheck.logs.appending import GrowingLog, warn
from gradcheck.logs.records import header_line, record_line

WHOLE = header_line(["a"]) + record_line(7) + record_line(9)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.jsonl"


def resumed(file, *lines):
    log = GrowingLog(file, resume=True)
    for line in lines:
        log.write(line)
    log.close()
    return log.last_step


def test_a_line_torn_anywhere_is_cut_off(file):
    for torn in range(1, len(record_line(11, loss=1.0))):
        file.write_bytes(WHOLE + record_line(11, loss=1.0)[:torn])
        assert resumed(file, record_line(10)) == 9, torn
        assert file.read_bytes() == WHOLE + record_line(10), torn


def test_a_header_behind_the_last_record_hides_no_step(file):
    file.write_bytes(WHOLE + header_line(["a"]))
    assert resumed(file) == 9


@pytest.mark.parametrize("content", [b"", header_line(["a"])[:9], header_line(["a"])[:-5], header_line(["a"])])
def test_a_file_without_a_record_has_no_last_step(file, content):
    file.write_bytes(content)
    assert resumed(file) is None


@pytest.mark.parametrize(
    "content", [b"torn", b"no json\n", b"[1]\n", b"notes\nwithout an end", b'{"a": 1}\n{"b', b"\0"]
)
def test_what_is_no_log_is_not_resumed_and_keeps_its_bytes(file, content):
    file.write_bytes(content)
    with pytest.raises(OutputError, match="is no log of a recorder"):
        GrowingLog(file, resume=True)
    assert file.read_bytes() == content


def test_a_closed_log_takes_no_line(file):
    log = GrowingLog(file)
    for line in WHOLE.splitlines(keepends=True):
        log.write(line)
    log.close()
    log.write(record_line(11))
    assert log.closed
    assert file.read_bytes() == WHOLE


def test_each_line_is_in_the_file_at_once(file):
    log = GrowingLog(file)
    for step in range(3):
        log.write(record_line(step))
        assert json.loads(file.read_bytes().splitlines()[-1])["step"] == step
    log.close()


def test_a_folder_can_not_be_written(tmp_path):
    with pytest.raises(OutputError, match="can't be written: Is a directory"):
        GrowingLog(tmp_path)


def test_a_warning_shows_the_control_characters_of_a_file_s_name(tmp_path):
    file = tmp_path / "a\x1b[31m.jsonl"
    file.write_bytes(WHOLE)
    with pytest.warns(RuntimeWarning, match=r"a\\x1b\[31m\.jsonl holds an earlier run"):
        GrowingLog(file).close()


def test_a_warning_shows_the_user_s_line_also_through_a_trainer_that_called_us():
    trainer = {"__name__": "transformers.trainer", "warn": warn}
    exec(compile("def train():\n    warn('found')", "trainer.py", "exec"), trainer)
    for call in (trainer["train"], lambda: warn("found")):
        with pytest.warns(RuntimeWarning, match="found") as caught:
            call()
        assert [one.filename for one in caught] == [__file__]
