"""SQLite databases of Trackio and MLflow, read as they are: nothing is written beside them."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from gradcheck.errors import InputError
from gradcheck.logs.columns import NOTHING
from gradcheck.logs.json_records import JsonRecords
from gradcheck.logs.lines import Problems
from gradcheck.logs.long_tables import LongTable, Single
from gradcheck.logs.numbers import LogRow

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
    try:
        with closing(_opened(path)) as connection:
            columns = {str(row[1]) for row in connection.execute("PRAGMA table_info(metrics)")}
            tables = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    except sqlite3.Error as error:
        raise InputError(
            path, f"is a database that can't be read: {error}; copy it while nothing writes to it"
        ) from error
    if columns >= OF_MLFLOW:
        table = LongTable(problems, wanted)
        table.format = "MLflow's database"
        return table, table.rows_of(_of_mlflow(path))
    if columns >= OF_TRACKIO:
        records = JsonRecords(problems, wanted)
        records.format = "Trackio's database"
        return records, records.rows(_of_trackio(path))
    found = ", ".join(tables[:6]) or "none"
    raise InputError(path, f"is no database of Trackio or MLflow (its tables: {found}); export the log as CSV or JSON")


def _opened(path: Path) -> sqlite3.Connection:
    """Open a database to read it; without a log of changes beside it, nothing is written there by SQLite either."""
    changes = path.with_name(f"{path.name}-wal")
    how = "mode=ro" if changes.exists() and changes.stat().st_size else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?{how}", uri=True)


def _of_trackio(path: Path) -> Iterator[bytes]:
    """Yield a line of JSON for each row of metrics, which are JSON themselves."""
    with closing(_opened(path)) as connection:
        for run, step, metrics in connection.execute(TRACKIO):
            text = metrics.decode("utf-8", "replace") if isinstance(metrics, bytes) else str(metrics)
            own = json.dumps({"run_name": run, "step": step})[:-1]
            yield f"{own}, {text.lstrip()[1:]}\n".encode()


def _of_mlflow(path: Path) -> Iterator[Single]:
    with closing(_opened(path)) as connection:
        for run, step, name, value, is_nan in connection.execute(MLFLOW):
            yield Single(str(run), float(step), str(name), "NaN" if is_nan else value)
