"""Seconds and memory of the build beside an older one and PyTorch, and how far from the limit it is; see README.md.

Run it as ``python benchmarks/against.py --old PYTHON_OR_WHEEL [--runs 7] [--only NAME ...]``. PYTHON is the interpreter
of an environment in which the older build is installed; a wheel gets a temporary one.

The sides run in turn, old new (PyTorch) old new (PyTorch) …, each run a process of its own; medians count. The limit is
what no build can go below: the random numbers of the row alone, and its matrix products alone, each at the rate
measured here, on as many threads as the row has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

from children import UNITS
from speed import positive, prepare_environment, print_table, set_threads
from sweep import GRID
from weightless import DEEP

HERE = Path(__file__).parent


class Limit(NamedTuple):
    """What a row can't do without.

    Attributes
    ----------
    numbers : float
        Normal numbers that have to be drawn.
    products : tuple of (float, int)
        Multiplications, and the rows of the batch that they are done on.
    dtype : str
    """

    numbers: float
    products: tuple[float, int]
    dtype: str = "float64"


class Row(NamedTuple):
    """One thing that is measured.

    Attributes
    ----------
    ours : sequence of str
        What Python is given, of both builds.
    target : str
        What the row is to reach.
    theirs : sequence of str
        What Python is given for PyTorch's side; empty where there is none.
    limit : Limit or None
    inside : bool
        The process prints what the task in it took, as ``children.tell_cost`` does; else from start to exit.
    """

    ours: Sequence[str]
    target: str
    theirs: Sequence[str] = ()
    limit: Limit | None = None
    inside: bool = False


class Spent(NamedTuple):
    """What one run took."""

    seconds: float
    processor: float
    mebibytes: float


#: The command that is typed first.
SHORT = ["simulate", "--depth", "50"]


def simulate(*options: str) -> list[str]:
    """Return the arguments of a whole simulation."""
    return ["-m", "gradcheck", "simulate", *options, "--json"]


def one_pass(side: str, width: int, depth: int, batch: int) -> list[str]:
    """Return the arguments of a pass within a process; ``weightless.py`` is of this build, the engine of either."""
    shape = ["--widths", str(width), "--depth", str(depth), "--batches", str(batch)]
    return [str(HERE / "weightless.py"), "--side", side, *shape]


def weightless_limit(maps: Sequence[tuple[int, int]], rows: int, dtype: str = "float64") -> Limit:
    """Return the limit of linear maps without matrices: what is drawn forward and back, and the products with it."""
    fans = sum(fan_in + fan_out for fan_in, fan_out in maps)
    return Limit(rows * fans, (6 * rows * rows * fans, rows), dtype)


def sweep(workers: int) -> list[str]:
    """Return the arguments of the sweep of ``sweep.py`` as a command; of a list, the values with commas."""
    grid = [
        word for name, values in GRID.items() for word in (f"--{name}", ",".join(WORDS.get(one, one) for one in values))
    ]
    return ["-m", "gradcheck", "compare", "--depth", "50", *grid, "--seeds", "3", "--workers", str(workers), "--json"]


#: How a switch is typed in a list.
WORDS = {True: "yes", False: "no"}

#: What 50 layers of 128 need beyond their weights, which 3 seeds and 2 kinds of law draw: forward, back, ‖∂𝓛/∂W‖.
SWEEP_LIMIT = Limit(3 * 2 * 50 * 128 * 128, (432 * 50 * 3 * 64 * 128 * 128, 64))

TORCH_LOOP = [str(HERE / "sweep.py"), "--only-torch"]

WIDE = 12_288  # of GPT-3
BLOCK = [(WIDE, 3 * WIDE), (WIDE, WIDE), (WIDE, 4 * WIDE), (4 * WIDE, WIDE)]

ROWS = {
    "gpt3": Row(simulate("--preset", "gpt3"), ">= 2.2 x old, <= 2 GiB", limit=weightless_limit(96 * BLOCK, 32)),
    "deep": Row(simulate(*DEEP), ">= 2 x old", limit=weightless_limit([(4096, 4096)] * 1000, 32)),
    "wide": Row(
        one_pass("weightless", 4096, 50, 32),
        ">= 40 x PyTorch",
        one_pass("PyTorch", 4096, 50, 32),
        weightless_limit([(4096, 4096)] * 50, 32, "float32"),
        inside=True,
    ),
    "narrow": Row(
        one_pass("auto", 256, 50, 32),
        "<= 1.0 x PyTorch's time",
        one_pass("PyTorch", 256, 50, 32),
        weightless_limit([(256, 256)] * 50, 32, "float32"),
        inside=True,
    ),
    "json": Row(["-m", "gradcheck", *SHORT, "--json"], "<= 0.95 x old's time"),
    "text": Row(["-m", "gradcheck", *SHORT], ">= 1.5 x old, with suggestions"),
    "compare": Row(sweep(2), ">= 2 x old, >= 6 x PyTorch", TORCH_LOOP, SWEEP_LIMIT),
    "compare1": Row(sweep(1), ">= 2 x old", limit=SWEEP_LIMIT),
}


def main() -> None:
    """Measure the rows that were asked for, and print each."""
    options = parser().parse_args()
    prepare_environment()
    if options.threads:
        set_threads(options.threads)
    header = ["row", "target", "old, s", "new, s", "old / new", "the same of CPU time", "PyTorch / new"]
    header += ["new, MiB", "limit, s", "new / limit"]
    with interpreter(options.old) as old:
        for name in options.only:  # a table for each, as a row may take minutes
            print_table(header, [cells(name, measured(ROWS[name], old, options.runs))])


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="this build beside an older one and PyTorch")
    parser.add_argument("--old", required=True, metavar="FILE", help="the older build: its Python, or a wheel")
    parser.add_argument("--runs", type=positive, default=7, metavar="N", help="of each side; medians are shown (7)")
    parser.add_argument("--threads", type=positive, metavar="N", help="of all sides (all cores)")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    return parser


@contextmanager
def interpreter(old: str) -> Iterator[str]:
    """Give the Python of the older build; of a wheel, of an environment that is made for it."""
    if not old.endswith(".whl"):
        yield old
        return
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", old], check=True)
        yield python


def measured(row: Row, old: str, runs: int) -> dict[str, Spent]:
    """Return the medians of every side, which run in turn; the first round of all warms up and isn't counted."""
    sides = {"old": [old, *row.ours], "new": [sys.executable, *row.ours]}
    if row.theirs:
        sides["PyTorch"] = [sys.executable, *row.theirs]
    rounds = [{name: spent(arguments, row.inside) for name, arguments in sides.items()} for _ in range(runs + 1)][1:]
    return {name: Spent(*map(median, zip(*(one[name] for one in rounds), strict=True))) for name in sides}


def spent(arguments: Sequence[str], inside: bool) -> Spent:
    """Run a process and return what it took, or what it says that its task took; processor time is all of it."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir())
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds, mebibytes = time.perf_counter() - start, usage.ru_maxrss / UNITS
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {child.returncode}")
    if inside:
        seconds, mebibytes, _ = json.loads(said)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, mebibytes)


def cells(name: str, sides: dict[str, Spent]) -> list[str]:
    """Return a row of the table."""
    row, old, new = ROWS[name], sides["old"], sides["new"]
    torch = f"{sides['PyTorch'].seconds / new.seconds:.2f}" if "PyTorch" in sides else "-"
    ratios = [f"{old.seconds / new.seconds:.2f}", f"{old.processor / new.processor:.2f}", torch]
    times = [f"{old.seconds:.3f}", f"{new.seconds:.3f}"]
    bound = limit_seconds(row.limit) if row.limit else None
    limit = ["-", "-"] if bound is None else [f"{bound:.3f}", f"{new.seconds / bound:.1f}"]
    return [name, row.target, *times, *ratios, f"{new.mebibytes:,.0f}", *limit]


# ---- the limit


def limit_seconds(limit: Limit) -> float:
    """Return how long a row's random numbers and products take by themselves, shared out to all threads."""
    from gradcheck.engine.threads import threads

    multiplications, rows = limit.products
    drawn = limit.numbers * seconds_of_a_number(limit.dtype)
    return (drawn + multiplications * seconds_of_a_product(rows, limit.dtype)) / threads()


@cache
def seconds_of_a_number(dtype: str) -> float:
    """Return how long NumPy's fastest generator takes for a normal number, on one thread."""
    import numpy as np

    generator, numbers = np.random.Generator(np.random.SFC64(0)), np.empty(2**16, dtype)
    return quickest(lambda: generator.standard_normal(out=numbers, dtype=numbers.dtype)) / numbers.size


@cache
def seconds_of_a_product(rows: int, dtype: str) -> float:
    """Return how long a multiplication of (rows, rows) with (rows, 4096) takes, with its addition, on one thread."""
    code = f"""
import os
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
import numpy as np
from against import quickest
one, other = np.ones(({rows}, {rows}), "{dtype}"), np.ones(({rows}, 4096), "{dtype}")
print(quickest(lambda: one @ other) / ({rows} * other.size))
"""
    run = [sys.executable, "-c", code]  # a process of its own: BLAS reads its threads as it is imported
    return float(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE).stdout)


def quickest(task: Callable[[], object], runs: int = 50) -> float:
    """Return the least seconds of several runs: of a rate, other work can only take away."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
