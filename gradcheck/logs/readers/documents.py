"""JSON that has no line for each step: a trainer's state with its ``log_history``, a list, objects on several lines."""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from gradcheck.logs.columns import NOTHING, tag_of
from gradcheck.logs.lines import LONGEST, Problems, Reader
from gradcheck.logs.numbers import CONSTANTS, LogRow, numbers, with_constants
from gradcheck.logs.readers.json_records import JsonRecords

#: The key of the list, in a Hugging Face Trainer's ``trainer_state.json``.
HISTORY = '"log_history"'

#: What Python writes otherwise than JSON.
_PYTHON = re.compile(r"'|\bNone\b|\bTrue\b|\bFalse\b")

#: What NumPy and others write around a number: ``np.float64(2.1)``.
_WRAPPED = re.compile(r"\b(?:\w+\.)?(?:float|int|tensor|array|Array)\d*\(([-+.\w]+)[^()]*\)")

#: What separates two objects.
BETWEEN = re.compile(r"[ \t\r\n,]*")


class Document(Reader):
    """Reads the objects of a list, or objects one after the other, one by one: a long document takes no more memory."""

    format = "JSON"

    #: It is written as Python prints it, with single quotes.
    python: bool

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING, tag: str = "") -> None:
        super().__init__(problems)
        self.records = JsonRecords(problems, wanted)
        self.seen = self.records.seen
        self._tag = tag_of(tag)
        self.python = False

    def rows(self, parts: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield a row for each object of the list."""
        names: list[str] = []
        for number, record in enumerate(self._objects(parts), start=1):
            if isinstance(record, list) and record and all(isinstance(cell, str) for cell in record) and number == 1:
                names = record
                continue
            if isinstance(record, list) and len(record) == len(names):
                record = dict(zip(names, record, strict=True))
            elif isinstance(record, list) and len(record) == 3:  # TensorBoard's download: time, step, value
                record = {"step": record[1], self._tag: record[2]}
            found = self.records.taken(record, number)
            if found is not None:
                yield found[0], numbers(found[1])

    def _objects(self, parts: Iterator[bytes]) -> Iterator[Any]:
        decode = json.JSONDecoder(parse_constant=CONSTANTS.__getitem__).raw_decode
        texts: Iterator[str] = codecs.iterdecode(parts, "utf-8-sig", "replace")
        texts = map(as_json, texts) if self.python else texts
        text, at, number = self._start(texts), 0, 0
        while True:
            at = cast(re.Match[str], BETWEEN.match(text, at)).end()
            if at == len(text):
                text, at = next(texts, ""), 0
                if not text:
                    return
                continue
            if text.startswith("]", at):
                return
            try:
                value, at = decode(text, at)
            except (ValueError, RecursionError):
                spelt = with_constants(text[at:])
                if spelt != text[at:]:
                    text, at = spelt, 0
                    continue
                more = _further(texts, len(text) - at)
                if not more:
                    self.problems.add("is not JSON, or cut off: it and what follows are left out", number + 1)
                    return
                text, at = text[at:] + more, 0
                continue
            number += 1
            yield value

    def _start(self, texts: Iterator[str]) -> str:
        """Return the text after the bracket that opens the list; all of it where there is no list of steps."""
        text = next(texts, "")
        while len(text) <= LONGEST:
            if text.lstrip().startswith("["):
                return text.lstrip()[1:]
            _, history, after = text.partition(HISTORY)
            if history and "[" in after:
                self.format = "a trainer's state"
                return after.partition("[")[2]
            more = next(texts, "")
            if not more:
                break
            text += more
        return text


def as_json(text: str) -> str:
    """Return what Python prints of lists and dicts as JSON."""
    text = _WRAPPED.sub(r"\1", text) if "(" in text else text
    return _PYTHON.sub(lambda found: {"'": '"', "None": "null", "True": "true", "False": "false"}[found[0]], text)


def _further(texts: Iterator[str], size: int) -> str:
    """Return as much text again as there is already, lest a long object is tried too often; none beyond its bounds."""
    more = next(texts, "") if size <= LONGEST else ""
    while 0 < len(more) < size and (part := next(texts, "")):
        more += part
    return more
