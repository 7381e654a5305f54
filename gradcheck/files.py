"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from gradcheck.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to a file; on any error an existing one stays as it was and no new one appears.

    A device or a named pipe (/dev/stdout, say) is written to directly.

    Raises
    ------
    OutputError
        The folder doesn't exist, can't be written to, or is full.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)  # of a symbolic link, what it points to
    except OSError as error:
        raise OutputError(path, f"can't be written: {_reason(path, error)}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, then give it that name."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(path: Path, error: OSError) -> str:
    """Say what is wrong in the words of the one who typed the path."""
    if path.is_dir():
        return "it is a folder; name a file in it"
    if isinstance(error, FileNotFoundError):
        return f"the folder {path.parent} doesn't exist; make it first"
    return (error.strerror or str(error)).lower()
