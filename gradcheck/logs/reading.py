"""Opens a log, finds out what it is, and reads it: one function for all formats."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from io import BufferedIOBase, BytesIO
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from gradcheck.base.files import near
from gradcheck.errors import GradcheckError, InputError, OptionError
from gradcheck.logs.columns import NOTHING, PART, VALUE, Column, chosen
from gradcheck.logs.documents import Document
from gradcheck.logs.event_files import EventFile
from gradcheck.logs.folders import EVENTS, USUAL, Source, sources
from gradcheck.logs.in_memory import FORMAT, lines_of, name_of
from gradcheck.logs.json_records import JsonRecords
from gradcheck.logs.lines import BegunAnewError, Problems, Reader, chunks, whole_lines, whole_parts
from gradcheck.logs.log import Log
from gradcheck.logs.metric_files import MetricFile
from gradcheck.logs.not_text import no_text, program
from gradcheck.logs.notebooks import may_be_notebook, printed
from gradcheck.logs.numbers import LogRow
from gradcheck.logs.packed import ARCHIVE, begun, log_within
from gradcheck.logs.sniffing import text_reader
from gradcheck.logs.table import Table
from gradcheck.logs.tag_files import TagFiles
from gradcheck.logs.wandb_files import MAGIC, history

#: The path that means the standard input.
STDIN = "-"

#: How a database of SQLite begins.
DATABASE = b"SQLite format 3\0"

#: Rows, or groups of them, between two reports of progress.
TICK_ROWS = 50

#: Names of columns that an error lists.
LISTED = 6

#: Why event files are refused from the standard input, and while they grow.
NOT_FOLLOWED = "event files are read from a file, and not while they grow; name it alone"

#: Why a packed file is refused of which nothing can be read.
DAMAGED = "is damaged: gzip can't unpack its beginning; pack the log again, or name the one that is not packed"

#: Quantities without which there is nothing to judge.
JUDGED = ("loss", PART, "grad_norm")


class Asked(NamedTuple):
    """How a log is to be read: see ``read_log``."""

    tick: Callable[[float], None] | None = None
    follow: Callable[[Log], bool] | None = None
    columns: Mapping[str, str] = NOTHING


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
            raise InputError(path, NOT_FOLLOWED)
        return _read_folder(Path(path), asked)
    if "\0" in str(path):
        raise InputError(path, "can't be read: a file's name has no NUL in it")
    if str(path) == STDIN:
        if sys.stdin is None:
            raise InputError(path, "the standard input is closed; name a file")
        return _read_file(cast(BufferedIOBase, sys.stdin.buffer), path, asked)
    while True:
        with Path(path).open("rb") as file, suppress(BegunAnewError):
            return _read_file(file, path, asked)


def _read_rows(rows: object, asked: Asked) -> Log:
    """Read rows that a program has in memory."""
    problems = Problems()
    reader = JsonRecords(problems, asked.columns)
    reader.format = FORMAT
    log = Log(reader, Table(problems), problems)
    return _checked(_fill(log, reader.rows(lines_of(rows))), name_of(rows), asked)


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
            return _read_file(file, first, asked)
    problems = Problems()
    if source.kind == "tags":
        tags = TagFiles(problems, asked.columns)
        return _read_all(tags, tags.rows_of(source.paths), first.parent, asked)
    if source.kind == "metrics":
        metrics = MetricFile(problems, asked.columns)
        return _read_all(metrics, metrics.rows_of(first), first, asked)
    events = EventFile(problems, asked.columns)
    log = Log(events, Table(problems), problems)
    for path in source.paths:
        with path.open("rb") as file:
            _fill(log, events.rows(file))
    return _checked(log, first.parent, asked)


def _read_file(file: BufferedIOBase, path: object, asked: Asked) -> Log:
    problems, piped = Problems(), str(path) == STDIN or not file.seekable()  # a named pipe, or bash's <(…)
    tick, follow = asked.tick, asked.follow
    size = 0 if piped else Path(str(path)).stat().st_size
    share = (lambda: tick(min(1.0, file.tell() / size))) if tick and size else None
    first, parts = begun(chunks(file, Path(str(path)) if follow and not piped else None), problems)
    if not first:
        raise InputError(path, DAMAGED if problems.found else "is empty; nothing was logged")
    if first.startswith((DATABASE, ARCHIVE)):
        if piped or follow:
            raise InputError(path, NOT_FOLLOWED.replace("event files are", "databases and archives are"))
        return (
            _read_database(Path(str(path)), asked) if first.startswith(DATABASE) else _read_archive(file, path, asked)
        )
    if first.startswith(MAGIC):
        if piped or follow:
            raise InputError(path, NOT_FOLLOWED.replace("event files are", "W&B's files are"))
        records = JsonRecords(problems, asked.columns)
        records.format = "W&B's run"
        return _read_all(records, records.rows(history(file, problems)), path, asked, share)
    if what := no_text(first):
        raise InputError(path, f"is {what}")
    if may_be_notebook(first, str(path)):
        return _read_notebook(parts, path, asked)
    if b"\0" in first[1:8]:  # a record's length, at the head of an event file: text has no zeros
        if piped or follow:
            raise InputError(path, NOT_FOLLOWED)
        file.seek(0)
        events = EventFile(problems, asked.columns)
        return _read_all(events, events.rows(file), path, asked, share)
    reader = text_reader(first, problems, asked.columns, path)
    log = Log(reader, Table(problems), problems)
    idle = (lambda: follow(log)) if follow else None
    if idle is not None:
        idle()
        if piped:  # its lines are waited for: each is a moment to show what there is
            parts = chain.from_iterable((part, b"") for part in parts)
    if not isinstance(reader, Document):
        parts = (whole_parts if isinstance(reader, JsonRecords) else whole_lines)(parts, problems, idle)
    return _checked(_fill(log, reader.rows(parts), share), path, asked)


def _read_database(path: Path, asked: Asked) -> Log:
    from gradcheck.logs.databases import database  # loads SQLite

    problems = Problems()
    reader, rows = database(path, problems, asked.columns)
    return _read_all(reader, rows, path, asked)


def _read_notebook(parts: Iterator[bytes], path: object, asked: Asked) -> Log:
    """Read what the cells of a notebook printed."""
    if asked.follow:
        raise InputError(path, NOT_FOLLOWED.replace("event files are", "notebooks are"))
    output = printed(b"".join(parts))
    if not output.strip():
        raise InputError(path, "is a notebook whose cells printed nothing, or that is damaged: run it and save it")
    log = _read_file(BytesIO(output), path, asked._replace(tick=None))
    log.reader.format = "a notebook's output"
    return log


def _read_archive(file: BufferedIOBase, path: object, asked: Asked) -> Log:
    with log_within(file, path) as log:
        return _read_file(log, path, asked)


def _read_all(
    reader: Reader, rows: Iterator[LogRow], path: object, asked: Asked, share: Callable[[], None] | None = None
) -> Log:
    return _checked(_fill(Log(reader, Table(reader.problems), reader.problems), rows, share), path, asked)


def _fill(log: Log, rows: Iterator[LogRow], share: Callable[[], None] | None = None) -> Log:
    for number, row in enumerate(rows):
        log.add(row)
        if share is not None and number % TICK_ROWS == 0:
            share()
    return log


def _checked(log: Log, path: object, asked: Asked) -> Log:
    """Return the log if it holds any number that a diagnosis reads."""
    seen = {one.strip() for one in log.reader.seen}
    for quantity, name in asked.columns.items():
        if name not in seen:
            names = _listed(seen or log.reader.listed)
            names = f"its columns are {names}" if names else "none of its numbers has a name"
            raise InputError(path, f"has no column {name!r} for {quantity}; {names}")
    places = [place for column, place in log.table.columns.items() if column.quantity in JUDGED]
    if len(places) and not np.isnan(log.table.kept()[0][:, places]).all():
        return log
    skipped = log.table.columns.get(Column("overflow"))
    if skipped is not None and (log.table.kept()[0][:, skipped] > 0).any():
        return log
    judged = [name for column, name in chosen(log.reader.seen, asked.columns).items() if column.quantity in JUDGED]
    if judged:
        raise InputError(
            path, f"has no number under {_listed(judged)}; write plain ones, such as 0.25, one line a step"
        )
    if VALUE in log.reader.seen:
        said = f"--column loss={VALUE} or --column grad_norm={VALUE} says what it is"
        raise InputError(path, f"holds a single number, {VALUE}, and its file isn't named after it: {said}")
    names = _listed(log.reader.listed)
    unread = log.problems.found or log.table.rows_read
    nothing = "none of its lines could be read" if unread else log.reader.nothing
    columns = f"its columns are {names}" if names and not log.reader.last_word else nothing
    found = program(path) or columns
    problem = f"has neither a loss nor a gradient norm ({found}); name columns step, loss, lr, grad_norm, "
    raise InputError(path, f"{problem}grad_norm/LAYER, one line a step, or say --column loss=NAME")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name[:40] for name in sorted(name for name in names if name.isprintable())[:LISTED])
