"""Files of W&B's runs, ``run-ID.wandb``: the history of a run, as it is before it is uploaded.

After a head of seven bytes come blocks of 32 KiB as in LevelDB's logs, each of fragments: a check sum, a length, a kind
(whole, first, middle, last), and bytes. What they make is a message ``Record``, whose fields have the numbers of W&B's
``wandb_internal.proto``.
"""

import json
import struct
from collections.abc import Iterator
from io import BufferedIOBase

from gradcheck.logs.columns import LONGEST_NAME
from gradcheck.logs.lines import LONGEST, Problems
from gradcheck.logs.readers.protobuf import DamagedMessageError, fields

#: How a file begins, and how long that head is.
MAGIC, HEAD = b":W&B", 7

#: Bytes of a block, and of what is before each fragment; kinds of fragments after which a message is whole.
BLOCK, BEFORE = 2**15, 7
FIRST, ENDS = (1, 2), (1, 4)

#: Fields of a record, of its history, and of an item of that: its name, in one piece or in several, and JSON.
HISTORY, ITEM = 2, 1
KEY, NESTED_KEY, VALUE = 1, 2, 16


def history(file: BufferedIOBase, problems: Problems) -> Iterator[bytes]:
    """Yield a line of JSON for each step of the history."""
    for number, message in enumerate(_messages(file, problems), start=1):
        try:
            items = [_item(one) for one in _within(_within([message], HISTORY), ITEM)]
        except DamagedMessageError:
            problems.add("is no record: left out", number)
            continue
        if items:
            yield b"{" + b", ".join(items) + b"}\n"


def _messages(file: BufferedIOBase, problems: Problems) -> Iterator[bytes]:
    """Yield the messages, up to where the file is torn."""
    file.seek(HEAD)
    left, parts, number = BLOCK - HEAD, bytearray(), 0
    while True:
        if left < BEFORE:
            file.read(left)
            left = BLOCK
        head = file.read(BEFORE)
        if not head.strip(b"\0"):
            return
        number += 1
        length, kind = struct.unpack("<HB", head[4:]) if len(head) == BEFORE else (BLOCK, 0)
        content = file.read(length)
        left -= BEFORE + length
        if left < 0 or len(content) < length or len(parts) > LONGEST:
            problems.add("is torn, or longer than 16 MiB: it and what follows are left out", number)
            return
        parts = bytearray(content) if kind in FIRST else parts + content
        if kind in ENDS:
            yield bytes(parts)


def _within(messages: Iterator[bytes] | list[bytes], field: int) -> Iterator[bytes]:
    """Yield what messages hold in one of their fields."""
    for message in messages:
        yield from (value for number, value in fields(message) if number == field and isinstance(value, bytes))


def _item(message: bytes) -> bytes:
    """Return the name of a number and the number, as in an object of JSON."""
    held = [(field, value) for field, value in fields(message) if isinstance(value, bytes)]
    names = [value for field, value in held if field in (KEY, NESTED_KEY) and value]
    value = next((value for field, value in held if field == VALUE), b"null")
    name = json.dumps(b"/".join(names)[:LONGEST_NAME].decode("utf-8", "replace"))
    return name.encode() + b": " + value.replace(b"\n", b" ")
