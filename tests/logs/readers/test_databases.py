"""SQLite databases of Trackio and MLflow, with the tables that they make."""

import json
import math
import sqlite3
from contextlib import closing

import pytest

from gradcheck.errors import InputError
from gradcheck.logs.reading import read_log
from gradcheck.logs.report import diagnose
from gradcheck.logs.series import Series

STEPS = list(range(30))

TRACKIO = """CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, timestamp TEXT,
    run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL, log_id TEXT, space_id TEXT)"""
MLFLOW = """CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32), step BIGINT,
    is_nan BOOLEAN); CREATE TABLE runs (run_uuid VARCHAR(32), name VARCHAR(250), start_time BIGINT)"""


def made(path, schema, *inserts):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        for statement, rows in inserts:
            connection.executemany(statement, rows)
        connection.commit()
    return path


@pytest.fixture
def of_trackio(tmp_path):
    """A run whose norm becomes infinite, and one after it that is well."""
    rows = []
    for run in ("ill", "well"):
        norms = [*[1.5] * 25, *["Infinity" if run == "ill" else 1.5] * 5]
        for step, norm in enumerate(norms):
            rows.append((run, step, json.dumps({"train/loss": 2 - step / 100, "grad_norm": norm}).encode()))
    return made(tmp_path / "demo.db", TRACKIO, ("INSERT INTO metrics (run_name, step, metrics) VALUES (?, ?, ?)", rows))


@pytest.fixture
def of_mlflow(tmp_path):
    """A run whose norm is infinite once, as the store writes it, and whose loss is not a number at the end."""
    largest = 1.7976931348623157e308
    rows = [("loss", 0.0 if step > 27 else 2 - step / 100, step, "a1b2c3d4e5", step, step > 27) for step in STEPS]
    rows += [("grad_norm", largest if step == 20 else 1.5, step, "a1b2c3d4e5", step, False) for step in STEPS]
    return made(
        tmp_path / "mlflow.db", MLFLOW,
        ("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows),
        ("INSERT INTO runs VALUES (?, ?, ?)", [("a1b2c3d4e5", "upbeat-owl", 1)]),
    )  # fmt: skip


def test_each_run_of_trackio_is_a_run_and_the_last_one_is_judged(of_trackio):
    report = diagnose(of_trackio)
    assert (report.log.format, report.log.rows) == ("Trackio's database", 30)
    assert [run.status for run in report.runs] == ["nonfinite", report.verdict.status]
    assert report.verdict.status != "nonfinite"


def test_mlflow_s_infinity_and_its_flag_for_nan_are_taken_as_such(of_mlflow):
    read = Series(read_log(of_mlflow))
    assert read.log.reader.format == "MLflow's database"
    assert read.steps.tolist() == STEPS
    assert (math.isfinite(read.norms[20]), read.run.nonfinite.first_step) == (False, 20)
    assert read.values("loss")[27] == pytest.approx(1.73)
    assert not any(map(math.isfinite, read.values("loss")[28:]))


@pytest.mark.parametrize("database", ["of_trackio", "of_mlflow"])
def test_a_database_in_a_folder_is_found_and_nothing_is_written_beside_it(database, request):
    path = request.getfixturevalue(database)
    before = path.read_bytes()
    assert len(Series(read_log(path.parent)).steps) == 30
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_another_database_and_a_damaged_one_are_refused_with_what_to_do(tmp_path):
    path = made(tmp_path / "x.db", "CREATE TABLE people (name TEXT)")
    with pytest.raises(InputError, match=r"no database of Trackio or MLflow \(its tables: people\); export"):
        read_log(path)
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(InputError, match="is a database that can't be read"):
        read_log(path)


def test_a_database_whose_schema_is_no_text_is_refused(tmp_path):
    path = made(tmp_path / "x.db", MLFLOW)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE runs", b"CREA\xc5E TABLE runs"))
    with pytest.raises(InputError, match="is a database that can't be read"):
        read_log(path)
