"""One JSON document with all steps in a list: a trainer's state with its ``log_history``, or a bare list."""

import codecs
import json
from collections.abc import Iterator
from typing import Any

from gradcheck.logs.json_records import JsonRecords
from gradcheck.logs.lines import LONGEST, Problems
from gradcheck.logs.numbers import CONSTANTS, Row

#: The key of the list, in a Hugging Face Trainer's ``trainer_state.json``.
HISTORY = '"log_history"'


class Document:
    """Reads the objects of a list one by one, so that a long document takes no more memory than a short one.

    Parameters
    ----------
    problems : Problems
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.records = JsonRecords(problems)
        self.format = "JSON"
        self.clip: tuple[str, float] | None = None

    @property
    def seen(self) -> set[str]:
        """Names that were there, understood or not."""
        return self.records.seen

    def rows(self, parts: Iterator[bytes]) -> Iterator[Row]:
        """Yield a row for each object of the list."""
        for number, record in enumerate(self._objects(parts), start=1):
            row = self.records.row(record, number)
            if row is not None:
                yield row

    def _objects(self, parts: Iterator[bytes]) -> Iterator[Any]:
        decode = json.JSONDecoder(parse_constant=CONSTANTS.__getitem__).raw_decode
        texts = codecs.iterdecode(parts, "utf-8-sig", "replace")
        text, number = self._start(texts), 0
        while (text := text.lstrip(" \t\r\n,")) or (text := next(texts, "")):
            if text.startswith("]"):
                return
            try:
                value, end = decode(text)
            except (ValueError, RecursionError):
                more = next(texts, "") if len(text) <= LONGEST else ""
                if not more:
                    if text.strip():
                        self.problems.add("is not JSON, or cut off: it and what follows are left out", number + 1)
                    return
                text += more + "".join(next(texts, "") for _ in range(len(text) >> 10))
                continue
            text, number = text[end:], number + 1
            yield value

    def _start(self, texts: Iterator[str]) -> str:
        """Return the text behind the bracket that opens the list."""
        text = next(texts, "")
        while len(text) <= LONGEST:
            if text.lstrip().startswith("["):
                return text.lstrip()[1:]
            _, history, behind = text.partition(HISTORY)
            if history and "[" in behind:
                self.format = "a trainer's state"
                return behind.partition("[")[2]
            more = next(texts, "")
            if not more:
                break
            text += more
        return ""
