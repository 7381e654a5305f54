"""Sweeps on processes of this machine and on a Dask cluster: the same rows, whatever becomes of the processes."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from itertools import islice

import pytest

import gradcheck
from gradcheck.base.record import plain
from gradcheck.engine.threads import BLAS_THREADS
from gradcheck.errors import MissingExtraError, OptionError
from gradcheck.spec.grid import Grid
from gradcheck.sweep import workers as workers
from gradcheck.sweep.rows import Task, failed, rows
from gradcheck.sweep.workers import Workers, available, cluster, local

PATIENCE = 60  # seconds after which a process counts as hung

GRID = Grid({"depth": [2, 3, 4, 5], "init": ["xavier", "normal"], "activation": ["tanh", "relu"], "batch_size": 8})

TASKS = [Task(index, varied | {"width": 8}, {"seeds": 2, "seed": 0}) for index, varied in enumerate(GRID)]

SWEEP = "compare --depth 2:13 --activation tanh,relu --init he,normal --width 8 --batch-size 8 --seeds 1 --format jsonl"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch):
    """What a sweep sets for its workers is gone after the test."""
    for name in BLAS_THREADS:
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def expected():
    return as_lines(rows(TASKS))


def as_lines(found):
    return sorted(json.dumps(plain(row), allow_nan=False) for row in found)


def children():
    return multiprocessing.active_children()


# ---- processes on this machine


def test_two_processes_give_the_rows_of_none(expected):
    with local(2) as (executor, window):
        found = as_lines(rows(TASKS, executor, window))
    assert found == expected
    assert children() == []


def test_invalid_combinations_are_error_rows_and_the_others_are_not(expected):
    errors = [json.loads(line) for line in expected if json.loads(line)["error"]]
    assert len(errors) == len(TASKS) / 2
    assert {row["options"]["init"] for row in errors} == {"normal"}


def test_one_worker_is_this_process():
    with local(1) as (executor, window):
        assert (executor, window) == (None, 1)
        assert children() == []


@pytest.mark.parametrize("victims", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_worker_that_is_killed_in_mid_sweep_loses_no_row(victims, expected):
    with local(2) as (executor, window):
        sweep = rows(TASKS, executor, window)
        found = list(islice(sweep, 3))
        for process in children()[:victims]:
            os.kill(process.pid, signal.SIGKILL)
        found += sweep
    assert as_lines(found) == expected
    assert children() == []


class Deadly(Workers):
    """Some tasks end the process that they run in, each time."""

    def submit(self, fn, /, task):
        return super().submit(os._exit, 1) if task.number in (3, 9) else super().submit(fn, task)


def test_a_task_that_kills_its_worker_each_time_is_an_error_row_and_the_rest_arrive(expected):
    executor = Deadly(2)
    try:
        found = list(rows(TASKS, executor, 4))
    finally:
        executor.shutdown()
    lost = [row for row in found if row["index"] in (3, 9)]
    assert [row for row in lost if "lost" not in row["error"]] == []
    for row in lost:
        assert row == failed(TASKS[row["index"]], row["error"])
    others = [line for line in expected if json.loads(line)["index"] not in (3, 9)]
    assert as_lines(row for row in found if row["index"] not in (3, 9)) == others
    assert children() == []


def test_an_error_in_mid_sweep_leaves_no_process():
    started = []
    with contextlib.suppress(ZeroDivisionError), local(2) as (executor, window):
        next(rows(TASKS, executor, window))
        started += children()
        raise ZeroDivisionError
    assert len(started) == 2
    for process in started:
        process.join(PATIENCE)
    assert children() == []


def test_processes_have_one_blas_thread_each_unless_the_user_says_more(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with local(2) as (executor, _):
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(PATIENCE) == "1"
        assert executor.submit(os.getenv, "OPENBLAS_NUM_THREADS").result(PATIENCE) == "2"


def test_any_executor_of_the_standard_library_will_do():
    from concurrent.futures import ThreadPoolExecutor

    grid = {"depth": [2, 3], "width": 8, "batch_size": 8}
    with ThreadPoolExecutor(2) as executor:
        found = list(gradcheck.compare(grid, seeds=1, executor=executor))
    assert as_lines(found) == as_lines(gradcheck.compare(grid, seeds=1))


def test_the_default_number_of_workers_is_what_this_process_may_use():
    assert available(None) >= 1
    assert available(7) == 7
    with pytest.raises(OptionError, match="workers=0"):
        available(0)


# ---- a Dask cluster

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
    class Interrupted:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(100))  # where Python looks for signals

    def tasks():
        yield TASKS[0]
        yield Task(1, {"depth": 3000, "width": 256}, {"seeds": 8, "seed": 0})
        Interrupted()
        yield TASKS[2]

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


IMPATIENT = """
import sys
from gradcheck.sweep import workers as workers
from gradcheck.cli import run

workers.PATIENCE = 1
sys.exit(run())
"""


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "nonsense", "bogus://127.0.0.1:1"])
def test_a_scheduler_that_does_not_answer_is_named_in_one_line(address):
    pytest.importorskip("distributed")
    ended = subprocess.run(
        [sys.executable, "-c", IMPATIENT, *SWEEP.split(), "--scheduler", address],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
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
