"""Messages of Protocol Buffers as they are written: numbered fields, one after the other.

A field begins with its number and its kind: a number of 7 bits a byte, the lowest first, of which the last three bits
are the kind. What it holds follows: another such number, four or eight bytes, or a length and as many bytes. See
https://protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterator

#: Kinds of fields: a number, bytes (text, a message, many numbers), and the lengths of those that are so many bytes.
NUMBER, BYTES = 0, 2
LENGTHS = {1: 8, 5: 4}

#: Bits of a number at most.
MOST_BITS = 64


class DamagedMessageError(ValueError):
    """Bytes that aren't a message."""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number of each field, and what it holds: an unsigned number, or bytes.

    Raises
    ------
    DamagedMessageError
        It ends within a field, or has one of an unknown kind.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _number(message, at)
        kind = key & 7
        if kind == NUMBER:
            value, at = _number(message, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            length, at = _number(message, at)
        elif kind in LENGTHS:
            length = LENGTHS[kind]
        else:
            raise DamagedMessageError(f"a field of kind {kind}")
        if length > end - at:
            raise DamagedMessageError("it ends within a field")
        yield key >> 3, message[at : at + length]
        at += length


def _number(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it."""
    value = 0
    for place, byte in enumerate(message[at : at + MOST_BITS // 7 + 1]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & (2**MOST_BITS - 1), at + place + 1
    raise DamagedMessageError("it ends within a number")


def signed(value: int) -> int:
    """Return a number with a sign, of one that is written without."""
    return value - 2**MOST_BITS if value >= 2 ** (MOST_BITS - 1) else value


def floats(value: int | bytes, code: str) -> list[float]:
    """Return numbers that are written one after the other, of a ``struct`` code; none of anything else."""
    whole = isinstance(value, bytes) and len(value) % struct.calcsize(code) == 0
    return [one for (one,) in struct.iter_unpack(code, value)] if whole and isinstance(value, bytes) else []
