"""A sweep that is cut off: killed, interrupted, its reader gone. What was finished is kept, and no process is left.

The rows are longer than a pipe holds, so that a sweep whose reader waits can't come to its end.
"""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

SWEEP = "compare --depth 4:43 --width 8 --batch-size 8 --seeds 1 --format jsonl"

ROWS = 40

PATIENCE = 60  # seconds after which a process counts as hung

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def sweep(start):
    """Options ↦ the command in mid-sweep: its process, and the first three lines that it printed."""

    @contextmanager
    def run(*arguments, session=False):
        how = {"bufsize": 0, "pipesize": 4096, "start_new_session": session}
        with start("-m", "gradcheck", *SWEEP.split(), *arguments, **how) as process:
            try:
                yield process, [process.stdout.readline() for _ in range(3)]
            finally:
                process.kill()

    return run


@pytest.fixture(scope="module")
def finished(gradcheck):
    """Options ↦ the lines of a sweep that comes to its end."""

    def run(*arguments):
        ended = gradcheck(SWEEP, "--workers", 1, *arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.encode().splitlines()

    return run


@pytest.fixture(scope="module")
def uninterrupted(finished):
    return sorted(finished())


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "rows.jsonl"


def indices(lines):
    return [json.loads(line)["index"] for line in lines]


def children(process):
    """Ids of the processes that a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, timeout=PATIENCE)
    return [int(one) for one in listed.stdout.split()]


def running(pid):
    """Whether a process runs; one that has ended and waits for its parent doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_gone(pids):
    deadline = time.monotonic() + PATIENCE
    while any(map(running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if running(pid)] == []


def assert_whole(journal):
    """Each line of a journal is a record; its rows' indices, once each."""
    content = journal.read_bytes()
    assert content.endswith(b"\n")
    _, *lines = content.splitlines()
    found = indices(lines)
    assert len(found) == len(set(found))
    return set(found)


@linux
def test_a_sweep_that_was_killed_goes_on_from_its_journal(journal, sweep, finished, uninterrupted):
    arguments = ("--workers", 2, "--journal", journal)
    with sweep(*arguments) as (process, printed):
        pids = children(process)
        assert len(pids) >= 2
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    assert_gone(pids)
    kept = {line for line in journal.read_bytes().splitlines(keepends=True)[1:] if line.endswith(b"\n")}
    assert set(printed) <= kept
    assert len(kept) < ROWS
    assert sorted(finished("--journal", journal)) == uninterrupted
    assert assert_whole(journal) == set(range(ROWS))
    assert kept < set(journal.read_bytes().splitlines(keepends=True))


@pytest.mark.slow
@linux
def test_killed_twice_and_torn_it_still_comes_to_the_same_end(journal, sweep, finished, uninterrupted):
    arguments = ("--workers", 1, "--journal", journal)
    for _ in range(2):
        with sweep(*arguments) as (process, _printed):
            pids = children(process)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=PATIENCE)
        assert_gone(pids)
        journal.write_bytes(journal.read_bytes()[:-20])
    assert sorted(finished("--journal", journal)) == uninterrupted
    assert assert_whole(journal) == set(range(ROWS))


@linux
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_an_interrupt_exits_with_130_and_keeps_what_is_finished(workers, journal, sweep, finished, uninterrupted):
    with sweep("--workers", workers, "--journal", journal) as (process, printed):
        pids = children(process)
        process.send_signal(signal.SIGINT)
        rest, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"")
    assert_gone(pids)
    lines = [line.rstrip(b"\n") for line in printed] + rest.splitlines()
    assert set(lines) <= set(uninterrupted)
    kept = assert_whole(journal)
    assert set(indices(lines)) <= kept
    assert len(kept) < ROWS
    assert sorted(finished("--journal", journal)) == uninterrupted


@linux
def test_an_interrupt_that_all_processes_get_is_no_other(journal, sweep):
    """Ctrl-C in a terminal reaches the workers too."""
    with sweep("--workers", 2, "--journal", journal, session=True) as (process, _):
        pids = children(process)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"")
    assert_gone(pids)
    assert_whole(journal)


def test_the_ranking_of_what_was_finished_is_printed_after_an_interrupt(journal, start):
    options = ("--depth", "100:2000", "--workers", 1, "--journal", journal, "--format", "json")
    with start("-m", "gradcheck", *SWEEP.split(), *options) as process:
        wait_for_lines(journal, 4)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"")
    rows = json.loads(stdout)["rows"]
    assert 3 <= len(rows) < 1901
    assert {row["index"] for row in rows} <= assert_whole(journal)


def wait_for_lines(path, count):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.02)
    raise TimeoutError(path)


@linux
def test_a_reader_that_goes_away_ends_the_sweep_silently(journal, sweep):
    with sweep("--workers", 2, "--journal", journal) as (process, _):
        pids = children(process)
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(PATIENCE)
    assert (process.returncode, stderr) == (0, b"")
    assert_gone(pids)
    assert_whole(journal)


def test_a_journal_that_is_being_written_is_refused(journal, sweep, gradcheck):
    with sweep("--workers", 1, "--journal", journal) as (running, _):
        ended = gradcheck(SWEEP, "--workers", 1, "--journal", journal)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=PATIENCE)
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"error: {journal}: another sweep")
