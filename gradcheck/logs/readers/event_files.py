"""Event files of TensorBoard: scalars by their tags.

A file is a list of records (a length, its check sum, a message, its check sum), each the message ``Event`` with a step
and a summary, which has values, each with a tag and a number or a tensor. The numbers of the fields are those of
TensorFlow's ``event.proto``, ``summary.proto`` and ``tensor.proto``.
"""

import struct
from array import array
from collections.abc import Iterator, Mapping
from io import BufferedIOBase

from gradcheck.logs.columns import LONGEST_NAME, NOTHING, Layout, chosen
from gradcheck.logs.lines import LONGEST, Problems, Reader
from gradcheck.logs.numbers import MISSING, LogRow, of_float
from gradcheck.logs.readers.protobuf import DamagedMessageError, fields, floats, signed

#: Scalars that are held until they are sorted by step; a long tag counts as several.
HELD, LETTERS = 1_000_000, 64

#: Sets of tags whose meaning is remembered.
MOST_LAYOUTS = 1000

#: Length and check sum before a record, check sum after it.
HEAD, TAIL = 12, 4

#: Fields of an event, of its summary, of a value and of a tensor; types of a tensor, each with its field and code.
STEP, SUMMARY = 2, 5
VALUE = 1
TAG, SIMPLE_VALUE, TENSOR = 1, 2, 8
OTHER_VALUES = (3, 4, 5, 6)  # histograms, images, sounds
TYPE, CONTENT = 1, 4
TYPES = {1: (5, "<f"), 2: (6, "<d")}


class EventFile(Reader):
    """Turns the events of a file into rows; a torn end is a problem."""

    format = "TensorBoard events"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        super().__init__(problems)
        self._wanted = wanted
        self._layouts: dict[tuple[str, ...], tuple[Layout, list[str]]] = {}

    def rows(self, file: BufferedIOBase) -> Iterator[LogRow]:
        """Yield a row for each step."""
        steps: dict[int, dict[str, float]] = {}
        held = 0
        for number, content in enumerate(_contents(file, self.problems), start=1):
            try:
                step, scalars = _event(content)
            except DamagedMessageError:
                self.problems.add("is not an event: left out", number)
                continue
            for tag, value in scalars:
                held += 1 + len(tag) // LETTERS
                steps.setdefault(step, {})[tag] = value
            if held >= HELD:
                yield from self._rows(steps)
                held, steps = 0, {}
        yield from self._rows(steps)

    def _rows(self, steps: dict[int, dict[str, float]]) -> Iterator[LogRow]:
        """Yield the rows that have more than a step: a step of unknown tags alone may count samples."""
        rows = (self._row(step, values) for step, values in sorted(steps.items()))
        return (row for row in rows if len(row[1]) > 1)

    def _row(self, step: int, values: dict[str, float]) -> LogRow:
        keys = tuple(values)
        if keys not in self._layouts:
            if len(self._layouts) >= MOST_LAYOUTS:
                self._layouts.clear()
            self.seen.update(keys[:1000] if len(self.seen) < 1000 else ())
            columns = chosen([*(key for key in keys if key != "step"), "step"], self._wanted)
            self._layouts[keys] = Layout(columns, columns.values()), list(columns.values())
        layout, names = self._layouts[keys]
        values["step"] = step
        return layout, array("d", [values[name] for name in names])


def _contents(file: BufferedIOBase, problems: Problems) -> Iterator[bytes]:
    """Yield the records of a file, up to where it is torn."""
    number = 0
    while head := file.read(HEAD):
        number += 1
        length = struct.unpack("<Q", head[:8])[0] if len(head) == HEAD else LONGEST + 1
        content = file.read(length + TAIL) if length <= LONGEST else b""
        if len(content) < length + TAIL:
            problems.add("is torn, or longer than 16 MiB: it and what follows are left out", number)
            return
        yield content[:length]


def _event(message: bytes) -> tuple[int, list[tuple[str, float]]]:
    """Return the step of an event, and its values by their tags."""
    step, scalars = 0, []
    for field, value in fields(message):
        if field == STEP and isinstance(value, int):
            step = signed(value)
        elif field == SUMMARY and isinstance(value, bytes):
            scalars += [_scalar(one) for kind, one in fields(value) if kind == VALUE and isinstance(one, bytes)]
    return step, scalars


def _scalar(message: bytes) -> tuple[str, float]:
    """Return tag and number of a value, written as one or as a tensor; MISSING for anything else."""
    tag, number = "", MISSING
    for field, value in fields(message):
        if field == TAG and isinstance(value, bytes):
            tag = value[: LONGEST_NAME + 1].decode("utf-8", "replace")
        elif field == SIMPLE_VALUE and (single := floats(value, "<f")):
            number = of_float(single[0])
        elif field == TENSOR and isinstance(value, bytes):
            number = _of_tensor(value)
        elif field in OTHER_VALUES:
            number = MISSING
    return tag, number


def _of_tensor(message: bytes) -> float:
    """Return the number of a tensor that has one, in a field of its own or as bytes; MISSING of any other."""
    held = list(fields(message))
    kind = next((value for number, value in held if number == TYPE), None)
    field, code = TYPES.get(kind if isinstance(kind, int) else 0, (CONTENT, ""))
    several = [one for number, value in held if code and number in (field, CONTENT) for one in floats(value, code)]
    return of_float(several[0]) if len(several) == 1 else MISSING
