"""Files that are written whole or not at all."""

import os
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
    except BrokenPipeError:
        raise  # whoever read has gone away: no error of the file's
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise OutputError(path, f"can't be written: {_reason(path, error)}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a temporary file beside `path`, then give it that name."""
    import tempfile  # takes longer to load than all else here, and only a file that is written needs it

    handle, name = tempfile.mkstemp(prefix=".gradcheck-", dir=path.parent)
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


def _reason(path: Path, error: OSError | RuntimeError) -> str:
    """Say what is wrong in the words of the one who typed the path."""
    if path.is_dir():
        return "it is a folder; name a file in it"
    if isinstance(error, FileNotFoundError):
        return f"the folder {path.parent} doesn't exist; make it first"
    return (getattr(error, "strerror", None) or str(error)).lower()
