"""Mutated files of every kind that gradcheck reads, thousands of each: do they end in errors of its own tree only?

    python benchmarks/hostile.py [FILES] [READER | LOG ...]

Each reader gets FILES (5,000) mutations of one good file, under 4 GiB of address space; so does each LOG, a file or a
folder that `diagnose` reads, cut to its first, last and some lines between. Printed: how many were read, how many
refused, everything that ended otherwise, the slowest file, the one that took most memory, and how much.
"""

import contextlib
import io
import json
import random
import resource
import shutil
import sqlite3
import statistics
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from tensorboardX.proto.event_pb2 import Event

import gradcheck

#: Bytes of address space: a file that inflates without bounds meets them.
ADDRESSES = 4 * 2**30

#: What the journal is of.
SWEEP: dict[str, list[Any]] = {"depth": [1, 2], "width": [2], "batch_size": [4]}

#: What is put into a file, beside single bytes.
TOKENS = [
    b"NaN", b"Infinity", b"1e999", b"-0", b"[", b"{", b'"', b"\x00", b"\xff\xfe", b"\n", b"\r", b",", b"null",
    b"9" * 400, b"[" * 2000, b'{"a":' * 500, b"\x1b[2J", b"true", b"tensor(", b"step", b"loss", b"PK\x03\x04",
    b"\x93NUMPY",
]  # fmt: skip


def mutated(good: bytes, draw: random.Random) -> bytes:
    """Return a file with one to four changes: bytes changed, parts cut, doubled or moved, tokens put in."""
    data = bytearray(good)
    for _ in range(draw.randint(1, 4)):
        at, end = sorted(draw.randrange(len(data) + 1) for _ in range(2))
        kind = draw.randrange(6)
        if kind == 0 and data:
            for _ in range(draw.randint(1, 8)):
                data[draw.randrange(len(data))] = draw.randrange(256)
        elif kind == 1:
            del data[at : min(end, at + 200)]
        elif kind == 2:
            data[at:at] = data[at : min(end, at + 500)] * draw.choice([1, 3, 50])
        elif kind == 3:
            data[at:at] = draw.choice(TOKENS)
        elif kind == 4:
            del data[draw.randrange(len(data) + 1) :]
        else:
            part = data[at : min(end, at + 300)]
            data += part
    return bytes(data)


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def _rows() -> list[dict[str, float]]:
    return [{"step": step, "loss": 2.0 / (1 + step), "lr": 0.1, "grad_norm": 1.0 + step % 3} for step in range(60)]


def _lines(form: str) -> bytes:
    return "".join(form.format(**row) + "\n" for row in _rows()).encode()


def _journal() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        gradcheck.compare(SWEEP, journal=path, seeds=1)
        return path.read_bytes()


def _records() -> Iterator[bytes]:
    for row in _rows():
        values = [{"tag": tag, "simple_value": value} for tag, value in row.items() if tag != "step"]
        message = Event(wall_time=1.5, step=int(row["step"]), summary={"value": values}).SerializeToString()
        yield struct.pack("<QI", len(message), 0) + message + bytes(4)


def _database(schema: str, insert: str, rows: list[tuple[Any, ...]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        connection = sqlite3.connect(path)
        connection.executescript(schema)
        connection.executemany(insert, rows)
        connection.commit()
        connection.close()
        return path.read_bytes()


def _singles() -> list[tuple[str, int, float]]:
    return [(name, int(row["step"]), row[name]) for row in _rows() for name in ("loss", "grad_norm")]


def _of_comet() -> list[dict[str, str | int]]:
    return [
        {"metricName": name, "metricValue": str(value), "step": step, "timestamp": 17 * 10**11, "epoch": 1}
        for name, step, value in _singles()
    ]


def _archive(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"{name}.json", content)
    return stream.getvalue()


def _messages() -> str:
    """Comet's offline messages."""
    metrics = ({"metricName": name, "metricValue": value, "step": step} for name, step, value in _singles())
    return "".join(json.dumps({"type": "metric_msg", "payload": {"metric": one}}) + "\n" for one in metrics)


def _field(number: int, content: bytes) -> bytes:
    length = len(content)
    size = bytes([length & 127 | 128, length >> 7]) if length > 127 else bytes([length])
    return (bytes([number << 3 | 2]) if number < 16 else bytes([number << 3 & 127 | 130, number >> 4])) + size + content


def _of_wandb() -> Iterator[bytes]:
    yield b":W&B\xe1\xbe\x00"
    for row in _rows():
        items = (_field(1, name.encode()) + _field(16, json.dumps(value).encode()) for name, value in row.items())
        message = _field(2, b"".join(_field(1, one) for one in items))
        yield struct.pack("<IHB", 0, len(message), 1) + message


def _newer_logs() -> dict[str, tuple[str, bytes]]:
    """Return files of trackers: databases, a number a row, what a page lets one download."""
    mlflow = (
        "CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);"
        "CREATE TABLE runs (run_uuid TEXT, name TEXT, start_time BIGINT)"
    )
    trackio = "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_name TEXT, step INTEGER, metrics TEXT)"
    of_rows = [("run", int(row["step"]), json.dumps(row)) for row in _rows()]
    melted = "".join(f"{name},{step},{value}\n" for name, step, value in _singles())
    of_names = [(name, value, step) for name, step, value in _singles()]
    points = [[1.5e9 + row["step"], row["step"], row["loss"]] for row in _rows()]
    table = "Wall time,Step,Value\r\n" + "".join(",".join(map(str, one)) + "\r\n" for one in points)
    return {
        "mlflow": ("m.db", _database(
            mlflow, "INSERT INTO metrics VALUES (?, ?, 0, 'a1', ?, 0)", of_names
        )),
        "trackio": ("t.db", _database(
            trackio, "INSERT INTO metrics (run_name, step, metrics) VALUES (?, ?, ?)", of_rows
        )),
        "comet": ("comet.json", json.dumps(_of_comet()).encode()),
        "comet-zip": ("comet.zip", _archive(experiment="{}", messages=_messages())),
        "melted": ("melted.csv", b"metric,step,value\n" + melted.encode()),
        "tag-csv": ("run-a-tag-train_loss.csv", table.encode()),
        "tag-json": ("run-a-tag-train_loss.json", json.dumps(points).encode()),
        "wandb": ("run-a.wandb", b"".join(_of_wandb())),
    }  # fmt: skip


def good_files() -> dict[str, tuple[str, bytes]]:
    """Return for each reader a file's name and what a good one holds."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 4)), np.arange(8) % 3
    weights = {
        "W1": rng.normal(size=(64, 3)),
        "b1": np.zeros(3),
        "W_out": rng.normal(size=(3, 10)),
        "b_out": np.zeros(10),
    }
    report = gradcheck.simulate(depth=2, width=4, batch_size=4).to_json()
    columns = {name: [row[name] for row in _rows()] for name in _rows()[0]}
    return _newer_logs() | {
        "npy": ("x.npy", _written(lambda to: np.save(to, x))),
        "npz": ("x.npz", _written(lambda to: np.savez_compressed(to, x=x, y=y))),
        "csv": ("x.csv", "\n".join(",".join(map(str, row)) for row in x).encode()),
        "weights": ("w.npz", _written(lambda to: np.savez(to, **weights))),
        "safetensors": ("w.safetensors", save(weights)),
        "baseline": ("r.json", report.encode()),
        "journal": ("journal.jsonl", _journal()),
        "events": ("events.tfevents", b"".join(_records())),
        "json-lines": ("run.jsonl", "".join(json.dumps(row) + "\n" for row in _rows()).encode()),
        "table": ("run.csv", b"step,loss,lr,grad_norm\n" + _lines("{step},{loss},{lr},{grad_norm}")),
        "state": ("trainer_state.json", json.dumps({"log_history": _rows()}, indent=1).encode()),
        "columns": ("columns.json", json.dumps(columns).encode()),
        "console": (
            "out.log",
            _lines("[host] epoch 1 step {step}: loss={loss:.4f} | grad_norm: {grad_norm:.3f}"),
        ),
        "dicts": ("out.txt", _lines("{{'loss': {loss}, 'grad_norm': {grad_norm}, 'epoch': {step}}}")),
        "bars": ("bar.log", _lines("\r 50%|##  | {step}/60 [00:01<00:01, loss={loss:.3f}, gnorm={grad_norm}]")),
    }


def read(reader: str, path: Path) -> None:
    """Read a file as its users do."""
    small = {"depth": 1, "width": 2, "batch_size": 4}
    if reader in ("npy", "npz", "csv"):
        gradcheck.simulate(data=path, **small)
    elif reader == "journal":
        gradcheck.compare(SWEEP, journal=path, seeds=1)
    elif reader in ("weights", "safetensors"):
        gradcheck.simulate(weights=path, batch_size=4)
    elif reader == "baseline":
        from gradcheck.diagnosis.regression import read_report

        read_report(path)
    else:
        gradcheck.diagnose(path.parent if reader.startswith("tag-") else path)


def cut(good: bytes) -> bytes:
    """Return the first and last eight lines, or what a carriage return ends, and eight from between."""
    lines = good.splitlines(keepends=True)
    between = range(8, len(lines) - 8)
    kept = {*range(8), *between[:: max(1, len(between) // 8)], *range(len(lines) - 8, len(lines))}
    return b"".join(line for number, line in enumerate(lines) if number in kept)


def outcomes(reader: str, files: int) -> Iterator[tuple[str, float]]:
    """Yield what became of each mutated file, and the seconds of the processor that it took."""
    draw, given = random.Random(reader), Path(reader)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / given.name
        if given.is_dir():
            shutil.copytree(given, whole)
            path = sorted(whole.rglob("*[!.]"))[-1]
            good = cut(path.read_bytes())
        elif given.is_file():
            path, good = whole, cut(given.read_bytes())
        else:
            name, good = good_files()[reader]
            path = whole = Path(folder) / name
        path.write_bytes(good)
        with contextlib.suppress(gradcheck.GradcheckError):
            read(reader, whole)  # what it loads is no part of what the first file takes
        for number in range(files):
            path.write_bytes(mutated(good, draw))
            start = time.process_time()
            with warnings.catch_warnings(action="always", record=True) as said:
                try:
                    read(reader, whole)
                    outcome = "read"
                except gradcheck.GradcheckError as error:
                    outcome = "refused" if "\n" not in str(error) else f"an error of several lines: {error!r}"
                except BaseException as error:
                    outcome = f"file {number}: {type(error).__name__}: {error}"
            seconds = time.process_time() - start
            yield (f"file {number}: a warning: {said[0].message}" if said else outcome), seconds


def measured(reader: str, files: int) -> tuple[str, list[str]]:
    """Return a line on a reader, and what ended otherwise."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    counts, took, others = Counter[str](), [], []
    largest = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0)
    for number, (outcome, seconds) in enumerate(outcomes(reader, files)):
        took.append(seconds)
        counts[outcome] += 1
        others += [outcome] if outcome not in ("read", "refused") else []
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        largest = (peak, number) if peak > largest[0] else largest
    slowest = max(range(files), key=took.__getitem__)
    line = f"{Path(reader).name:<40}{counts['read']:>7}{counts['refused']:>9}{len(others):>8}"
    line += f"{1e3 * statistics.median(took):>7.1f} ms   {took[slowest]:.2f} s (file {slowest})"
    return f"{line}   {largest[0] / 1024:.0f} MiB (file {largest[1]})", others


def main() -> None:
    """Print the table."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    print(f"{'reader':<40}{'read':>7}{'refused':>9}{'others':>8}{'median':>10}   slowest            most memory")
    list(outcomes("json-lines", 1))
    for reader in sys.argv[2:] or good_files():
        with get_context("fork").Pool(1) as pool:  # each with an address space of its own, and all loaded
            line, others = pool.apply(measured, (reader, files))
        print(line, flush=True)
        for one in dict.fromkeys(others):
            print("   ", one[:300])


if __name__ == "__main__":
    main()
