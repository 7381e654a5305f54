"""``gradcheck diagnose`` on logs of a gigabyte: time and memory of the whole command; see README.md.

Run it as ``python benchmarks/logs.py [--gigabytes 1] [--only short|layers|recorder|console] [--beside COMMAND]
[--runs 3]``. The logs are written to a temporary folder first, and removed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
from children import UNITS

from gradcheck.logs.records import header_line, record_line

#: Different rows that a log repeats, with other steps.
ROWS = 2000

#: Where the bar of a console ends.
LENGTH = 10**8

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


def console(steps: Iterator[int], generator: np.random.Generator) -> Iterator[bytes]:
    """Yield what a trainer prints: a bar that is drawn over, and a dict."""
    rows = [f"{{'loss': {a:.4f}, 'grad_norm': {b:.6f}, 'learning_rate': 1e-05" for a, b in _norms(generator, 2)]
    for step, row in zip(steps, cycle(rows), strict=False):
        at = 10 * (step + 1)
        bar = f"\r{at * 100 // LENGTH:3}%|{'#' * (at * 10 // LENGTH):10}| {at}/{LENGTH} [00:01<12:00,  2.11it/s]\n"
        yield f"{bar}{row}, 'epoch': {3 * at / LENGTH:.2f}}}{' ' * 40}\n".encode()


def _norms(generator: np.random.Generator, count: int = 62) -> list[list[float]]:
    rows: list[list[float]] = np.exp(0.3 * generator.standard_normal((ROWS, count))).tolist()
    return rows


KINDS: dict[str, Callable[[Iterator[int], np.random.Generator], Iterator[bytes]]] = {
    "short": short,
    "layers": layers,
    "recorder": recorder,
    "console": console,
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


def cost(command: list[str]) -> tuple[float, float, float]:
    """Run a command, its output thrown away; return seconds of the processor, seconds, and peak memory in MiB."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):  # 1: it found something
        sys.exit(f"{shlex.join(command)}: exit code {child.returncode}")
    return usage.ru_utime, time.perf_counter() - start, usage.ru_maxrss / UNITS


def main() -> None:
    """Write each log, run the commands on it in turn, A B A B …, and print the medians of what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--beside", action="append", default=[], help="another command; the log is its last argument")
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args()
    own = [sys.executable, "-m", "gradcheck", "diagnose", "--json"]
    commands = [own, *map(shlex.split, given.beside)]
    size = given.gigabytes * GIGABYTE
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 2 * size:
            sys.exit(f"{folder}: needs {2 * given.gigabytes:g} GB free")
        for kind in [given.only] if given.only else KINDS:
            path = Path(folder, "run.log" if kind == "console" else "run.jsonl")
            rows = write(path, kind, size)
            rounds = [[cost([*command, str(path)]) for command in commands] for _ in range(given.runs)]
            print(f"{kind}: {rows:,} rows")
            sides = [tuple(map(median, zip(*side, strict=True))) for side in zip(*rounds, strict=True)]
            for command, (processor, seconds, memory) in zip(commands, sides, strict=True):
                took = f"{processor:6.1f} s of the processor, {seconds:6.1f} s, {memory:4.0f} MiB"
                print(f"  {took}, {processor / sides[0][0]:5.2f} x  {shlex.join(command)}")


if __name__ == "__main__":
    main()
