"""W&B's own file of a run, as it is written offline and before an upload."""

import json
import struct

import numpy as np
import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log
from gradcheck.logs.series import Series

ROWS = [
    {"train": {"loss": 2 / step}, "grad_norm": 1.0 + step % 3, "_step": step, "note": "x" * 900}
    for step in range(1, 61)
]


def number(value):
    text = b""
    while value > 127:
        text, value = text + bytes([value & 127 | 128]), value >> 7
    return text + bytes([value])


def within(field, content):
    return number(field << 3 | 2) + number(len(content)) + content


def item(name, value):
    """A number of the history: what is nested has its name in several pieces."""
    if isinstance(value, dict):
        return b"".join(
            within(2, name.encode()) + within(2, key.encode()) + within(16, json.dumps(one).encode())
            for key, one in value.items()
        )
    return within(1, name.encode()) + within(16, json.dumps(value).encode())


def run_file(messages):
    """Messages in fragments, in blocks of 32 KiB after the head of the file."""
    text = b":W&B\xe1\xbe\x00"
    for message in messages:
        first = True
        while first or message:
            left = 2**15 - len(text) % 2**15
            if left < 7:
                text, left = text + bytes(left), 2**15
            part, message = message[: left - 7], message[left - 7 :]
            text += (
                struct.pack("<IHB", 0, len(part), {(1, 0): 1, (1, 1): 2, (0, 1): 3, (0, 0): 4}[first, bool(message)])
                + part
            )
            first = False
    return text


HISTORY = [within(2, b"".join(within(1, item(*one)) for one in row.items())) for row in ROWS]
HEADER = within(17, b"a run") + number(1 << 3) + number(7)


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "run-abc.wandb"
        path.write_bytes(content)
        return path

    return write


def test_the_history_is_read_though_blocks_cut_its_messages(written):
    content = run_file([HEADER, *HISTORY])
    assert len(content) > 2**15
    log = read_log(written(content))
    read = Series(log)
    assert (log.reader.format, log.problems.lines()) == ("W&B's run", [])
    assert read.steps.tolist() == [row["_step"] for row in ROWS]
    np.testing.assert_allclose(read.values("loss"), [row["train"]["loss"] for row in ROWS])
    assert read.norms.tolist() == [row["grad_norm"] for row in ROWS]


def test_a_torn_end_and_a_damaged_record_are_left_out_and_said(written):
    log = read_log(written(run_file([*HISTORY[:9], b"\xff\xff", *HISTORY[9:20]])[:-3]))
    assert Series(log).steps.tolist() == list(range(1, 20))
    assert len(log.problems.lines()) == 2


def test_a_run_that_logged_nothing_is_an_error_that_says_so(written):
    with pytest.raises(InputError, match="it has no step yet"):
        read_log(written(run_file([HEADER])))


def test_a_run_s_folder_is_read_by_that_file(written, tmp_path):
    written(run_file(HISTORY))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "requirements.txt").write_text("wandb")
    assert read_log(tmp_path).reader.format == "W&B's run"


def test_the_link_to_the_latest_run_is_no_run_of_its_own(written, tmp_path):
    (tmp_path / "offline-run-1").mkdir()
    written(run_file(HISTORY)).rename(tmp_path / "offline-run-1/run-1.wandb")
    (tmp_path / "latest-run").symlink_to("offline-run-1")
    assert [name for name, _, _ in read_log(tmp_path).runs()] == [""]
