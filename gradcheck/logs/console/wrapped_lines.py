"""Lines of a console that a service wrapped in JSON: ``{"log": "step 10 loss 2.3", "stream": "stdout"}``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gradcheck.logs.columns import PART, chosen
from gradcheck.logs.console.console import Console
from gradcheck.logs.numbers import LogRow, with_constants
from gradcheck.logs.readers.json_plans import flattened

#: What the text is called, by Docker and Kubernetes, by structured loggers, by the logs of clouds.
MESSAGES = ("message", "msg", "log", "event", "text", "textPayload", "@message", "MESSAGE", "line")

#: Lines that are looked into.
LOOKED_AT = 100


class WrappedConsole(Console):
    """Reads the texts within the objects as lines of a console."""

    format = "console output in JSON"

    def rows(self, lines: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield the rows of the texts."""
        return super().rows(text for line in lines for text in _texts(line))


def is_wrapped(lines: Sequence[bytes]) -> bool:
    """Whether lines are objects with a text in them, and none with a number to judge."""
    records = [record for line in lines[:LOOKED_AT] if (record := _record(line)) is not None]
    columns = (column for record in records for column in chosen([name for name, _ in flattened(record)]))
    judged = any(column.quantity in ("loss", PART, "grad_norm") for column in columns)
    return not judged and any(any(map(str.isdigit, _message(record) or "")) for record in records)


def _texts(line: bytes) -> Iterator[bytes]:
    """Yield the lines of the text in an object; any other line as it is."""
    message = _message(record) if (record := _record(line)) is not None else None
    yield from [line] if message is None else message.encode("utf-8", "replace").splitlines() or [b" "]


def _record(line: bytes) -> Mapping[str, Any] | None:
    """Return the object of a line; None of any other."""
    with suppress(ValueError, RecursionError):
        record = json.loads(with_constants(line.decode("utf-8", "replace"))) if line.startswith(b'{"') else None
        return record if isinstance(record, dict) else None
    return None


def _message(record: Mapping[str, Any]) -> str | None:
    """Return the text of an object, or of an object within it; None if it has none."""
    for one in (record, *(value for value in record.values() if isinstance(value, dict))):
        for key in MESSAGES:
            if isinstance(one.get(key), str):
                return str(one[key])
    return None
