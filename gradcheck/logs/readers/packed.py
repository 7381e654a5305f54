"""Logs that are packed: by gzip, in a zip archive, or in UTF-16."""

import codecs
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase
from itertools import chain
from typing import cast

from gradcheck.errors import InputError
from gradcheck.logs.lines import CHUNK, Problems
from gradcheck.logs.readers.not_text import CHECKPOINT

#: How a file compressed by gzip begins, and how one in UTF-16.
ZIPPED, UTF_16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")

#: How an archive begins, and what Comet calls the log in its own.
ARCHIVE, OF_COMET = b"PK\x03\x04", "messages.json"

#: Files of an archive that an error lists.
LISTED = 6


def begun(parts: Iterator[bytes], problems: Problems) -> tuple[bytes, Iterator[bytes]]:
    """Return the first part of a text, unpacked and in UTF-8, and all of them."""
    first = next((part for part in parts if part.strip()), b"")
    parts = chain([first], parts)
    if first.startswith(ZIPPED):
        parts = _unpacked(parts, problems)
        first = next((part for part in parts if part.strip()), b"")
        parts = chain([first], parts)
    if first.startswith(UTF_16):  # as PowerShell writes it
        decoder = codecs.getincrementaldecoder("utf-16")("replace")
        parts = (decoder.decode(part).encode("utf-8", "replace") for part in parts)
        first = next(parts, b"")
        parts = chain([first], parts)
    return first, parts


def _unpacked(parts: Iterator[bytes], problems: Problems) -> Iterator[bytes]:
    """Yield what gzip packed, a part at a time, up to where it is damaged."""
    unpacker, begun = zlib.decompressobj(31), False
    for part in parts:
        rest = part
        while rest:
            begun = True
            try:
                yield unpacker.decompress(rest, CHUNK)
            except zlib.error:
                problems.add("of what gzip packed is damaged: it and what follows are left out", 1)
                return
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                rest, unpacker, begun = unpacker.unused_data, zlib.decompressobj(31), False
        if not part:
            yield b""
    if begun:
        problems.add("of what gzip packed is cut off: what follows is left out", 1)


@contextmanager
def log_within(file: BufferedIOBase, path: object) -> Iterator[BufferedIOBase]:
    """Open the log in a zip archive, such as Comet's offline ones: a single file, or the one that Comet names.

    Raises
    ------
    InputError
        There are several, or the archive is damaged, or packed in a way that Python doesn't know.
    """
    from zipfile import BadZipFile, ZipFile  # few logs are packed so

    with ExitStack() as opened:
        try:
            try:
                archive = opened.enter_context(ZipFile(file))
                log = opened.enter_context(archive.open(_name_within(archive.namelist(), path)))
            except RuntimeError as error:  # of a later version, another method, or with a password
                raise InputError(path, f"is an archive that can't be opened ({error}); unpack it") from error
            yield cast(BufferedIOBase, log)
        except BadZipFile as error:
            raise InputError(path, f"is a damaged archive ({error}); pack or download it again") from error


def _name_within(names: Sequence[str], path: object) -> str:
    """Return which of an archive's files is the log."""
    files = [name for name in names if not name.endswith("/")]
    if OF_COMET in files:
        return OF_COMET
    if any(name.endswith("data.pkl") for name in files):
        raise InputError(path, f"is what torch.save wrote: {CHECKPOINT}")
    if len(files) != 1:
        raise InputError(path, f"is an archive of several files ({', '.join(files[:LISTED])}); unpack it")
    return files[0]
