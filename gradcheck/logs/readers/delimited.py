"""Tables of text with a header: CSV, or with semicolons or tabs between the cells."""

import csv
import re
from collections.abc import Iterator, Mapping

from gradcheck.logs.columns import NOTHING, RUN, VALUE, Layout, chosen, meaning, tag_of
from gradcheck.logs.lines import LONGEST, Problems, Reader
from gradcheck.logs.numbers import LogRow, texts

DELIMITERS = (",", "\t", ";")


class Delimited(Reader):
    """Turns the lines of a table into rows; lines with other numbers of cells are problems."""

    format = "CSV"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING, tag: str = "") -> None:
        super().__init__(problems)
        self._wanted, self._tag = wanted, tag_of(tag)

    def rows(self, lines: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield a row for each line below the header."""
        csv.field_size_limit(LONGEST)
        decoded = (line.decode("utf-8", "replace").replace("\0", "") for line in lines if line)
        first = next((line for line in decoded if line.strip() and not _is_remark(line)), "").lstrip("\ufeff# ")
        delimiter = max(DELIMITERS, key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        self.seen.update(header)
        names = self._tagged(header)
        columns = chosen(names, self._wanted)
        layout, places = (
            Layout(columns, map(str.strip, columns.values())),
            [names.index(name) for name in columns.values()],
        )
        if not places:
            return
        runs = {name.rpartition(RUN)[0] for name in header if RUN in name and meaning(name)}
        if len(runs) > 1:
            self.problems.add(f"has columns of {len(runs):,} runs: of each quantity the first one is read", 1)
        for number, cells in enumerate(_records(decoded, delimiter, self.problems), start=2):
            if len(cells) == len(header) and cells != header:
                own = [cells[place] for place in places]
                yield layout, texts(self._with_runs(own, layout), commas=delimiter != ",")
            elif cells and cells != header:
                self.problems.add(f"has {len(cells)} cells, the header has {len(header)}: left out", number)

    def _tagged(self, header: list[str]) -> list[str]:
        """Return the names of columns: a single number is called as its file, as in TensorBoard's downloads."""
        if self._tag == VALUE or any(
            column.quantity in ("loss", "grad_norm") for column in chosen(header, self._wanted)
        ):
            return header
        value = next((name for name in header if name.capitalize() == VALUE), "")
        single = value and value not in self._wanted.values()
        return [self._tag if single and name == value else name for name in header]

    def _with_runs(self, cells: list[str], layout: Layout) -> list[str]:
        """Return cells with numbers for the names of runs."""
        if not layout.tells_runs:
            return cells
        pairs = zip(cells, layout.columns, strict=True)
        return [str(self.run_number(cell)) if column.quantity == "run" else cell for cell, column in pairs]


def _is_remark(line: str) -> bool:
    """Whether a line is a remark above the header, or Excel's ``sep=;``, and not the header itself."""
    names = re.split(r"[,;\t]", line.lstrip("# "))
    judged = any(column.quantity in ("loss", "grad_norm") for column in chosen(names))
    return line.startswith("sep=") or (line.startswith("#") and not judged)


def _records(lines: Iterator[str], delimiter: str, problems: Problems) -> Iterator[list[str]]:
    """Yield the cells of each line; none of one that is damaged."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            problems.add("is not a line of a table: left out", reader.line_num + 1)
            yield []
