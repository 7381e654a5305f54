"""A log that grows record by record: each is one write of a whole line, so that a crash can tear only the last one."""

import contextlib
import json
import os
import sys
import warnings
from io import FileIO
from itertools import count
from pathlib import Path

from gradcheck.errors import OutputError
from gradcheck.logs.records import MARK
from gradcheck.render.style import without_controls

#: Bytes at the end of a resumed log in which its last record is looked for.
TAIL = 1 << 24

#: Packages whose lines are not the user's: this one, and those through which it is called.
BETWEEN = (
    "gradcheck", "transformers", "accelerate", "lightning", "pytorch_lightning", "keras", "jax", "torch", "contextlib",
    "weakref",
)  # fmt: skip

#: What a header begins with.
HEADER = f'{{"{MARK}"'.encode()


class GrowingLog:
    """A file of lines, flushed one by one, which no other log writes meanwhile; missing folders are made.

    A full disk doesn't end a training run: the log ends itself with a warning. In a process that was forked it is
    closed. A new file without a record is removed when it is closed.

    Parameters
    ----------
    file : str or Path
    resume : bool
        Go on after what the file holds, without its torn last line; otherwise begin anew.
    overwrite : bool
        Write over an earlier run; otherwise it is kept beside the new one, ``run.jsonl`` as ``run.1.jsonl``.

    Attributes
    ----------
    last_step : int or None
        The last one in the resumed file.

    Raises
    ------
    OutputError
        The file can't be written, another log is writing it, or what is to be resumed is no log.
    """

    def __init__(self, file: str | Path, *, resume: bool = False, overwrite: bool = False) -> None:
        self.last_step: int | None = None
        self._owner = self._told = os.getpid()
        self._empty = False
        try:
            self.file = Path(file)
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._stream = _open(self.file)
            if self.file.is_file():  # devices and pipes hold nothing
                self._begin(resume, overwrite)
        except (OSError, ValueError, TypeError) as error:  # a zero byte in the name, no name at all
            if isinstance(error, OutputError):
                raise
            raise OutputError(file, f"can't be written: {getattr(error, 'strerror', None) or error}") from error

    def _begin(self, resume: bool, overwrite: bool) -> None:
        """Mend, empty or keep what the file holds."""
        if resume and not _is_log(self.file):
            self._stream.close()
            problem = "is no log of a recorder: resume=True continues one, and would cut into this file; name another"
            raise OutputError(self.file, problem)
        self._empty = not (resume and _holds_a_run(self.file))
        if resume:
            self.last_step = _mended(self.file)
        elif overwrite or not _holds_a_run(self.file):
            self._stream.truncate(0)
        else:
            real = self.file.resolve()  # of a symbolic link, what it points to
            kept = _free_name(real)
            with self._stream:  # locked until the new file is
                real.rename(kept)
                self._stream = _open(real)
            text = f"{self.file} holds an earlier run, which is kept as {kept.name}"
            warn(f"{text}; overwrite=True writes over it, resume=True continues it")

    def write(self, line: bytes) -> None:
        """Append a line, unless the log has ended."""
        if self.closed:
            return
        try:
            written = self._stream.write(line)
            if written != len(line):
                raise OSError("the disk is full")
            self._empty = self._empty and line.startswith(HEADER)
        except OSError as error:
            self.close()
            warn(f"{self.file}: {error.strerror or error}; gradcheck records no more, training goes on")

    def tell_forked(self) -> None:
        """Warn once in a process that was forked: what it does is not recorded."""
        if os.getpid() not in (self._owner, self._told):
            self._told = os.getpid()
            text = f"{self.file}: this process was forked from the recorder's, and records nothing"
            warn(f"{text}; make the recorder in the process that trains")

    @property
    def closed(self) -> bool:
        """Whether nothing is written any more."""
        return self._stream.closed or os.getpid() != self._owner

    def close(self) -> None:
        """Close the file, and let go of it though a process that was forked has it open; a second time does nothing."""
        if not self.closed:
            with contextlib.suppress(ImportError, OSError):
                if self._empty:
                    self.file.resolve().unlink()
                import fcntl

                fcntl.flock(self._stream, fcntl.LOCK_UN)
        self._stream.close()


def warn(text: str) -> None:
    """Warn at the user's line; where warnings are errors, say it on stderr: a training run isn't to end of it."""
    text = without_controls(text)  # of a file's name
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=_users_level())
    except RuntimeWarning:
        if sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):  # full, or closed
                print(f"warning: {text}", file=sys.stderr)  # noqa: T201


def _users_level() -> int:
    """Return how far up the user's own code is from ``warn``: past this package, and a trainer that called it."""
    frame, level = sys._getframe(1), 1
    while str(frame.f_globals.get("__name__")).partition(".")[0] in BETWEEN:
        if frame.f_back is None:  # nobody's: the program ends
            return 1
        frame, level = frame.f_back, level + 1
    return level


def _open(file: Path) -> FileIO:
    """Open a file to append to it, and lock it where the system has such locks."""
    stream = FileIO(file, "ab")
    if not file.is_file():
        return stream
    try:
        with contextlib.suppress(ImportError):  # Windows itself refuses to rename a file that is being written
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = os.path.samestat(os.fstat(stream.fileno()), file.stat())  # not renamed since it was opened
    except BlockingIOError:
        free = False
    except OSError:  # a file system without locks
        free = True
    if not free:
        stream.close()
        problem = (
            "another recorder is writing it: close that one, or name another file; of several processes record one"
        )
        raise OutputError(file, problem)
    return stream


def _holds_a_run(file: Path) -> bool:
    """Whether there is more in a file than headers."""
    with file.open("rb") as lines:
        return any(not line.startswith(HEADER) for line in lines)


def _is_log(file: Path) -> bool:
    """Whether a file is a recorder's: it begins with a header, be it a torn one, or with a record; or it is empty."""
    with file.open("rb") as lines:
        first = lines.readline(TAIL)
    return first.startswith(HEADER) or HEADER.startswith(first) or _step(first) is not None


def _free_name(file: Path) -> Path:
    """Return the first of ``run.1.jsonl``, ``run.2.jsonl``, … that there isn't."""
    names = (file.with_name(f"{file.stem}.{number}{file.suffix}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


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
    except (ValueError, RecursionError):
        return None
    step = record.get("step") if isinstance(record, dict) else None
    return step if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None
