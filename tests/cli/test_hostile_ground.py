"""What a hostile machine, file or name does to a command: a whole document or one line, never a traceback."""

import io
import json
import os

import numpy as np
import pytest

from gradcheck.cli import output
from gradcheck.sweep import rows as sweep

SMALL = "simulate --depth 3 --width 8 --batch-size 8"

SWEEP = "compare --depth 2,3 --width 8 --batch-size 8 --seeds 1"


# ---- documents


def test_a_stdout_that_takes_a_part_of_each_write_gets_all(monkeypatch):
    class Slow(io.RawIOBase):
        taken = b""

        def write(self, content):
            self.taken += bytes(content[:7])
            return len(content[:7])

    raw = Slow()
    monkeypatch.setattr("sys.stdout", type("Stream", (), {"buffer": raw})())
    output.write_now("a document of more than seven letters\n")
    assert raw.taken == b"a document of more than seven letters\n"


def test_a_limit_of_file_sizes_is_one_line_also_where_python_does_not_buffer(in_bash, tmp_path):
    line = "gradcheck simulate --depth 300 --width 8 --json > x.json"
    ended = in_bash(f"trap '' XFSZ; ulimit -f 1; PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 {line}", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "error: stdout: can't be written: file too large\n"


def test_what_nobody_expected_is_one_line_with_a_code_of_its_own(gradcheck, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("out of the\nblue")

    monkeypatch.setattr("gradcheck.cli.shown.show", fail)
    ended = gradcheck(SMALL)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("internal error in gradcheck ")
    assert "ZeroDivisionError: out of the blue" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" in gradcheck(SMALL, GRADCHECK_DEBUG="1").stderr


# ---- the file system


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    return tmp_path


READ = ["simulate --data {}.npy", "simulate --weights {}.npz", "diagnose {}", "compare --baseline {}"]

WRITTEN = [f"{SMALL} -o {{}}", f"{SMALL} --save-weights {{}}", f"{SWEEP} --journal {{}}"]


@pytest.mark.parametrize("line", READ + WRITTEN)
@pytest.mark.parametrize("name", ["x" * 300, "loop/x", "file/x"])
def test_a_path_that_can_not_be_is_one_line(line, name, folder, gradcheck):
    ended = gradcheck(line.format(name), cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1


def test_an_output_that_leads_to_itself_is_one_line(folder, gradcheck):
    ended = gradcheck(f"{SMALL} -o loop", cwd=folder)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)


def test_a_standard_input_that_is_closed_is_one_line(in_bash):
    ended = in_bash("gradcheck diagnose - <&-")
    assert (ended.returncode, ended.stderr) == (2, "error: -: the standard input is closed; name a file\n")


def test_an_archive_that_inflates_beyond_reason_is_refused_before_it_does(tmp_path, gradcheck):
    """The directory of the archive says that one entry is half a GiB, as it would of so many zeros."""
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(2**10))
    packed = (tmp_path / "bomb.npz").read_bytes()
    size = packed.rindex(b"PK\1\2") + 24
    (tmp_path / "bomb.npz").write_bytes(packed[:size] + (2**29).to_bytes(4, "little") + packed[size + 4 :])
    ended = gradcheck("simulate --data bomb.npz", cwd=tmp_path)
    assert ended.returncode == 2
    assert "bomb.npz: would inflate to 0.5 GiB" in ended.stderr


# ---- sweeps


@pytest.fixture(scope="module")
def journal(tmp_path_factory, gradcheck):
    path = tmp_path_factory.mktemp("journal") / "rows.jsonl"
    assert gradcheck(f"{SWEEP} --workers 1 --journal", path).returncode == 0
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    "change",
    [
        {"index": "x"}, {"index": -1}, {"index": 1.5}, {"index": 10**9}, {"status": "\033[31m"}, {"score": "hi"},
        {"score": float("nan")}, {"flags": 5}, {"error": 3}, {"options": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_row_of_a_journal_is_named(change, journal, tmp_path, gradcheck):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*journal[:2], json.dumps(json.loads(journal[2]) | change)]) + "\n")
    ended = gradcheck(f"{SWEEP} --workers 1 --journal", path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "line 3 is no row of a journal" in ended.stderr


def test_rows_whose_worker_was_lost_are_no_rows_of_the_journal(tmp_path, gradcheck, monkeypatch):
    measure = sweep.measure_row
    monkeypatch.setattr(
        sweep, "measure_row", lambda task: sweep.LostRow(sweep.failed(task, "its worker was lost twice"))
    )
    ended = gradcheck(f"{SWEEP} --workers 1 --journal", tmp_path / "rows.jsonl")
    assert ended.returncode == 2
    assert "2 of 2 rows have no result: its worker was lost twice" in ended.stderr
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1  # its header
    monkeypatch.setattr(sweep, "measure_row", measure)
    assert gradcheck(f"{SWEEP} --workers 1 --journal", tmp_path / "rows.jsonl").returncode == 0


# ---- names


@pytest.mark.parametrize("name", ["grad_norm/a\033[31m", "grad_norm/b\u202e"])
def test_a_csv_shows_control_characters_instead_of_passing_them_on(name, tmp_path, gradcheck):
    rows = [{"step": step, "loss": 1.0 + step, "grad_norm": 1.5**step, name: 1.5**step} for step in range(60)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + os.linesep for row in rows))
    written = gradcheck("diagnose log.jsonl --format csv", cwd=tmp_path).stdout
    assert "exploding" in written
    assert all(one.isprintable() or one == "\n" for one in written)


def test_the_last_resort_needs_no_text_of_the_error(gradcheck, monkeypatch):
    class UnsaidError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def fail(*arguments, **options):
        raise UnsaidError

    monkeypatch.setattr(output, "show", fail)
    monkeypatch.setattr("gradcheck.cli.shown.show", fail, raising=False)
    ended = gradcheck("theory --depth 3")
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "UnsaidError: its text can't be made, its __str__ fails" in ended.stderr
