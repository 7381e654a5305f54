"""A log that grows record by record: each is one write of a whole line, so that a crash can tear only the last one."""

import json
import os
import warnings
from pathlib import Path

from gradcheck.errors import OutputError

#: Bytes at the end of a resumed log in which its last record is looked for.
TAIL = 1 << 24


class GrowingLog:
    """A file of lines, flushed one by one.

    A full disk doesn't end a training run: the log ends itself with a warning.

    Parameters
    ----------
    file : str or Path
    resume : bool
        Go on after what the file holds, without its torn last line; otherwise begin anew.

    Attributes
    ----------
    last_step : int or None
        The last one in the resumed file.

    Raises
    ------
    OutputError
        The file can't be written.
    """

    def __init__(self, file: str | Path, *, resume: bool = False) -> None:
        self.file = Path(file)
        self.last_step: int | None = None
        try:
            if resume and self.file.exists():
                self.last_step = _mended(self.file)
            self._stream = self.file.open("ab" if resume else "wb", buffering=0)
        except OSError as error:
            raise OutputError(file, f"can't be written: {error.strerror or error}") from error

    def write(self, line: bytes) -> None:
        """Append a line, unless the log has ended."""
        if self.closed:
            return
        try:
            written = self._stream.write(line)
            if written != len(line):
                raise OSError("the disk is full")
        except OSError as error:
            self.close()
            text = f"{self.file}: {error.strerror or error}; gradcheck records no more, training goes on"
            warnings.warn(text, RuntimeWarning, stacklevel=4)

    @property
    def closed(self) -> bool:
        """Whether nothing is written any more."""
        return self._stream.closed

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._stream.close()


def _mended(file: Path) -> int | None:
    """Cut a torn last line off, and return the last record's step."""
    with file.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - TAIL))
        tail = stream.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            stream.truncate(size - len(tail) + len(whole))
    return next((step for line in reversed(whole.splitlines()) if (step := _step(line)) is not None), None)


def _step(line: bytes) -> int | None:
    """Return a record's step; None of anything else."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    step = record.get("step") if isinstance(record, dict) else None
    return step if isinstance(step, int) else None
