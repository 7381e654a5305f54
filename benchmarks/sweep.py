"""A sweep of 432 simulations: one worker, two workers, and a loop in PyTorch; see README.md.

Run it as ``python benchmarks/sweep.py [--depth 50] [--rounds 3]``. Starting processes and importing is not counted.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # set on some machines, where they slow NumPy's BLAS
    os.environ.pop(variable, None)

from gradcheck.spec.grid import Grid  # noqa: E402
from gradcheck.sweep.rows import Task, measure_row, rows  # noqa: E402
from gradcheck.sweep.workers import Workers  # noqa: E402

GRID: dict[str, Any] = {
    "activation": ["sigmoid", "tanh", "relu", "gelu", "silu", "selu"],
    "init": ["xavier", "he", "lecun", "orthogonal"],
    "norm": ["none", "layer", "batch"],
    "residual": [False, True],
}
SEEDS = 3


def main() -> None:
    """Measure all three, in turn, and print the table."""
    parser = argparse.ArgumentParser(description="A sweep of 432 simulations beside a loop in PyTorch")
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-torch", action="store_true", help="run the loop in PyTorch once, and print nothing")
    options = parser.parse_args()
    grid = Grid({"depth": options.depth, **GRID})
    if options.only_torch:
        torch_loop(grid)
        return
    with ready_workers(1) as one, ready_workers(2) as two:
        sides: dict[str, Callable[[], object]] = {
            "one worker": lambda: swept(grid, one, 1),
            "two workers": lambda: swept(grid, two, 2),
            "PyTorch loop": lambda: torch_loop(grid),
        }
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, side in sides.items():
                seconds[name].append(timed(side))
    print(f"{len(grid) * SEEDS} simulations, depth {options.depth}; medians of {options.rounds} alternating rounds")
    base = median(seconds["one worker"])
    for name, times in seconds.items():
        print(f"{name:<14} {median(times):7.2f} s   {median(times) / base:5.2f} x one worker")


@contextmanager
def ready_workers(count: int) -> Iterator[Workers]:
    """Give worker processes that have imported everything and measured a row."""
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1"))
    workers = Workers(count)
    for future in [workers.submit(measure_row, Task(0, {"depth": 20}, {})) for _ in range(4 * count)]:
        future.result()
    yield workers
    workers.shutdown()


def swept(grid: Grid, workers: Workers, count: int) -> int:
    """Measure the grid on the workers; return the number of rows."""
    tasks = (Task(index, options, {"seeds": SEEDS}) for index, options in enumerate(grid))
    finished = list(rows(tasks, workers, 2 * count))
    assert all(row["error"] is None for row in finished)
    return len(finished)


def torch_loop(grid: Grid) -> int:
    """Measure the same networks in PyTorch, in this process."""
    import torch
    from torch_sweep import simulate

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(os.cpu_count() or 1)
    return sum(len(simulate(options, seed)) for options in grid for seed in range(SEEDS))


def timed(side: Callable[[], object]) -> float:
    """Return the seconds that a side takes."""
    start = time.perf_counter()
    side()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
