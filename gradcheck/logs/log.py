"""What was read of a log: the rows of each kind in it, and of each run."""

from collections.abc import Iterator, Sequence

from gradcheck.logs.columns import Column
from gradcheck.logs.lines import Problems, Reader
from gradcheck.logs.numbers import LogRow
from gradcheck.logs.runs import Run
from gradcheck.logs.table import Table

#: With fewer rows of the training, those of a progress bar that is drawn over are judged, if there are more of them.
FEWEST = 8

#: Rows with losses and norms that say more than any number of rows without norms.
ENOUGH = 20

#: What a row has at best.
JUDGED = {Column("loss"), Column("grad_norm")}


class Log:
    """What was read so far; a table is there for the rows of the only kind that most formats have."""

    def __init__(self, reader: Reader, table: Table, problems: Problems) -> None:
        self.reader, self.problems = reader, problems
        self.tables = {"": table}
        self.name = ""  # of the run, where several were read from one folder
        self.others: list[Log] = []  # those of the other runs of the folder, the oldest first
        self.beside: list[str] = []  # what else the folder has of the same run, which says less of its gradients

    def add(self, row: LogRow) -> None:
        """Take in a row, or neighbouring ones of one layout."""
        kind = row[0].kind
        table = self.tables.get(kind)
        if table is None:
            table = self.tables[kind] = Table(self.problems)
        table.add(row)

    @property
    def table(self) -> Table:
        """The rows that are judged: those of the kind that the training has most of."""
        if len(self.tables) == 1:
            return self.tables[""]
        by_worth: dict[int, list[Table]] = {-1: [], 0: [], 1: [], 2: []}
        for kind, table in self.tables.items():
            by_worth[self.reader.worth(kind)].append(table)
        unnamed, of_validation, drawn_over, best = map(_most, by_worth.values())
        if best is None or (best.rows_read < FEWEST and drawn_over and drawn_over.rows_read > best.rows_read):
            best = drawn_over or best
        return best if best is not None and best.rows_read else of_validation or unnamed or self.tables[""]

    @property
    def rows_found(self) -> int:
        """Rows of all kinds with a number of the log."""
        for table in self.tables.values():
            table.flush()
        return sum(table.rows_found for table in self.tables.values())

    def runs(self) -> Iterator[tuple[str, "Log", Run]]:
        """Yield the runs with their names, the one that is judged last."""
        for log in (*self.others, self):
            log.table.flush()
            several = len(log.table.runs)
            for number, run in enumerate(log.table.runs, start=1):
                own = ", ".join(f"{log.table.names[column]} {log.reader.run_text(value)}" for column, value in run.key)
                numbered = f"run {number} of {several}{own and f' ({own})'}" if several > 1 else ""
                yield ", ".join(filter(None, (log.name, numbered))), log, run


def _most(tables: Sequence[Table]) -> Table | None:
    """Return the table with most rows; one with the norms beside the losses says more if it has half as many.

    Or if it has enough for a verdict, and the other one has no norms: batches whose gradients are accumulated.
    """
    largest = max(tables, key=lambda table: (_size(table), Column("loss") in table.names), default=None)
    most, lacks = (_size(largest), Column("grad_norm") not in largest.names) if largest else (0, False)
    fuller = (one for one in tables if one.names.keys() >= JUDGED and _says_more(_size(one), most, lacks))
    return max(fuller, key=_size, default=largest)


def _says_more(rows: int, most: int, lacks: bool) -> bool:
    return bool(most) and (2 * rows >= most or (lacks and rows >= ENOUGH))


def _size(table: Table) -> int:
    return table.rows_read
