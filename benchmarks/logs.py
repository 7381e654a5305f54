"""``gradcheck diagnose`` on logs of a gigabyte: time and memory of the whole command; see README.md.

Run it as ``python benchmarks/logs.py [--gigabytes 1] [--only short|layers|recorder]``. The logs are written to a
temporary folder first, and removed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from children import whole_process

from gradcheck.logs.records import header_line, record_line

#: Different rows that a log repeats, with other steps.
ROWS = 2000

GIGABYTE = 10**9


def short(steps: Iterator[int], generator: np.random.Generator) -> Iterator[bytes]:
    """Yield records of four numbers."""
    rest = [f', "loss": {a:.6f}, "lr": 0.001, "grad_norm": {b:.6f}}}\n' for a, b in _norms(generator, 2)]
    return (f'{{"step": {step}{row}'.encode() for step, row in zip(steps, cycle(rest), strict=False))


def layers(steps: Iterator[int], generator: np.random.Generator) -> Iterator[bytes]:
    """Yield flat records with the gradient norms of 60 layers."""
    names = [f"grad_norm/model.layers.{layer}.weight" for layer in range(60)]
    rows = ({"loss": row[0], "grad_norm": row[1]} | dict(zip(names, row[2:], strict=True)) for row in _norms(generator))
    rest = [", " + json.dumps(row)[1:] + "\n" for row in rows]
    return (f'{{"step": {step}{row}'.encode() for step, row in zip(steps, cycle(rest), strict=False))


def recorder(steps: Iterator[int], generator: np.random.Generator) -> Iterator[bytes]:
    """Yield a recorder's file of 60 layers with four quantities each."""
    names = [f"model.layers.{layer}.weight" for layer in range(60)]
    yield header_line(names)
    quantities = ("grad_norm", "weight_norm", "activation_rms", "update_norm")
    rows = [dict.fromkeys(quantities, row[2:]) for row in _norms(generator)]
    rest = [record_line(0, row, loss=1.0, grad_norm=2.0).partition(b",")[2] for row in rows]
    yield from (f'{{"step":{step},'.encode() + row for step, row in zip(steps, cycle(rest), strict=False))


def _norms(generator: np.random.Generator, count: int = 62) -> list[list[float]]:
    rows: list[list[float]] = np.exp(0.3 * generator.standard_normal((ROWS, count))).tolist()
    return rows


KINDS: dict[str, Callable[[Iterator[int], np.random.Generator], Iterator[bytes]]] = {
    "short": short,
    "layers": layers,
    "recorder": recorder,
}


def write(path: Path, kind: str, size: float) -> int:
    """Write a log of so many bytes; return its rows."""
    written = rows = 0
    with path.open("wb") as file:
        for line in KINDS[kind](iter(range(10**12)), np.random.default_rng(0)):
            written += file.write(line)
            rows += 1
            if written >= size:
                break
    return rows


def main() -> None:
    """Write each log, run the command on it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--only", choices=KINDS)
    given = parser.parse_args()
    size = given.gigabytes * GIGABYTE
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 2 * size:
            sys.exit(f"{folder}: needs {2 * given.gigabytes:g} GB free")
        for kind in [given.only] if given.only else KINDS:
            path = Path(folder, "run.jsonl")
            rows = write(path, kind, size)
            cost = whole_process(["-m", "gradcheck", "diagnose", str(path), "--json"])
            rate = size / 1e6 / cost.seconds
            print(f"{kind:9} {rows:>11,} rows  {cost.seconds:6.1f} s  {rate:4.0f} MB/s  {cost.mebibytes:4.0f} MiB")


if __name__ == "__main__":
    main()
