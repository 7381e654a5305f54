"""Sweeps on processes of this machine: the same rows, whatever becomes of the processes."""

import contextlib
import json
import multiprocessing
import os
import signal
from itertools import islice

import pytest

import gradcheck
from gradcheck.base.record import plain
from gradcheck.engine.threads import BLAS_THREADS, OWN_THREADS
from gradcheck.errors import OptionError
from gradcheck.spec.grid import Grid
from gradcheck.sweep.rows import Task, failed, rows
from gradcheck.sweep.workers import Workers, available, local

PATIENCE = 60  # seconds after which a process counts as hung

GRID = Grid({"depth": [2, 3, 4, 5], "init": ["xavier", "normal"], "activation": ["tanh", "relu"], "batch_size": 8})

TASKS = [Task(index, varied | {"width": 8}, {"seeds": 2, "seed": 0}) for index, varied in enumerate(GRID)]


@pytest.fixture(scope="module")
def expected():
    return as_lines(rows(TASKS))


def as_lines(found):
    return sorted(json.dumps(plain(row), allow_nan=False) for row in found)


def children():
    return multiprocessing.active_children()


# ---- processes on this machine


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
    """One task ends the process that it runs in, each time."""

    def submit(self, fn, /, task):
        return super().submit(os._exit, 1) if task.number == 3 else super().submit(fn, task)


def test_a_task_that_kills_its_worker_each_time_is_an_error_row_and_the_rest_arrive(expected):
    executor = Deadly(1)
    try:
        found = list(rows(TASKS, executor, 4))
    finally:
        executor.shutdown()
    [lost] = (row for row in found if row["index"] == 3)
    assert "lost" in lost["error"]
    assert lost == failed(TASKS[3], lost["error"])
    others = [line for line in expected if json.loads(line)["index"] != 3]
    assert as_lines(row for row in found if row["index"] != 3) == others
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


def test_processes_have_one_blas_thread_each_and_the_engine_those_that_the_user_says(monkeypatch):
    for name in (OWN_THREADS, *BLAS_THREADS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with local(2) as (executor, _):
        said = {name: executor.submit(os.getenv, name).result(PATIENCE) for name in (OWN_THREADS, *BLAS_THREADS)}
    assert said == {OWN_THREADS: "2", **dict.fromkeys(BLAS_THREADS, "1")}


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
