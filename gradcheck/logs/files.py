"""Reads a file by what its beginning says it is, and finds out whether it holds anything to judge."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedIOBase, BytesIO
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradcheck.errors import InputError
from gradcheck.logs.columns import NOTHING, PART, VALUE, Column, chosen
from gradcheck.logs.lines import Problems, Reader, chunks, whole_lines, whole_parts
from gradcheck.logs.log import Log
from gradcheck.logs.numbers import LogRow
from gradcheck.logs.readers.documents import Document
from gradcheck.logs.readers.event_files import EventFile
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.readers.not_text import no_text, program
from gradcheck.logs.readers.notebooks import may_be_notebook, printed
from gradcheck.logs.readers.packed import ARCHIVE, begun, log_within
from gradcheck.logs.readers.wandb_files import MAGIC, history
from gradcheck.logs.sniffing import TextReader, text_reader
from gradcheck.logs.table import Table

#: The path that means the standard input.
STDIN = "-"

#: How a database of SQLite begins.
DATABASE = b"SQLite format 3\0"

#: Rows, or groups of them, between two reports of progress.
TICK_ROWS = 50

#: Names of columns that an error lists.
LISTED = 6

#: What is no text of lines, as its beginning says.
PACKED, WANDB, NOTEBOOK, EVENT_FILE = "databases and archives", "W&B's files", "notebooks", "event files"

#: Why these are refused from the standard input, and while they grow.
NOT_FOLLOWED = "{} are read from a file, and not while they grow; name it alone"

#: Why a packed file is refused of which nothing can be read.
DAMAGED = "is damaged: gzip can't unpack its beginning; pack the log again, or name the one that is not packed"

#: Quantities without which there is nothing to judge.
JUDGED = ("loss", PART, "grad_norm")


class Asked(NamedTuple):
    """How a log is to be read: see ``read_log``."""

    tick: Callable[[float], None] | None = None
    follow: Callable[[Log], bool] | None = None
    columns: Mapping[str, str] = NOTHING


def read_file(file: BufferedIOBase, path: object, asked: Asked) -> Log:
    """Read what its beginning says that a file is."""
    problems, piped = Problems(), str(path) == STDIN or not file.seekable()  # a named pipe, or bash's <(…)
    size = 0 if piped else Path(str(path)).stat().st_size
    tick = asked.tick
    share = (lambda: tick(min(1.0, file.tell() / size))) if tick and size else None
    first, parts = begun(chunks(file, Path(str(path)) if asked.follow and not piped else None), problems)
    if not first:
        raise InputError(path, DAMAGED if problems.found else "is empty; nothing was logged")
    kind = _kind_of(first, path)
    if kind and (asked.follow or (piped and kind != NOTEBOOK)):
        raise InputError(path, NOT_FOLLOWED.format(kind))
    if kind == PACKED:
        database = first.startswith(DATABASE)
        return _read_database(Path(str(path)), asked) if database else _read_archive(file, path, asked)
    if kind == WANDB:
        records = JsonRecords(problems, asked.columns)
        records.format = "W&B's run"
        return read_all(records, records.rows(history(file, problems)), path, asked, share)
    if kind == NOTEBOOK:
        return _read_notebook(parts, path, asked)
    if kind == EVENT_FILE:
        file.seek(0)
        events = EventFile(problems, asked.columns)
        return read_all(events, events.rows(file), path, asked, share)
    reader = text_reader(first, problems, asked.columns, path)
    return _read_lines(reader, parts, path, asked, share, waited_for=piped)


def _kind_of(first: bytes, path: object) -> str:
    """Return what a file is that begins so and is no text of lines; of such a text nothing."""
    if first.startswith((DATABASE, ARCHIVE)):
        return PACKED
    if first.startswith(MAGIC):
        return WANDB
    if what := no_text(first):
        raise InputError(path, f"is {what}")
    if may_be_notebook(first, str(path)):
        return NOTEBOOK
    return EVENT_FILE if b"\0" in first[1:8] else ""  # a record's length, at its head: text has no zeros


def _read_lines(
    reader: TextReader, parts: Iterator[bytes], path: object, asked: Asked, share: Callable[[], None] | None,
    *, waited_for: bool,
) -> Log:  # fmt: skip
    log, follow = Log(reader, Table(reader.problems), reader.problems), asked.follow
    idle = (lambda: follow(log)) if follow else None
    if idle is not None:
        idle()
        if waited_for:  # each line of a pipe is a moment to show what there is
            parts = chain.from_iterable((part, b"") for part in parts)
    if not isinstance(reader, Document):
        parts = (whole_parts if isinstance(reader, JsonRecords) else whole_lines)(parts, reader.problems, idle)
    return checked(fill(log, reader.rows(parts), share), path, asked)


def _read_database(path: Path, asked: Asked) -> Log:
    from gradcheck.logs.readers.databases import database  # loads SQLite

    problems = Problems()
    reader, rows = database(path, problems, asked.columns)
    return read_all(reader, rows, path, asked)


def _read_notebook(parts: Iterator[bytes], path: object, asked: Asked) -> Log:
    """Read what the cells of a notebook printed."""
    output = printed(b"".join(parts))
    if not output.strip():
        raise InputError(path, "is a notebook whose cells printed nothing, or that is damaged: run it and save it")
    log = read_file(BytesIO(output), path, asked._replace(tick=None))
    log.reader.format = "a notebook's output"
    return log


def _read_archive(file: BufferedIOBase, path: object, asked: Asked) -> Log:
    with log_within(file, path) as log:
        return read_file(log, path, asked)


def read_all(
    reader: Reader, rows: Iterator[LogRow], path: object, asked: Asked, share: Callable[[], None] | None = None
) -> Log:
    """Return the log of a reader's rows, if it holds anything to judge."""
    return checked(fill(Log(reader, Table(reader.problems), reader.problems), rows, share), path, asked)


def fill(log: Log, rows: Iterator[LogRow], share: Callable[[], None] | None = None) -> Log:
    """Return a log with these rows."""
    for number, row in enumerate(rows):
        log.add(row)
        if share is not None and number % TICK_ROWS == 0:
            share()
    return log


def checked(log: Log, path: object, asked: Asked) -> Log:
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
