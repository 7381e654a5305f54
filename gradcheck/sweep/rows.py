"""Rows of a sweep, measured one after the other or on any executor."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple

from gradcheck.diagnosis.status import NETWORK_STATUSES
from gradcheck.engine.shared_draws import SharedDraws, sharing
from gradcheck.errors import GradcheckError, described
from gradcheck.version import __version__

#: A row of the result: JSON values; of a ``Comparison`` they are read only.
SweepRow = Mapping[str, Any]

#: What a row has beside its index and options; all null where the row has an error.
MEASURED = (
    "status", "trainable", "score", "flags",
    "gradient_span", "mean_local_gain", "effective_rank_last", "weight_gradient_span", "effective_rank_least",
    "sensitivity", "log10_gradient",
)  # fmt: skip


class LostRow(dict[str, Any]):
    """A row whose worker was lost: the machinery's failure, not the combination's, which may be measured again."""


class Task(NamedTuple):
    """One combination of options."""

    number: int  # its place in the grid
    varied: dict[str, Any]  # the grid's options
    common: dict[str, Any]  # options that all rows share
    version: str = __version__  # of gradcheck, where the sweep was started


def measure_row(task: Task) -> SweepRow:
    """Simulate one combination; whatever goes wrong becomes the row's error, for the sweep goes on."""
    row = {"index": task.number, "options": task.varied}
    try:
        if task.version != __version__:
            raise GradcheckError(f"the worker has gradcheck {__version__}, the sweep was started by {task.version}")
        return row | _measured({**task.common, **task.varied}) | {"error": None}
    except GradcheckError as error:
        return failed(task, error.typed())
    except Exception as error:
        return failed(task, described(error))


def _measured(options: dict[str, Any]) -> dict[str, Any]:
    """Simulate and return what the row shows."""
    from gradcheck.base.record import number
    from gradcheck.diagnosis.reporting import banded_summary
    from gradcheck.simulation.experiment import Experiment

    typical, summaries, summary, judgement = Experiment.from_options(options).judged()
    gradient = typical.column("log10_gradient_rms").tolist()
    return {
        "status": judgement.status,
        "trainable": judgement.trainable,
        "score": judgement.score,
        "flags": sorted(set(judgement.flags)),
        **banded_summary(summaries, summary),
        "log10_gradient": [number(value) for value in gradient],
    }


def failed(task: Task, problem: str) -> SweepRow:
    """Return the row of a combination that has no result."""
    return {"index": task.number, "options": task.varied} | dict.fromkeys(MEASURED) | {"error": problem}


def is_row(value: Mapping[str, Any], combinations: int) -> bool:
    """Whether JSON of a file may be a row of a sweep of so many combinations: its names, types and finite numbers."""
    try:
        index, error = value["index"], value["error"]
        measured = {name: value[name] for name in MEASURED}
    except KeyError:
        return False
    if type(index) is not int or not 0 <= index < combinations or not isinstance(value.get("options"), dict):
        return False
    if not _is_finite(value["options"]):
        return False
    if error is not None:
        return isinstance(error, str)
    lists = {name: measured.pop(name) for name in ("flags", "log10_gradient")}
    if measured.pop("status") not in NETWORK_STATUSES or not isinstance(measured.pop("trainable"), bool):
        return False
    if not all(isinstance(one, list) for one in lists.values()) or measured["score"] is None:
        return False
    numbers = [*measured.values(), *lists["log10_gradient"]]
    return all(isinstance(flag, str) for flag in lists["flags"]) and all(map(_is_number, numbers))


def _is_number(value: object) -> bool:
    """Whether a value is None or a finite number."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value))


def _is_finite(value: object) -> bool:
    """Whether all numbers within JSON of a file are finite: 1e999 is read as infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def rows(tasks: Iterable[Task], executor: Executor | None = None, window: int = 1) -> Iterator[SweepRow]:
    """Yield the rows as they finish.

    Parameters
    ----------
    tasks : iterable of Task
        Taken one by one, so that a large grid is never held as a whole.
    executor : Executor, optional
        Where they are measured; without one, here and in order.
    window : int
        Tasks that are with the executor at a time.

    Notes
    -----
    A task whose worker is lost is tried again alone: if that loses the worker too, the row says so. Tasks that
    were only lost along with it are measured as if nothing had happened.
    """
    if executor is None:
        draws = SharedDraws()
        for task in tasks:
            with sharing(draws):
                row = measure_row(task)
            yield row
        return
    waiting, running, suspects = iter(tasks), dict[Future[SweepRow], Task](), deque[Task]()
    while True:
        for task in islice(waiting, 0 if suspects else window - len(running)):
            try:
                running[executor.submit(measure_row, task)] = task
            except RuntimeError:  # the executor takes no more, or has just lost a process
                suspects.append(task)
                break
        if running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                if future.cancelled() or future.exception() is not None:
                    suspects.append(task)
                else:
                    yield future.result()
        elif suspects:
            yield _alone(suspects.popleft(), executor)
        else:
            return


def _alone(task: Task, executor: Executor) -> SweepRow:
    """Measure a task while nothing else runs; a worker that is lost now was lost by it."""
    try:
        return executor.submit(measure_row, task).result()
    except (Exception, CancelledError) as error:
        problem = f"its worker was lost twice ({type(error).__name__}: {' '.join(str(error).split())})"
        return LostRow(failed(task, problem))
