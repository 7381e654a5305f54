"""MLflow's files: one for each number of a run, with a line ``milliseconds value step`` for each step."""

import math
import re
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

from gradcheck.logs.columns import NOTHING, Layout, chosen
from gradcheck.logs.lines import Problems, Reader
from gradcheck.logs.numbers import MISSING, LogRow, texts

#: A line of such a file.
METRIC_LINE = re.compile(rb"\d{11,16} \S+ -?\d+\s*$")

#: Numbers that are held until they are sorted by step.
HELD = 2_000_000


class MetricFile(Reader):
    """Turns the lines of one file, or of all files of a run, into rows."""

    format = "MLflow metrics"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING, tag: str = "") -> None:
        super().__init__(problems)
        self._wanted, self._tag = wanted, tag

    def rows(self, lines: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield a row for each line of one file, whose name is that of the number."""
        self.seen.add(self._tag)
        columns = chosen([self._tag, "step"], self._wanted)
        layout = Layout(columns, columns.values())
        for number, line in enumerate(lines, start=1):
            cells = self._cells(line, number) if line else None
            if cells is not None:
                held = {self._tag: cells[1], "step": cells[0]}
                yield layout, array("d", [held[name] for name in columns.values()])

    def rows_of(self, folder: Path) -> Iterator[LogRow]:
        """Yield a row for each step of a run, from the files of a folder that mean something."""
        files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.seen.update(list(files)[:1000])
        columns = chosen([*(name for name in files if name != "step"), "step"], self._wanted)
        names = [name for name in columns.values() if name in files]
        layout = Layout(columns, columns.values())
        steps: dict[float, array[float]] = {}
        for place, name in enumerate(names):
            with files[name].open("rb") as file:
                for number, line in enumerate(file, start=1):
                    cells = self._cells(line, number)
                    if cells is not None and len(steps) * len(names) < HELD:
                        steps.setdefault(cells[0], array("d", [MISSING] * len(names)))[place] = cells[1]
        for step, values in sorted(steps.items()):
            held = dict(zip(names, values, strict=True)) | {"step": step}
            yield layout, array("d", [held[name] for name in columns.values()])

    def _cells(self, line: bytes, number: int) -> tuple[float, float] | None:
        """Return the step and the value of a line; None of a damaged one."""
        cells = line.split()
        if len(cells) == 3:
            value, step = texts([cells[1].decode("utf-8", "replace"), cells[2].decode("utf-8", "replace")])
            if math.isfinite(step):
                return step, value
        if line.strip():
            self.problems.add("is not a line of a metric: left out", number)
        return None
