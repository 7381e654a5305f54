"""SQLite databases of Trackio and MLflow, read as they are: nothing is written beside them."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradcheck.errors import InputError
from gradcheck.logs.columns import NOTHING
from gradcheck.logs.lines import Problems
from gradcheck.logs.numbers import LogRow, numbers
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.readers.long_tables import LongTable, Single

#: Columns of the table of metrics by which each is known.
OF_TRACKIO, OF_MLFLOW = {"run_name", "step", "metrics"}, {"key", "value", "step", "run_uuid", "is_nan"}

#: Rows of all runs, the run that logged last at the end.
TRACKIO = """
    SELECT run_name, step, metrics FROM metrics JOIN (SELECT run_name AS name, MAX(id) AS last FROM metrics GROUP BY 1)
    ON name = run_name ORDER BY last, id
"""
MLFLOW = """
    SELECT COALESCE(name || ' ', '') || SUBSTR(metrics.run_uuid, 1, 8), step, key, value, is_nan FROM metrics
    LEFT JOIN runs ON runs.run_uuid = metrics.run_uuid ORDER BY start_time, metrics.run_uuid, step, timestamp
"""


def database(
    path: Path, problems: Problems, wanted: Mapping[str, str] = NOTHING
) -> tuple[JsonRecords | LongTable, Iterator[LogRow]]:
    """Return a reader of a database, and its rows.

    Raises
    ------
    InputError
        It has no metrics of Trackio or MLflow, or is damaged.
    """
    columns = {str(row[1]) for row in _rows(path, "PRAGMA table_info(metrics)")}
    if columns >= OF_MLFLOW:
        table = LongTable(problems, wanted)
        table.format = "MLflow's database"
        return table, table.rows_of(_of_mlflow(path))
    if columns >= OF_TRACKIO:
        records = JsonRecords(problems, wanted)
        records.format = "Trackio's database"
        return records, records.rows(_of_trackio(path))
    tables = [str(row[0]) for row in _rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = ", ".join(tables[:6]) or "none"
    raise InputError(path, f"is no database of Trackio or MLflow (its tables: {found}); export the log as CSV or JSON")


def _rows(path: Path, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield what a database answers; without a log of changes beside it, SQLite writes nothing there either."""
    changes = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if changes.exists() and changes.stat().st_size else "immutable=1"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?{how}", uri=True)) as connection:
            yield from connection.execute(query)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite quotes the damaged text in its own message
        problem = f"is a database that can't be read: {error}; copy it while nothing writes to it"
        raise InputError(path, problem) from error


def _of_trackio(path: Path) -> Iterator[bytes]:
    """Yield a line of JSON for each row of metrics, which are JSON themselves."""
    for run, step, metrics in _rows(path, TRACKIO):
        text = metrics.decode("utf-8", "replace") if isinstance(metrics, bytes) else str(metrics)
        own = json.dumps({"run_name": str(run), "step": numbers([step])[0]})[:-1]
        yield f"{own}, {text.lstrip()[1:]}\n".encode("utf-8", "replace")


def _of_mlflow(path: Path) -> Iterator[Single]:
    for run, step, name, value, is_nan in _rows(path, MLFLOW):
        yield Single(str(run), numbers([step])[0], str(name), "NaN" if is_nan else value)
