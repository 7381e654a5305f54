"""Opens a log, finds out what it is, and reads it: one function for all formats."""

import codecs
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from gradcheck.errors import GradcheckError, InputError, MissingExtraError
from gradcheck.logs.columns import chosen
from gradcheck.logs.delimited import Delimited
from gradcheck.logs.documents import HISTORY, Document
from gradcheck.logs.event_files import EventFile
from gradcheck.logs.json_records import JsonRecords
from gradcheck.logs.lines import BegunAnewError, Problems, Reader, chunks, whole_lines
from gradcheck.logs.numbers import LogRow
from gradcheck.logs.table import Table

#: The path that means the standard input.
STDIN = "-"

#: Bytes of a file's beginning that its format is known by.
HEAD = 2**16

#: How a file compressed by gzip begins, and how one in UTF-16.
ZIPPED, UTF_16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")

#: Rows, or groups of them, between two reports of progress.
TICK_ROWS = 200

#: Names of columns that an error lists.
LISTED = 6

#: Why event files are refused from the standard input, and while they grow.
NOT_FOLLOWED = "event files are read from a file, and not while they grow; name it alone"

#: Quantities without which there is nothing to judge.
JUDGED = ("loss", "grad_norm")


class Log(NamedTuple):
    """What was read so far."""

    reader: Reader
    table: Table
    problems: Problems


def read_log(
    path: str | Path,
    *,
    tick: Callable[[float], None] | None = None,
    follow: Callable[[Log], bool] | None = None,
) -> Log:
    """Read a whole log in bounded memory.

    Parameters
    ----------
    path : str or Path
        JSON Lines (a recorder's, or any with the usual names), CSV, a trainer's state, TensorBoard event files or a
        folder of them; ``-`` for the standard input.
    tick : callable, optional
        Called with the part of the file that is read, 0 to 1.
    follow : callable, optional
        Called as soon as there is a log, and again whenever there is nothing to read for the moment (of the standard
        input: after each part of it); a file is then watched until it returns True, or an interrupt. Where the file is
        replaced or cut, as a new run does, it is called with a new log.

    Raises
    ------
    InputError
        There is nothing in it that could be read.
    """
    try:
        return _read(path, tick, follow)
    except OSError as error:
        raise InputError(path, f"can't be read: {(error.strerror or str(error)).lower()}") from error
    except (InputError, MissingExtraError):
        raise
    except GradcheckError as error:
        raise InputError(path, error.typed()) from error


def _read(path: str | Path, tick: Callable[[float], None] | None, follow: Callable[[Log], bool] | None) -> Log:
    """Read a folder, the standard input or a file; a followed file is read again when it begins anew."""
    if Path(path).is_dir():
        if follow:
            raise InputError(path, NOT_FOLLOWED)
        return _read_folder(Path(path))
    if "\0" in str(path):
        raise InputError(path, "can't be read: a file's name has no NUL in it")
    if str(path) == STDIN:
        if sys.stdin is None:
            raise InputError(path, "the standard input is closed; name a file")
        return _read_file(cast(BufferedIOBase, sys.stdin.buffer), path, tick, follow)
    while True:
        with Path(path).open("rb") as file, suppress(BegunAnewError):
            return _read_file(file, path, tick, follow)


def _read_folder(folder: Path) -> Log:
    """Read all event files of a folder, the oldest first."""
    files = sorted(folder.glob("*tfevents*"))
    if not files:
        below = sorted({file.parent for file in folder.glob("*/*tfevents*")})
        instead = f"one of its folders, such as {below[-1]}" if below else "a file"
        raise InputError(folder, f"is a folder without event files (*tfevents*); name {instead}")
    problems = Problems()
    reader = EventFile(problems)
    log = Log(reader, Table(problems), problems)
    for path in files:
        with path.open("rb") as file:
            _fill(log, reader.rows(file))
    return _checked(log, folder)


def _read_file(
    file: BufferedIOBase, path: object, tick: Callable[[float], None] | None, follow: Callable[[Log], bool] | None
) -> Log:
    problems, piped = Problems(), str(path) == STDIN
    size = 0 if piped else Path(str(path)).stat().st_size
    share = (lambda: tick(min(1.0, file.tell() / size))) if tick and size else None
    parts = chunks(file, Path(str(path)) if follow and not piped else None)
    first = next((part for part in parts if part.strip()), b"")
    if not first:
        raise InputError(path, "is empty; nothing was logged")
    if first.startswith(ZIPPED):
        raise InputError(path, "is compressed; gradcheck diagnose - reads what zcat FILE prints")
    parts = chain([first], parts)
    if first.startswith(UTF_16):  # as PowerShell writes it
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        parts = (decoder.decode(part).encode("utf-8", "replace") for part in parts)
        first = next(parts, b"")
        parts = chain([first], parts)
    elif b"\0" in first[1:8]:  # a record's length, at the head of an event file: text has no zeros
        if piped or follow:
            raise InputError(path, NOT_FOLLOWED)
        file.seek(0)
        events = EventFile(problems)
        return _checked(_fill(Log(events, Table(problems), problems), events.rows(file), share), path)
    reader = _text_reader(first, problems)
    log = Log(reader, Table(problems), problems)
    idle = (lambda: follow(log)) if follow else None
    if idle is not None:
        idle()
        if piped:  # its lines are waited for: each is a moment to show what there is
            parts = chain.from_iterable((part, b"") for part in parts)
    lines = parts if isinstance(reader, Document) else whole_lines(parts, problems, idle)
    return _checked(_fill(log, reader.rows(lines), share), path)


def _fill(log: Log, rows: Iterator[LogRow], share: Callable[[], None] | None = None) -> Log:
    for number, row in enumerate(rows):
        log.table.add(row)
        if share is not None and number % TICK_ROWS == 0:
            share()
    return log


def _text_reader(first: bytes, problems: Problems) -> JsonRecords | Document | Delimited:
    """Return the reader of a text that begins so."""
    start = first[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"["):
        return Document(problems)
    if not start.startswith(b"{"):
        further = any(line.startswith(b'{"') for line in start.splitlines()[1:])  # a program printed something first
        return JsonRecords(problems) if further else Delimited(problems)
    opens = start.splitlines()[0].strip() == b"{"  # of a document that is laid out on several lines
    return Document(problems) if opens or HISTORY.encode() in start else JsonRecords(problems)


def _checked(log: Log, path: object) -> Log:
    """Return the log if it holds any number that a diagnosis reads."""
    places = [place for column, place in log.table.columns.items() if column.quantity in JUDGED]
    if len(places) and not np.isnan(log.table.kept()[0][:, places]).all():
        return log
    judged = [name for column, name in chosen(log.reader.seen).items() if column.quantity in JUDGED]
    if judged:
        raise InputError(
            path, f"has no number under {_listed(judged)}; write plain ones, such as 0.25, one line a step"
        )
    names = _listed(log.reader.seen)
    unread = log.problems.found or log.table.rows_read
    nothing = "none of its lines could be read" if unread else "it has no step yet"
    found = f"its columns are {names}" if names else nothing
    problem = f"has neither a loss nor a gradient norm ({found}); name columns step, loss, lr, grad_norm, "
    raise InputError(path, f"{problem}grad_norm/LAYER, one line a step")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name[:40] for name in sorted(name for name in names if name.isprintable())[:LISTED])
