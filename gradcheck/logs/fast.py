"""A faster parser of JSON for long logs, where the extra ``fast`` is installed.

orjson accepts less than the ``json`` module does (no ``NaN``, no number beyond the range of floats, no damaged UTF-8),
and what it accepts it reads alike. What it refuses is left to the ``json`` module: results don't depend on the extra.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

#: Lines that are parsed together: as many as fill a block of a table, or so many bytes.
TOGETHER, MOST_BYTES = 1024, 2**20


@cache
def parser() -> Callable[[bytes], Any] | None:
    """Return what parses a line, and raises a ValueError where it can't; None without the extra."""
    try:
        from orjson import loads
    except ImportError:
        return None
    return loads


def batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Yield lines in lists; none waits where an empty one says that there is nothing further to read for the moment."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if line:
            batch.append(line)
            size += len(line)
        if batch and (not line or len(batch) >= TOGETHER or size >= MOST_BYTES):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
