"""The journal of a sweep: each finished row is a line, so that a sweep that was cut off goes on where it stood."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, Self

from gradcheck.errors import InputError, OutputError
from gradcheck.sweep.rows import SweepRow
from gradcheck.version import __version__

FORMAT = 1


class Journal:
    """Rows in a JSON Lines file, headed by the options that they belong to.

    Parameters
    ----------
    path : Path
    options : mapping
        Everything that the rows depend on.
    is_row : callable
        Whether a line's value may be a row of this sweep.

    Attributes
    ----------
    finished : list of SweepRow
        The rows that were there already.

    Raises
    ------
    InputError
        The file isn't a journal, or is one of other options or another version.
    OutputError
        It can't be written, or another sweep is writing it.
    """

    def __init__(
        self, path: Path, options: Mapping[str, Any], is_row: Callable[[Mapping[str, Any]], bool] = bool
    ) -> None:
        self.path, self.is_row = Path(path), is_row
        self.options = dict(options)
        self.header = {"gradcheck_journal": FORMAT, "gradcheck_version": __version__, "options": self.options}
        self.file: FileIO | None = None
        with self:
            pass

    def __enter__(self) -> Self:
        """Open the file for this sweep alone, and read what is there."""
        self.file = self._open()
        try:
            self.finished = self._read(self.file)
        except BaseException:
            self.file.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self.file is not None:
            self.file.close()

    def append(self, row: SweepRow) -> None:
        """Write a row, at once and whole."""
        assert self.file is not None  # between __enter__ and __exit__
        self._write(self.file, row)

    def _open(self) -> FileIO:
        """Open the file, and lock it where the system has such locks."""
        try:
            if self.path.exists() and not self.path.is_file():
                raise OutputError(self.path, "the journal can't be written: it isn't a regular file")
            file = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
        except OutputError:
            raise
        except OSError as error:
            raise self._unwritable(error) from error
        except ValueError as error:
            raise OutputError(self.path, f"the journal can't be written: {error}") from error
        try:
            with contextlib.suppress(ImportError):  # where there are no such locks, two sweeps are the user's to avoid
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise OutputError(
                self.path, "another sweep is writing this journal; wait for it, or name another"
            ) from error
        return file

    def _read(self, file: FileIO) -> list[SweepRow]:
        """Return the rows that are there; a torn last line is cut off, an empty file gets its header."""
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            self._start(file, content)
            return []
        head, *lines = whole.splitlines()
        self._check_header(self._parsed(head, 1))
        rows: list[SweepRow] = [self._parsed(line, number) for number, line in enumerate(lines, start=2)]
        file.truncate(len(whole))
        file.seek(len(whole))
        return rows

    def _start(self, file: FileIO, content: bytes) -> None:
        """Write the header of a new journal, or of one that was cut off within its header."""
        if content and not self._line(self.header).startswith(content):
            raise InputError(self.path, "isn't a gradcheck journal; name another file")
        file.truncate(0)
        file.seek(0)
        self._write(file, self.header)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = f"line {number} is not JSON: this isn't a journal, or is a damaged one"
            raise InputError(self.path, problem) from error
        if not isinstance(value, dict) or ("index" not in value) == (number > 1):
            raise InputError(self.path, f"line {number} isn't a journal's {'row' if number > 1 else 'header'}")
        if number > 1 and not self.is_row(value):
            raise InputError(
                self.path, f"line {number} is no row of a journal: damaged; remove the line, or name another"
            )
        return value

    def _check_header(self, header: dict[str, Any]) -> None:
        if "gradcheck_journal" not in header:
            raise InputError(self.path, "isn't a gradcheck journal; name another file")
        for key in ("gradcheck_journal", "gradcheck_version"):
            if header.get(key) != self.header[key]:
                problem = f"was written by another version ({key} {header.get(key)}, here {self.header[key]})"
                raise InputError(self.path, f"{problem}; name another file to start again")
        if header.get("options") != json.loads(json.dumps(self.header["options"])):
            difference = _difference(header.get("options") or {}, self.options)
            problem = f"belongs to a sweep with other options ({difference}); name another file to start again"
            raise InputError(self.path, problem)

    def _line(self, value: Mapping[str, Any]) -> bytes:
        return json.dumps(value, allow_nan=False).encode() + b"\n"

    def _write(self, file: FileIO, value: Mapping[str, Any]) -> None:
        try:
            line = self._line(value)
            if file.write(line) != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(self.path, f"the journal can't be written: {(error.strerror or '').lower()}")


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Name the first option that differs."""
    plain = json.loads(json.dumps(dict(here)))
    for name in {**there, **plain}:
        one, other = there.get(name), plain.get(name)
        if isinstance(one, dict) and isinstance(other, dict) and one != other:
            return _difference(one, other)
        if one != other:
            return f"{name}: {one} there, {other} here"
    return "their order"
