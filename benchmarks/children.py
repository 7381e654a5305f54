"""Measurements that need a process of their own: its peak memory is then nobody else's.

A child says what it took as one line of JSON; ``weightless.py`` and ``transformer.py`` start theirs here.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

#: What ru_maxrss counts in, of a MiB: KiB, on a Mac bytes.
UNITS = 2**20 if sys.platform == "darwin" else 2**10

#: PyTorch is left out where it would need more than this part of the memory that is available.
SHARE = 0.8


#: The sides find the same gradient to this many decades, or they don't do the same: they draw different weights.
AGREEMENT = 0.5


class Cost(NamedTuple):
    """What a measurement took, and the number by which the sides are compared.

    Attributes
    ----------
    seconds : float
    mebibytes : float
        Peak memory; in a child beyond that of the imports.
    found : float
        log10 of a gradient.
    """

    seconds: float
    mebibytes: float
    found: float = 0.0


def tell_cost(warm_up: Callable[[], object], task: Callable[[], float]) -> None:
    """In a child, all modules imported: run the task once, and print its cost as JSON."""
    before = largest_memory()
    warm_up()
    start = time.perf_counter()
    found = task()
    print(json.dumps(Cost(time.perf_counter() - start, largest_memory() - before, found)))


def largest_memory() -> float:
    """Return the largest memory of this process so far, MiB; Linux counts into ru_maxrss what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        peaks = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(next(peaks)) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / UNITS


def costs(children: Mapping[str, Sequence[str]], runs: int) -> dict[str, Cost]:
    """Run Python with each child's arguments in turn, A B C A B C …, and return the medians.

    Stop unless all have found the same, as far as draws are alike.
    """
    rounds = [[_cost(arguments) for arguments in children.values()] for _ in range(runs)]
    sides = [Cost(*map(median, zip(*side, strict=True))) for side in zip(*rounds, strict=True)]
    found = [side.found for side in sides]
    if not max(found) - min(found) < AGREEMENT:
        sys.exit(f"{next(iter(children.values()))}: log10 of a gradient differs between the sides: {found}")
    return dict(zip(children, sides, strict=True))


def _cost(arguments: Sequence[str]) -> Cost:
    done = subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return Cost(*json.loads(done.stdout))


def whole_process(arguments: Sequence[str]) -> Cost:
    """Run Python with these arguments, its output thrown away: from start to exit, and all the memory it had."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {child.returncode}")
    return Cost(seconds, usage.ru_maxrss / UNITS)


def found(name: str, *modules: str) -> Any:  # noqa: ANN401
    """Return what the first of these modules that there is calls so: older builds keep things elsewhere."""
    for module in modules[:-1]:
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError:
            pass
    return getattr(import_module(modules[-1]), name)


def available_bytes() -> int:
    """Return how much memory new processes can have (of Linux; elsewhere all that there is)."""
    table = Path("/proc/meminfo")
    if not table.exists():
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    lines = dict(line.split(":", 1) for line in table.read_text().splitlines())
    return 1024 * int(lines["MemAvailable"].split()[0])
