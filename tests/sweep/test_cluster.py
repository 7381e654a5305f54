"""Sweeps on a Dask cluster: the same rows as of one process, whatever becomes of the cluster."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from gradcheck.errors import MissingExtraError, OptionError
from gradcheck.sweep import workers as workers
from gradcheck.sweep.rows import Task, rows
from gradcheck.sweep.workers import cluster

PATIENCE = 60  # seconds after which a process counts as hung

SWEEP = "compare --depth 2:13 --activation tanh,relu --init he,normal --width 8 --batch-size 8 --seeds 1 --format jsonl"

CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    how = dict(n_workers=int(sys.argv[2]), threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    with LocalCluster(**how, local_directory=sys.argv[1]) as cluster:
        print(cluster.scheduler_address, *(nanny.pid for nanny in cluster.workers.values()), flush=True)
        sys.stdin.read()
"""


@contextlib.contextmanager
def dask_cluster(folder, workers=2):
    """Worker processes on loopback; the scheduler's process, its address and the workers' ids."""
    pytest.importorskip("distributed")
    command = [sys.executable, "-c", CLUSTER, folder, str(workers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        try:
            address, *ids = process.stdout.readline().decode().split()
            yield process, address, [int(one) for one in ids]
        finally:
            process.communicate(timeout=PATIENCE)  # closes its stdin, on which it leaves


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as (_, address, _ids):
        yield address


@contextlib.contextmanager
def command(*arguments):
    """A command whose rows are more than its pipe holds, so that it waits for its reader in mid-sweep."""
    with subprocess.Popen(
        [sys.executable, "-m", "gradcheck", *arguments], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, pipesize=4096,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def one_worker_s_rows():
    ended = subprocess.run(
        [sys.executable, "-m", "gradcheck", *SWEEP.split(), "--workers", "1"], capture_output=True, timeout=PATIENCE
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    return sorted(ended.stdout.splitlines())


def test_two_workers_on_a_cluster_print_the_rows_of_one_byte_for_byte(one_worker_s_rows, scheduler):
    """Of two on this machine tests/cli/test_compare.py shows it."""
    with command(*SWEEP.split(), "--scheduler", scheduler) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, b"")
    assert sorted(stdout.splitlines()) == one_worker_s_rows
    assert len(one_worker_s_rows) == 48


def test_a_dask_worker_that_is_killed_in_mid_sweep_loses_no_row(one_worker_s_rows, tmp_path):
    with (
        dask_cluster(tmp_path) as (_, address, ids),
        command(*SWEEP.split(), "--scheduler", address) as process,
    ):
        first = process.stdout.readline()
        os.kill(ids[0], signal.SIGKILL)
        rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert sorted([first.rstrip(), *rest.splitlines()]) == one_worker_s_rows


def test_a_scheduler_that_is_lost_in_mid_sweep_is_told_without_a_traceback(tmp_path):
    with (
        dask_cluster(tmp_path) as (scheduler, address, _),
        command(*SWEEP.split(), "--scheduler", address, "--depth", "40:60") as process,
    ):
        process.stdout.readline()
        scheduler.kill()
        _, stderr = process.communicate(timeout=PATIENCE)
    assert b"Traceback" not in stderr


def test_a_scheduler_without_workers_is_waited_for_so_long_and_no_longer(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers, "WORKERS_WITHIN", 1)
    with (
        dask_cluster(tmp_path, workers=0) as (_, address, _ids),
        pytest.raises(OptionError, match=f"{address}: has no worker; start one with: dask worker {address}"),
        cluster(address),
    ):
        pass
    assert f"waiting for workers of {address}" in capsys.readouterr().err


def test_a_service_that_says_nothing_is_no_scheduler(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OptionError, match="no scheduler answers within 1 s"), cluster(address):
            pass


def test_an_interrupt_on_a_cluster_exits_with_130_and_whole_rows(scheduler):
    with command(*SWEEP.split(), "--scheduler", scheduler, "--depth", "40:60") as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (130, b"")
    assert [json.loads(line)["index"] for line in [first, *rest.splitlines()]]


def test_an_interrupt_that_falls_into_a_finalizer_is_not_lost(scheduler):
    small = {"depth": 2, "width": 8, "batch_size": 8}

    class Interrupted:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(100))  # where Python looks for signals

    def tasks():
        yield Task(0, small, {"seeds": 2, "seed": 0})
        yield Task(1, {"depth": 1000, "width": 64}, {"seeds": 4, "seed": 0})
        Interrupted()
        yield Task(2, small, {"seeds": 2, "seed": 0})

    found = []
    with pytest.raises(KeyboardInterrupt), cluster(scheduler) as (executor, window):
        found.extend(rows(tasks(), executor, window))
    assert len(found) <= 1


def test_a_reader_that_goes_away_ends_a_sweep_on_a_cluster_silently(scheduler):
    with command(*SWEEP.split(), "--scheduler", scheduler, "--depth", "40:60") as process:
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(PATIENCE)
    assert (process.returncode, stderr) == (0, b"")


#: Runs a sweep on one address after the other; how each ended is a line of stdout.
IMPATIENT = """
import sys
from gradcheck.sweep import workers as workers
from gradcheck.cli import run

workers.PATIENCE = 1
sweep, *addresses = sys.argv[1:]
for address in addresses:
    sys.argv = ["gradcheck", *sweep.split(), "--scheduler", address]
    try:
        print(run())
    except SystemExit as left:
        print(left.code)
"""


def test_a_scheduler_that_does_not_answer_is_named_in_one_line():
    pytest.importorskip("distributed")
    addresses = ("tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "nonsense", "bogus://127.0.0.1:1")
    command = [sys.executable, "-c", IMPATIENT, SWEEP, *addresses]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.stdout == "2\n" * len(addresses)
    for line, address in zip(ended.stderr.splitlines(), addresses, strict=True):
        assert line.startswith(f"error: --scheduler {address}")


def test_the_error_says_how_to_start_a_scheduler(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("distributed.Client", lambda *_, **__: refuse())
    with pytest.raises(OptionError, match="start one with: dask scheduler"), cluster("tcp://127.0.0.1:1"):
        pass


def refuse():
    raise TimeoutError


def test_the_wait_for_a_scheduler_is_the_issue_s():
    assert workers.PATIENCE <= 10


def test_without_dask_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="pip install distributed"), cluster("tcp://127.0.0.1:1"):
        pass
