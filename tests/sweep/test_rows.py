import json
import math
import os
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from gradcheck import simulate
from gradcheck.spec.grid import Grid
from gradcheck.sweep import rows as sweep
from gradcheck.sweep.rows import MEASURED, Task, failed, is_row, measure_row, rows

SMALL = {"width": 8, "batch_size": 8}

COMMON = {"seeds": 1, "seed": 0}

GRID = Grid({"depth": [2, 3, 4], "activation": ["tanh", "relu"], **SMALL})


def tasks(grid=GRID, **common):
    return [Task(index, varied, COMMON | common) for index, varied in enumerate(grid)]


def as_lines(found):
    return sorted(json.dumps(row, allow_nan=False) for row in found)


class Stub(Executor):
    """Runs a task at once, unless `fate` says what becomes of its future instead."""

    def __init__(self, fate):
        self.fate, self.submitted, self.unfinished, self.most = fate, [], [], 0

    def submit(self, fn, /, task):
        self.submitted.append(task.number)
        future = Future()
        if self.fate(task.number, self.submitted.count(task.number), future) is None:
            future.set_result(fn(task))
        return future


def breaks(*numbers, times=99):
    """Tasks that lose their worker, so many times."""

    def fate(number, attempt, future):
        if number in numbers and attempt <= times:
            future.set_exception(BrokenExecutor("a process\nwas terminated"))
            return "lost"
        return None

    return fate


# ---- one row


def test_a_row_is_what_simulate_reports():
    row = measure_row(Task(7, {"depth": 4, "activation": "relu", **SMALL}, {"seeds": 2, "seed": 3}))
    report = simulate(depth=4, activation="relu", **SMALL, seeds=2, seed=3).to_dict()
    assert row["index"] == 7
    assert row["options"] == {"depth": 4, "activation": "relu", **SMALL}
    assert row["error"] is None
    assert (row["status"], row["trainable"], row["score"]) == tuple(
        report["verdict"][name] for name in ("status", "trainable", "score")
    )
    assert row["log10_gradient"] == [layer["log10_gradient_rms"] for layer in report["layers"]]
    assert row["flags"] == sorted({layer["flag"] for layer in report["layers"]})
    assert report["summary"].pop("parameters") == 65 * 8 + 3 * 9 * 8 + 9 * 10
    assert {name: row[name] for name in report["summary"]} == report["summary"]


def test_a_row_has_its_band_over_the_seeds():
    row = measure_row(Task(0, {"depth": 3, **SMALL}, {"seeds": 3, "seed": 0}))
    single = [simulate(depth=3, **SMALL, seed=seed).to_dict()["summary"]["mean_local_gain"] for seed in range(3)]
    assert row["mean_local_gain_low"] == pytest.approx(min(single))
    assert row["mean_local_gain_high"] == pytest.approx(max(single))


def test_limits_reach_the_verdict():
    strict, lax = (
        measure_row(Task(0, {"depth": 4, **SMALL}, COMMON | {"max_span": span, "min_rank": 0})) for span in (0.01, 99)
    )
    assert (strict["status"], lax["status"]) == ("vanishing", "healthy")


def test_an_invalid_combination_is_a_row_with_an_error():
    for options, words in [
        ({"init": "normal"}, "--weight-std"),
        ({"weight_std": 0.1, "init": "he"}, "--weight-std"),
        ({"data": "nowhere.npz"}, "nowhere.npz"),
        ({"batch_size": 10**9}, "--batch-size"),
    ]:
        row = measure_row(Task(5, {"depth": 2, "width": 8, **options}, COMMON))
        assert row["options"] == {"depth": 2, "width": 8, **options}, options
        assert words in row["error"], options
        assert [row[name] for name in MEASURED] == [None] * len(MEASURED), options


def test_rows_with_and_without_an_error_have_the_same_fields():
    good, bad = measure_row(tasks()[0]), measure_row(tasks(Grid({"init": "normal"}))[0])
    assert set(good) == set(bad)


def test_an_error_that_nobody_foresaw_is_a_row_too(monkeypatch):
    def fail(options):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(sweep, "_measured", fail)
    assert measure_row(tasks()[0]) == failed(tasks()[0], "ZeroDivisionError: division by zero")


def test_a_worker_of_another_version_says_so():
    row = measure_row(tasks()[0]._replace(version="0.0.1"))
    assert "0.0.1" in row["error"]


# ---- many


def test_without_an_executor_rows_come_in_order_one_by_one():
    taken = []

    def watched():
        for task in tasks():
            taken.append(task.number)
            yield task

    found = rows(watched())
    assert (next(found)["index"], taken) == (0, [0])
    assert [row["index"] for row in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("window", [1, 2, 99])
def test_an_executor_gives_the_same_rows_at_any_window(window):
    assert as_lines(rows(tasks(), Stub(lambda *_: None), window)) == as_lines(rows(tasks()))


def test_no_more_tasks_are_taken_than_the_window_holds():
    taken = []
    found = rows((taken.append(task.number) or task for task in tasks()), Stub(lambda *_: None), 2)
    next(found)
    assert len(taken) == 2
    found.close()


def test_a_sweep_of_nothing_has_no_rows():
    assert list(rows([])) == list(rows([], Stub(lambda *_: None))) == []


def test_tasks_whose_worker_was_lost_once_are_measured_again():
    for lost in ((0,), (5,), (1, 2), (0, 1, 2, 3, 4, 5)):
        executor = Stub(breaks(*lost, times=1))
        assert as_lines(rows(tasks(), executor, 3)) == as_lines(rows(tasks())), lost
        assert sorted(executor.submitted) == sorted([*range(6), *lost]), lost


def test_a_task_that_loses_its_worker_twice_is_an_error_row_of_one_line_and_the_rest_arrive():
    found = sorted(rows(tasks(), Stub(breaks(2, 4)), 3), key=lambda row: row["index"])
    assert [row["index"] for row in found if row["error"]] == [2, 4]
    assert found[2] == failed(tasks()[2], found[2]["error"])
    assert "a process was terminated" in found[2]["error"]
    assert as_lines(row for row in found if not row["error"]) == as_lines(
        row for row in rows(tasks()) if row["index"] not in (2, 4)
    )


def test_an_executor_that_cancels_a_task_does_not_end_the_sweep():
    def fate(number, attempt, future):
        if number == 1 and attempt == 1:
            future.cancel()
            future.set_running_or_notify_cancel()
            return "cancelled"
        return None

    assert as_lines(rows(tasks(), Stub(fate), 3)) == as_lines(rows(tasks()))


def test_an_executor_that_takes_no_more_tasks_gives_error_rows():
    class Closed(Stub):
        def submit(self, fn, /, task):
            if len(self.submitted) >= 2:
                raise RuntimeError("cannot schedule new futures after shutdown")
            return super().submit(fn, task)

    found = list(rows(tasks(), Closed(lambda *_: None), 2))
    assert sorted(row["index"] for row in found) == list(range(6))
    assert sum(row["error"] is not None for row in found) == 4


def test_measuring_does_not_depend_on_where_it_happens(monkeypatch, tmp_path):
    before = measure_row(tasks()[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "PYTHONHASHSEED", "5")
    assert measure_row(tasks()[0]) == before


def test_a_row_of_a_journal_with_an_infinite_option_is_none():
    row = measure_row(Task(0, {"gain": 2.0, "depth": 2, "width": 4}, {}))
    assert is_row(row, 1)
    assert not is_row(row | {"options": {"gain": math.inf}}, 1)
    assert not is_row(row | {"options": {"gain": [1.0, math.nan]}, "error": "x"}, 1)
