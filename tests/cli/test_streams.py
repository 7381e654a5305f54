"""Results go to stdout, everything else to stderr; pipes may close, disks may be full."""

import os
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from gradcheck.cli import progress

SMALL = "simulate --depth 5 --width 8"

FORMATS = ["text --no-suggest", "json", "csv", "markdown"]

full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def test_a_document_is_all_that_is_said(printed):
    for form in FORMATS:
        assert printed(f"{SMALL} --format {form}").endswith("\n"), form


@pytest.mark.parametrize("options", ["--json", "--no-suggest", "--suggest --json"])
@pytest.mark.usefixtures("impatient")
def test_progress_shows_on_the_terminal_of_stderr_and_is_wiped(options, terminal, printed):
    ended = terminal(f"{SMALL} {options}", piped=True)
    assert ended.returncode == 0
    assert " simulated, " in ended.shown
    assert ended.shown.endswith("\r\x1b[K")
    assert "\n" not in ended.shown
    assert ended.stdout == printed(f"{SMALL} {options}")


def test_progress_shows_after_a_moment_of_a_long_run(terminal, monkeypatch):
    seconds = count()  # one between any two looks at the clock
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    ended = terminal(f"{SMALL} --json --seed 9", piped=True)  # measured nowhere else, which would take no time
    assert ended.returncode == 0
    assert " simulated, " in ended.shown
    assert ended.shown.endswith("\r\x1b[K")


def test_a_short_run_shows_no_progress(terminal):
    ended = terminal(f"{SMALL} --json", piped=True)
    assert (ended.returncode, ended.shown) == (0, "")


@pytest.mark.usefixtures("impatient")
def test_quiet_shows_no_progress(terminal, printed):
    ended = terminal(f"{SMALL} --json --quiet", piped=True)
    assert (ended.returncode, ended.shown) == (0, "")
    assert ended.stdout == printed(f"{SMALL} --json")


@pytest.mark.usefixtures("impatient")
def test_progress_is_silent_in_a_pipe(gradcheck, printed):
    ended = gradcheck(f"{SMALL} --json")
    assert (ended.stdout, ended.stderr) == (printed(f"{SMALL} --json"), "")


def test_quiet_leaves_the_exit_code_only(printed):
    assert printed(f"{SMALL} --quiet") == ""


def test_what_nobody_sees_is_not_simulated(gradcheck, monkeypatch):
    monkeypatch.setattr("gradcheck.simulation.cures._tried", pytest.fail)
    assert gradcheck("simulate --depth 12 --width 8 --quiet --fail-on any").returncode == 1


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_a_quiet_document_is_still_a_document(form, printed):
    assert printed(f"{SMALL} --quiet --format {form}") == printed(f"{SMALL} --format {form}")


@pytest.mark.parametrize(
    "line",
    [  # which say more than the pipe holds
        "simulate --depth 100 --width 4 --batch-size 4 --json",
        "simulate --help",
        *(
            pytest.param(line, marks=pytest.mark.slow)
            for line in (
                "simulate --depth 100 --width 2 --batch-size 4 --no-suggest --all-layers",
                "simulate --depth 100 --width 4 --batch-size 4 --json --output /dev/stdout",
            )
        ),
    ],
)
def test_a_closed_pipe_ends_silently(line, start):
    with start("-m", "gradcheck", *line.split(), pipesize=4096) as process:
        assert process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("line", [f"{SMALL} --no-suggest", "--version", "simulate --help"])
def test_a_pipe_that_is_closed_from_the_start_ends_silently(line, process):
    there, here = os.pipe()
    os.close(there)
    ended = process(line, stdout=here)
    os.close(here)
    assert (ended.returncode, ended.stderr) == (0, "")


FULL = "error: stdout: can't be written: no space left on device\n"


@full_disk
def test_a_full_disk_behind_stdout_is_one_line(process):
    with Path("/dev/full").open("w") as full:
        ended = process(f"{SMALL} --no-suggest", stdout=full)
    assert (ended.returncode, ended.stderr) == (2, FULL)


@full_disk
@pytest.mark.parametrize("line", [f"{SMALL} --json", "--version", "simulate --help"])
def test_a_full_disk_is_told_of_whatever_is_printed(line, gradcheck):
    with Path("/dev/full").open("w") as full:
        ended = gradcheck(line, stdout=full)
    assert (ended.returncode, ended.stderr) == (2, FULL)


def test_a_closed_stdout_is_no_traceback(in_bash):
    ended = in_bash(f"gradcheck {SMALL} --no-suggest >&-")
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count("\n") <= 1
    assert ended.returncode in (0, 2)


def test_a_closed_stderr_does_not_matter(in_bash, printed):
    ended = in_bash(f"gradcheck {SMALL} --json 2>&-")
    assert (ended.returncode, ended.stdout) == (0, printed(f"{SMALL} --json"))


def test_a_closed_stdin_does_not_matter_and_the_next_program_reads_the_json(in_bash, printed, tmp_path):
    ended = in_bash(f"gradcheck {SMALL} --json <&- | tee copy | '{sys.executable}' -m json.tool", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "copy").read_text() == printed(f"{SMALL} --json")
