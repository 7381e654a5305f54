"""The journal of a sweep: each finished row is a line, so that a sweep that was cut off goes on where it stood."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from gradcheck import __version__
from gradcheck.errors import InputError, OutputError
from gradcheck.sweep import Row

FORMAT = 1


class Journal:
    """Rows in a JSON Lines file, headed by the options that they belong to.

    Parameters
    ----------
    path : Path
    options : mapping
        Everything that the rows depend on.

    Attributes
    ----------
    finished : list of Row
        The rows that were there already.

    Raises
    ------
    InputError
        The file is no journal, or one of other options or another version.
    OutputError
        It can't be written, or another sweep is writing it.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.path = path
        self.options = dict(options)
        self.header = {"gradcheck_journal": FORMAT, "gradcheck_version": __version__, "options": self.options}
        self.file = self._open()
        try:
            self.finished = self._read()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def append(self, row: Row) -> None:
        """Write a row, at once and whole."""
        self._write(row)

    def _open(self) -> BinaryIO:
        """Open the file for this sweep alone."""
        try:
            file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
        except OSError as error:
            raise OutputError(self.path, f"the journal can't be written: {(error.strerror or '').lower()}") from error
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

    def _read(self) -> list[Row]:
        """Return the rows that are there; a torn last line is cut off, an empty file gets its header."""
        content = self.file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            self._start(content)
            return []
        self.file.truncate(len(whole))
        self.file.seek(len(whole))
        head, *lines = whole.splitlines()
        self._check_header(self._parsed(head, 1))
        return [self._parsed(line, number) for number, line in enumerate(lines, start=2)]

    def _start(self, content: bytes) -> None:
        """Write the header of a new journal, or of one that was cut off within its header."""
        if content and not self._line(self.header).startswith(content):
            raise InputError(self.path, "is no journal of gradcheck; name another file")
        self.file.truncate(0)
        self.file.seek(0)
        self._write(self.header)

    def _parsed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(self.path, f"line {number} is not JSON: this is no journal, or a damaged one") from error
        if not isinstance(value, dict) or ("index" not in value) == (number > 1):
            raise InputError(self.path, f"line {number} is no {'row' if number > 1 else 'header'} of a journal")
        return value

    def _check_header(self, header: dict[str, Any]) -> None:
        if "gradcheck_journal" not in header:
            raise InputError(self.path, "is no journal of gradcheck; name another file")
        for key in ("gradcheck_journal", "gradcheck_version"):
            if header.get(key) != self.header[key]:
                problem = f"was written by another version ({key} {header.get(key)}, here {self.header[key]})"
                raise InputError(self.path, f"{problem}; name another file to start afresh")
        if header.get("options") != json.loads(json.dumps(self.header["options"])):
            problem = (
                f"belongs to a sweep with other options ({_difference(header.get('options') or {}, self.options)})"
            )
            raise InputError(self.path, f"{problem}; name another file to start afresh")

    def _line(self, value: Mapping[str, Any]) -> bytes:
        return json.dumps(value, allow_nan=False).encode() + b"\n"

    def _write(self, value: Mapping[str, Any]) -> None:
        try:
            line = self._line(value)
            if self.file.write(line) != len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            raise OutputError(self.path, f"the journal can't be written: {(error.strerror or '').lower()}") from error


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Name the first option that differs."""
    plain = json.loads(json.dumps(dict(here)))
    for name in {**there, **plain}:
        if there.get(name) != plain.get(name):
            return f"{name}: {there.get(name)} there, {plain.get(name)} here"
    return "their order"
