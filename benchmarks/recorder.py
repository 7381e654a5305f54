"""What recording a training run costs: a step beside the same one recorded, see README.md.

Run it as ``python benchmarks/recorder.py [--runs 15] [--threads N] [--every 1] [--watched] [--processor]``, and
``--widths 128`` for the small network alone; ``--builds`` says how often both are built anew.

The step: a ReLU network of 20 layers, cross-entropy, SGD with momentum. Both sides have networks of their own with the
same weights and the same batch; the clock starts only if their losses agree over three steps, to the last bit.

Both are trained in one process, a few steps in turn, so that whatever else the machine does slows both alike. Where in
memory a network lies makes a difference of up to 1.5 %: both are built several times, each first as often as second. A
run is 50 steps of each: in these a recorder does all that it does, weights and updates once; the ratio of a run is that
of the two sums. Diagnoses, which are rare, are timed by themselves: their share is all their time over all steps, from
the first one on. What is printed is the median of the runs' ratios and that share together, with the interval in which
it is with 95 % probability.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from speed import Task, positive, prepare_environment, print_table, set_threads

if TYPE_CHECKING:
    from gradcheck.torch import Recorder

DEPTH, CLASSES = 20, 10

#: Width ↦ batch.
BATCHES = {128: 64, 512: 256}

#: Steps of a run, and those that one side takes before it is the other one's turn.
RUN, TURN = 50, 5


def main() -> None:
    """Print one line a size."""
    options = parser().parse_args()
    prepare_environment()
    set_threads(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width in options.widths:
            for updates in (True, False):
                check(width, Path(folder))
                name = f"width {width}, batch {BATCHES[width]}" + ("" if updates else ", without updates")
                rows.append([name, *measured(width, Path(folder), options, updates).columns()])
    threads = f"{options.threads} thread{'s' * (options.threads > 1)}"
    title = f"every {options.every}, {options.builds} × {options.runs} runs, {threads}"
    print_table([title, "plain, ms", "recorded / plain", "95 % of runs' median", "of it diagnoses"], rows)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="what recording a training run costs")
    parser.add_argument("--runs", type=positive, default=15, metavar="N", help=f"of {RUN} steps of each side (15)")
    parser.add_argument("--builds", type=positive, default=4, metavar="N", help="so often both are built anew (4)")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="steps from one record to the next (1)")
    parser.add_argument("--watched", action="store_true", help="diagnose on the way, as the callbacks of trainers do")
    parser.add_argument("--processor", action="store_true", help="processor time: other programs make less difference")
    parser.add_argument("--widths", type=int, nargs="+", choices=BATCHES, default=list(BATCHES), help="(both)")
    parser.add_argument(
        "--threads", type=positive, default=os.cpu_count() or 1, metavar="N", help="of both (all cores)"
    )
    return parser


@dataclass
class Times:
    """Seconds of each run, and of all diagnoses; how many steps there were in all."""

    clock: Callable[[], float]
    recorded: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    diagnoses: float = 0.0
    steps: int = 0

    def columns(self) -> list[str]:
        """Return what is printed."""
        ratios = sorted(one / other for one, other in zip(self.recorded, self.plain, strict=True))
        step = median(self.plain) / RUN
        share = self.diagnoses / self.steps / step
        beside = max(0, math.floor(len(ratios) / 2 - 0.98 * math.sqrt(len(ratios))))  # binomial
        low, high = ratios[beside] + share, ratios[-1 - beside] + share
        return [f"{1e3 * step:.2f}", f"{median(ratios) + share:.3f}", f"{low:.3f} to {high:.3f}", f"{share:.4f}"]


def measured(width: int, folder: Path, options: argparse.Namespace, updates: bool) -> Times:
    """Return the times of both sides, built several times."""
    times = Times(time.process_time if options.processor else time.perf_counter)
    recorder = [folder / "run.jsonl", options.every, updates, options.watched]
    for build in range(options.builds):
        sides: dict[bool, Task] = {}
        for recorded in (True, False) if build % 2 else (False, True):
            sides[recorded] = training(width, *recorder, times=times) if recorded else training(width)
        add_runs(times, sides[True], sides[False], options.runs)
    return times


def add_runs(times: Times, recorded: Task, plain: Task, runs: int) -> None:
    """Train both sides in turn; the first run of each warms up, but for its diagnoses."""
    for run in range(runs + 1):
        sums = [0.0, 0.0]
        for turn in range(RUN // TURN):
            order = (0, 1) if turn % 2 else (1, 0)
            for side in order:
                sums[side] += seconds((recorded, plain)[side], times, alone=side == 1)
        times.steps += RUN
        if run:
            times.recorded.append(sums[0])
            times.plain.append(sums[1])


def seconds(task: Task, times: Times, *, alone: bool) -> float:
    """Return the seconds of a turn, without those of diagnoses in it."""
    with no_hooks() if alone else nothing():
        before, begin = times.diagnoses, times.clock()
        for _ in range(TURN):
            task()
        return times.clock() - begin - (times.diagnoses - before)


@contextmanager
def no_hooks() -> Iterator[None]:
    """Leave out the hooks that the recorder has for the steps of all optimizers: the plain side has none."""
    from torch.optim.optimizer import _global_optimizer_pre_hooks as hooks

    kept = dict(hooks)
    hooks.clear()
    try:
        yield
    finally:
        hooks.update(kept)


@contextmanager
def nothing() -> Iterator[None]:
    """Leave all as it is."""
    yield


def training(
    width: int,
    file: Path | None = None,
    every: int = 1,
    updates: bool = True,
    watched: bool = False,
    *,
    times: Times | None = None,
) -> Task:
    """Return a step of training; given a file, a recorded one."""
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    hidden = [module for _ in range(DEPTH) for module in (nn.Linear(width, width), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(width, CLASSES))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    inputs, labels = torch.randn(BATCHES[width], width), torch.randint(CLASSES, (BATCHES[width],))
    recorder = None if file is None else recorder_of(model, file, every, updates, watched)
    if watched and times is not None:
        recorder._watch.diagnose = timed(recorder._watch.diagnose, times)

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


def timed(diagnose: Callable[[], Any], times: Times) -> Callable[[], Any]:
    """Return what diagnoses, and adds its seconds."""

    def call() -> object:
        begin = times.clock()
        found = diagnose()
        times.diagnoses += times.clock() - begin
        return found

    return call


def check(width: int, folder: Path) -> None:
    """Stop unless recording changes nothing."""
    recorded, plain = training(width, folder / "check.jsonl"), training(width)
    for _ in range(3):
        left, right = recorded().item(), plain().item()
        if left != right:
            sys.exit(f"recorder.py: the losses differ: {left!r}, {right!r}")


if __name__ == "__main__":
    main()
