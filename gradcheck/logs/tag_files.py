"""What TensorBoard's page lets one download: a file for each run and tag, as CSV or JSON; put together by step."""

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gradcheck.logs.columns import NOTHING, Column, Layout
from gradcheck.logs.lines import Problems, Reader, chunks, whole_lines
from gradcheck.logs.numbers import MISSING, LogRow
from gradcheck.logs.readers.documents import Document
from gradcheck.logs.sniffing import text_reader

#: The names that TensorBoard gives them; a browser numbers those that it has already.
NAME = re.compile(r"run-(?P<run>.*)-tag-.+?(?: ?\(\d+\))?\.(?:csv|json)")

STEP = Column("step")


def by_run(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Return downloaded files by their runs."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        named = NAME.fullmatch(path.name)
        if named:
            found.setdefault(named["run"], []).append(path)
    return found


class TagFiles(Reader):
    """Turns the files of one run into rows."""

    format = "TensorBoard's downloads"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        super().__init__(problems)
        self._wanted = wanted

    def rows_of(self, paths: Sequence[Path]) -> Iterator[LogRow]:
        """Yield a row for each step."""
        steps: dict[float, dict[Column, float]] = {}
        names: dict[Column, str] = {STEP: "Step"}
        for path in paths:
            for layout, values in self._rows_of(path):
                if STEP not in layout.columns:
                    continue
                names |= dict(zip(layout.columns, layout.names, strict=True))
                width = len(layout.columns)
                for at in range(0, len(values), width):
                    row = dict(zip(layout.columns, values[at : at + width], strict=True))
                    steps.setdefault(row[STEP], {}).update(row)
        layout = Layout(names, names.values())
        for _, row in sorted(steps.items()):
            yield layout, array("d", [row.get(column, MISSING) for column in names])

    def _rows_of(self, path: Path) -> Iterator[LogRow]:
        with path.open("rb") as file:
            parts = list(chunks(file))
        if parts:
            stem = re.sub(r" ?\(\d+\)(?=\.\w+$)", "", path.name)
            reader = text_reader(parts[0], self.problems, self._wanted, stem)
            whole = iter(parts) if isinstance(reader, Document) else whole_lines(iter(parts), self.problems, None)
            yield from reader.rows(whole)
            self.seen |= reader.seen
