"""Event files of TensorBoard: scalars by their tags."""

import struct
from array import array
from collections.abc import Iterator, Mapping
from io import BufferedIOBase
from typing import Any

from gradcheck.errors import MissingExtraError
from gradcheck.logs.columns import NOTHING, Layout, chosen
from gradcheck.logs.lines import LONGEST, Problems, Reader
from gradcheck.logs.numbers import MISSING, LogRow, of_float

#: Scalars that are held until they are sorted by step.
HELD = 1_000_000

#: Length and check sum before a record, check sum after it.
HEAD, TAIL = 12, 4


class EventFile(Reader):
    """Turns the events of a file into rows; a torn end is a problem."""

    format = "TensorBoard events"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        super().__init__(problems)
        self._wanted = wanted
        self._layouts: dict[tuple[str, ...], tuple[Layout, list[str]]] = {}

    def rows(self, file: BufferedIOBase) -> Iterator[LogRow]:
        """Yield a row for each step.

        Raises
        ------
        MissingExtraError
            The package that knows the format isn't installed.
        """
        event = _event_class()
        steps: dict[int, dict[str, float]] = {}
        held = 0
        for number, content in enumerate(_contents(file, self.problems), start=1):
            try:
                one = event.FromString(content)
            except Exception:  # the package's own error: only the package names it
                self.problems.add("is not an event: left out", number)
                continue
            for value in one.summary.value:
                held += 1
                steps.setdefault(one.step, {})[value.tag] = _scalar(value)
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
            self.seen.update(keys[:1000] if len(self.seen) < 1000 else ())
            columns = chosen([*(key for key in keys if key != "step"), "step"], self._wanted)
            self._layouts[keys] = Layout(columns, columns.values()), list(columns.values())
        layout, names = self._layouts[keys]
        values["step"] = step
        return layout, array("d", [values[name] for name in names])


def _event_class() -> Any:  # noqa: ANN401
    try:
        from tensorboardX.proto.event_pb2 import Event
    except ImportError as error:
        raise MissingExtraError("TensorBoard event files", "tensorboardX", "tensorboardX") from error
    return Event


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


def _scalar(value: Any) -> float:  # noqa: ANN401
    """Return the number of a scalar, written as one or as a tensor; MISSING for anything else."""
    if value.WhichOneof("value") == "simple_value":
        return of_float(value.simple_value)
    tensor = value.tensor
    several = tensor.float_val or tensor.double_val
    if len(several) == 1:
        return of_float(several[0])
    code = {1: "<f", 2: "<d"}.get(tensor.dtype)
    if code is None or len(tensor.tensor_content) != struct.calcsize(code):
        return MISSING
    return of_float(struct.unpack(code, tensor.tensor_content)[0])
