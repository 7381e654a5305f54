"""The door to the file system: files that are there, and files that are written whole or not at all."""

import os
import stat
from itertools import islice
from pathlib import Path

from gradcheck.errors import InputError, OutputError, did_you_mean

#: Files of a folder that are looked at for one that may have been meant.
MOST_LOOKED_AT = 1000


def existing_file(path: Path) -> Path:
    """Return the path of a regular file; raise an InputError unless there is one that can be reached."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(path, f"no such file{near(path)}") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL
        raise InputError(path, f"can't be read: {_words(error)}") from error
    if not stat.S_ISREG(mode):
        raise InputError(path, "is a folder, not a file" if stat.S_ISDIR(mode) else "isn't a regular file")
    return path


def near(path: Path) -> str:
    """Return a question after the file whose name is nearest, after a semicolon; nothing where none is near."""
    try:
        with os.scandir(path.parent) as entries:
            others = (entry.name for entry in entries if entry.name != path.name)  # a link to nothing is there itself
            names = list(islice(others, MOST_LOOKED_AT))
    except (OSError, ValueError):
        return ""
    meant = did_you_mean(path.name, names, cutoff=0.75).rstrip()
    return f"; {meant}" if meant else ""


def check_writable(path: Path) -> None:
    """Raise the OutputError that writing would raise, before any work is done."""
    try:
        if path.is_char_device() or path.is_fifo():
            return
        if path.is_dir():
            raise IsADirectoryError
        path.parent.stat()
        folder = _target(path).parent
        if not folder.is_dir():
            raise FileNotFoundError if not folder.exists() else NotADirectoryError("not a directory")
        permitted = os.access(folder, os.W_OK)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(path, f"can't be written: {_reason(path, error)}") from error
    if not permitted:
        raise OutputError(path, f"can't be written: no permission to write in the folder {path.parent}")


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
            _replace(_target(path), content)
    except BrokenPipeError:
        raise  # whoever read has gone away: no error of the file's
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of symbolic links; ValueError: a NUL
        raise OutputError(path, f"can't be written: {_reason(path, error)}") from error


def _target(path: Path) -> Path:
    """Return what a path leads to through symbolic links; raise RuntimeError where these lead to themselves."""
    target = path.resolve()
    if target.is_symlink():  # before Python 3.13 resolve() raised
        raise RuntimeError(f"symbolic links of {path} lead to themselves")
    return target


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


def _reason(path: Path, error: Exception) -> str:
    """Say what is wrong in the words of the one who typed the path."""
    if _is_folder(path):
        return "it is a folder; name a file in it"
    if isinstance(error, FileNotFoundError) and not _is_folder(path.parent):
        return f"the folder {path.parent} doesn't exist; make it first"
    return _words(error)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # too long a name, a folder that may not be entered
        return False


def _words(error: Exception) -> str:
    """Return what the system says."""
    return str(getattr(error, "strerror", None) or error).lower()
