"""Reads a log: a file, the standard input, a folder of runs, or rows in memory; one function for all."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BufferedIOBase
from os import PathLike
from pathlib import Path
from typing import cast

from gradcheck.base.files import near
from gradcheck.errors import GradcheckError, InputError, OptionError
from gradcheck.logs.columns import NOTHING
from gradcheck.logs.files import EVENT_FILE, NOT_FOLLOWED, STDIN, Asked, checked, fill, read_all, read_file
from gradcheck.logs.folders import EVENTS, USUAL, Source, sources
from gradcheck.logs.lines import BegunAnewError, Problems
from gradcheck.logs.log import Log
from gradcheck.logs.readers.event_files import EventFile
from gradcheck.logs.readers.in_memory import FORMAT, lines_of, name_of
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.readers.metric_files import MetricFile
from gradcheck.logs.table import Table
from gradcheck.logs.tag_files import TagFiles


def read_log(
    path: object,
    *,
    tick: Callable[[float], None] | None = None,
    follow: Callable[[Log], bool] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Log:
    """Read a whole log in bounded memory.

    Parameters
    ----------
    path : str, Path, or rows
        JSON Lines (a recorder's, or any with the usual names), CSV, what a training prints, a trainer's state,
        TensorBoard event files, MLflow's files, a database of MLflow or Trackio, W&B's ``.wandb``, or a folder of runs;
        ``-`` for the standard input; or a log that a program has in memory.
    tick : callable, optional
        Called with the part of the file that is read, 0 to 1.
    follow : callable, optional
        Called as soon as there is a log, and again whenever there is nothing to read for the moment (of the standard
        input: after each part of it); a file is then watched until it returns True, or an interrupt. Where the file is
        replaced or cut, as a new run does, it is called with a new log.
    columns : mapping, optional
        A quantity (loss, grad_norm, step, …) ↦ the name of its column, where the usual ones are not meant.

    Raises
    ------
    InputError
        There is nothing in it that could be read.
    """
    asked = Asked(tick, follow, columns or NOTHING)
    try:
        return _read(path, asked)
    except OSError as error:
        meant = near(Path(cast(str, path))) if isinstance(error, FileNotFoundError) else ""
        raise InputError(path, f"can't be read: {(error.strerror or str(error)).lower()}{meant}") from error
    except (InputError, OptionError):
        raise
    except GradcheckError as error:
        raise InputError(path, error.typed()) from error


def _read(path: object, asked: Asked) -> Log:
    """Read a folder, the standard input, a file or rows; a followed file is read again when it begins anew."""
    if not isinstance(path, str | PathLike):
        return _read_rows(path, asked)
    if not str(path):
        raise InputError("''", "is no file's name: is the variable that holds it empty?")
    if Path(path).is_dir():
        if asked.follow:
            raise InputError(path, NOT_FOLLOWED.format(EVENT_FILE))
        return _read_folder(Path(path), asked)
    if "\0" in str(path):
        raise InputError(path, "can't be read: a file's name has no NUL in it")
    if str(path) == STDIN:
        if sys.stdin is None:
            raise InputError(path, "the standard input is closed; name a file")
        return read_file(cast(BufferedIOBase, sys.stdin.buffer), path, asked)
    while True:
        with Path(path).open("rb") as file, suppress(BegunAnewError):
            return read_file(file, path, asked)


def _read_rows(rows: object, asked: Asked) -> Log:
    """Read rows that a program has in memory."""
    problems = Problems()
    reader = JsonRecords(problems, asked.columns)
    reader.format = FORMAT
    log = Log(reader, Table(problems), problems)
    return checked(fill(log, reader.rows(lines_of(rows))), name_of(rows), asked)


def _read_folder(folder: Path, asked: Asked) -> Log:
    """Read the runs of a folder: the newest one is judged, by what says most of its gradients, beside the others."""
    read: list[tuple[Source, Log]] = []
    failed: list[GradcheckError] = []
    found = sources(folder)
    for source in found:
        try:
            log = _read_source(source, asked)
        except GradcheckError as error:
            failed.append(error)
            continue
        log.name = source.name if len(found) > 1 else ""
        read.append((source, log))
    if not read:
        if failed:
            raise failed[-1]
        looked = f"{', '.join(USUAL[:6])}, {EVENTS} or a folder metrics of MLflow"
        raise InputError(folder, f"is a folder without a log ({looked}); name a file")
    newest, _ = read[-1]
    same = [log for source, log in read if source is newest or source.is_of_run(newest)]
    judged = max(same, key=lambda one: (gradients_in(one), one is same[-1]))
    judged.beside = [one.name for one in same if one is not judged]
    judged.others = [one for _, one in read if one not in same]
    return judged


def gradients_in(log: Log) -> int:
    """Return how many columns of a log are norms of gradients: of the whole model, and of layers."""
    return sum(one.quantity == "grad_norm" for one in log.table.columns)


def _read_source(source: Source, asked: Asked) -> Log:
    """Read one run of a folder."""
    first = source.paths[0]
    if source.kind == "file":
        with first.open("rb") as file:
            return read_file(file, first, asked)
    problems = Problems()
    if source.kind == "tags":
        tags = TagFiles(problems, asked.columns)
        return read_all(tags, tags.rows_of(source.paths), first.parent, asked)
    if source.kind == "metrics":
        metrics = MetricFile(problems, asked.columns)
        return read_all(metrics, metrics.rows_of(first), first, asked)
    events = EventFile(problems, asked.columns)
    log = Log(events, Table(problems), problems)
    for path in source.paths:
        with path.open("rb") as file:
            fill(log, events.rows(file))
    return checked(log, first.parent, asked)
