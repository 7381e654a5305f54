"""What recording a training run costs: a step beside the same one recorded, see README.md.

Run it as ``python benchmarks/recorder.py [--runs 15] [--threads N] [--every 1] [--watched] [--processor]``.

The step: a ReLU network of 20 layers, cross-entropy, SGD with momentum. Both sides have networks of their own with the
same weights and the same batch; the clock starts only if their losses agree over three steps, to the last bit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from timeit import timeit
from typing import TYPE_CHECKING

from speed import Task, alternate, positive, prepare_environment, print_table, ratios, repeated, set_threads

if TYPE_CHECKING:
    from gradcheck.torch import Recorder

DEPTH, CLASSES = 20, 10

#: Width and batch.
SIZES = ((128, 64), (512, 256))


def main() -> None:
    """Print one line a size."""
    options = parser().parse_args()
    prepare_environment()
    set_threads(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width, batch in SIZES:
            for updates in (True, False):
                check(width, batch, Path(folder))
                name = f"width {width}, batch {batch}" + ("" if updates else ", without updates")
                times = measured(width, batch, Path(folder), options, updates)
                milliseconds = [f"{1e3 * median(each):.2f}" for each in times.values()]
                rows.append([name, *milliseconds, *ratios(*times.values())])
    title = f"every {options.every}, {options.runs} runs, {options.threads} thread{'s' * (options.threads > 1)}"
    print_table([title, "recorded, ms", "plain, ms", "recorded / plain", "median of pairs"], rows)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="what recording a training run costs")
    parser.add_argument("--runs", type=positive, default=15, metavar="N", help="of each (15)")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="steps from one record to the next (1)")
    parser.add_argument("--watched", action="store_true", help="diagnose on the way, as the callbacks of trainers do")
    parser.add_argument("--processor", action="store_true", help="processor time: other programs make no difference")
    parser.add_argument(
        "--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="of both (all cores)"
    )
    return parser


def measured(
    width: int, batch: int, folder: Path, options: argparse.Namespace, updates: bool
) -> dict[str, list[float]]:
    """Return the seconds of a step, recorded and plain, run in turn."""
    tasks = {
        "recorded": training(width, batch, folder / "run.jsonl", options.every, updates, options.watched),
        "plain": training(width, batch),
    }
    return alternate(tasks, options.runs, processor_time if options.processor else repeated)


def processor_time(task: Task) -> float:
    """Return the mean seconds of processor time of 20 calls, after one to wake up."""
    task()
    return timeit(task, timer=time.process_time, number=20) / 20


def training(
    width: int, batch: int, file: Path | None = None, every: int = 1, updates: bool = True, watched: bool = False
) -> Task:
    """Return a step of training; given a file, a recorded one."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    hidden = [module for _ in range(DEPTH) for module in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(width, CLASSES))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    inputs, labels = torch.randn(batch, width), torch.randint(CLASSES, (batch,))
    recorder = None if file is None else recorder_of(model, file, every, updates, watched)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        if watched:
            recorder.add_loss(loss)
            recorder.record()
            recorder.react()
        elif recorder is not None:
            recorder.step(loss)
        return loss

    return step


def recorder_of(model: object, file: Path, every: int, updates: bool, watched: bool) -> Recorder:
    """Return a recorder of everything that needs no forward hooks, or a watcher."""
    from gradcheck.torch import Recorder
    from gradcheck.torch.recording.watcher import Watcher

    return (Watcher if watched else Recorder)(model, file, every=every, updates=updates, overwrite=True)


def check(width: int, batch: int, folder: Path) -> None:
    """Stop unless recording changes nothing."""
    recorded, plain = training(width, batch, folder / "check.jsonl"), training(width, batch)
    for _ in range(3):
        left, right = recorded().item(), plain().item()
        if left != right:
            sys.exit(f"recorder.py: the losses differ: {left!r}, {right!r}")


if __name__ == "__main__":
    main()
