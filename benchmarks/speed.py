"""gradcheck's speed beside PyTorch's: the command as a process, and the engine; see README.md.

Run it as ``python benchmarks/speed.py [--runs 9] [--threads N] [--only process|engine]``.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from timeit import timeit
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # NumPy and PyTorch read the environment as they are imported: it is prepared first
    import numpy.typing as npt

    from gradcheck.engine.linear import Dense
    from gradcheck.engine.types import Array

DEPTH, FEATURES, OUTPUTS, BATCH = 50, 64, 10, 64
WIDTHS, RTOL = (128, 256, 1024), {"float64": 1e-9, "float32": 1e-3}

COMMANDS = {
    "gradcheck simulate": ["-m", "gradcheck", "simulate", "--depth", "50", "--json"],
    "PyTorch script": [str(Path(__file__).with_name("torch_simulate.py"))],
    "import numpy, typer": ["-c", "import numpy, typer"],
}

THEORY = {"gradcheck theory": ["-m", "gradcheck", "theory"], "import numpy, typer": ["-c", "import numpy, typer"]}

#: Seconds that a run of the engine lasts at least (a short pass is repeated), and that the machine rests
#: before it, as the threads of the run before spin on for a while.
RUN, REST = 0.2, 0.1

#: A task takes no argument; what it returns is looked at in the check only.
Task = Callable[[], object]


def main() -> None:
    """Measure what was asked for and print one table for each."""
    options = parser().parse_args()
    prepare_environment()
    if options.threads:
        set_threads(options.threads)
    if options.only != "engine":
        print_processes(options.runs, COMMANDS)
        print_processes(options.runs, THEORY)
    if options.only != "process":
        set_threads(options.threads or os.cpu_count() or 1)
        print_engine(options.runs)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="gradcheck's speed beside PyTorch's")
    parser.add_argument("--runs", type=positive, default=9, metavar="N", help="of each; fewer than 7 tell little (9)")
    threads = "of both sides (engine: all cores; process: what each takes by itself)"
    parser.add_argument("--threads", type=positive, metavar="N", help=threads)
    parser.add_argument("--only", choices=["process", "engine"], help="measure one of the two (both)")
    return parser


def positive(text: str) -> int:
    """Return a whole number from 1."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def prepare_environment() -> None:
    """Clear what would distort the times, here and in child processes."""
    # On some machines these two slow NumPy's BLAS; both go, as neither is meant to stand without the other.
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    # An installed package runs from its bytecode, which the warm-up writes.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def set_threads(threads: int) -> None:
    """Give NumPy's BLAS and PyTorch as many threads, here (if not imported yet) and in child processes."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def print_processes(runs: int, commands: Mapping[str, Sequence[str]]) -> None:
    """Compare the first command, a whole process, with the others: a PyTorch script, bare imports."""
    times = alternate({name: process(arguments) for name, arguments in commands.items()}, runs, stopwatch)
    ours, *_ = times.values()
    rows = [[name, f"{median(others):.3f}", *ratios(ours, others)] for name, others in times.items()]
    print_table([f"process, {runs} runs", "seconds", "gradcheck / it", "median of pairs"], rows)


def process(arguments: Sequence[str]) -> Task:
    """Return the task of running Python as a process, its output thrown away."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def print_engine(runs: int) -> None:
    """Compare forward, backward and every layer's gradient norms with PyTorch eager."""
    rows = []
    for dtype, width in product(RTOL, WIDTHS):
        work = Work.drawn(width, dtype)
        tasks = {"ours": ours(work), "torch": theirs(work)}
        check(*tasks.values(), RTOL[dtype])
        times = alternate(tasks, runs, repeated)
        milliseconds = [f"{1e3 * median(each):.2f}" for each in times.values()]
        rows.append([f"{dtype} {DEPTH} x {width}", *milliseconds, *ratios(*times.values())])
    title = f"engine, {runs} runs, {os.environ['OMP_NUM_THREADS']} threads"
    print_table([title, "ours, ms", "PyTorch, ms", "ours / PyTorch", "median of pairs"], rows)


class Work(NamedTuple):
    """What both sides are given: the linear maps, first to read-out, and one batch."""

    maps: list[Dense]
    inputs: Array
    labels: npt.NDArray

    @classmethod
    def drawn(cls, width: int, dtype: str) -> Work:
        """Draw Xavier weights, Gaussian inputs and labels."""
        import numpy as np

        from gradcheck.engine.initializers import Law
        from gradcheck.engine.network import drawn_maps

        generator = np.random.default_rng(0)
        linear = drawn_maps(Law("xavier"), (FEATURES, *[width] * DEPTH, OUTPUTS), 0, dtype)
        inputs = generator.standard_normal((BATCH, FEATURES)).astype(dtype)
        return cls([linear(layer + 1) for layer in range(DEPTH + 1)], inputs, generator.integers(0, OUTPUTS, BATCH))


def ours(work: Work) -> Task:
    """Return a pass through gradcheck's engine: log10 of all δ's rms, then of all weight gradients' norms."""
    from gradcheck.engine.layered import backward
    from gradcheck.engine.linear import log10_weight_gradient_norm
    from gradcheck.engine.loss import cross_entropy
    from gradcheck.engine.magnitude import log10_rms, rescaled
    from gradcheck.engine.network import build, given_maps
    from gradcheck.spec import NetworkSpec

    width, dtype = work.maps[0].weight.shape[1], work.inputs.dtype.name
    widths, spec = (FEATURES, *[width] * DEPTH, OUTPUTS), NetworkSpec(depth=DEPTH, width=width)
    network, loss = build(spec, widths, given_maps(work.maps, dtype)), cross_entropy(work.labels)

    def step() -> list[float]:
        passes, x = [], work.inputs
        for layer in range(DEPTH):
            passes.append(network.hidden(layer + 1)(x))
            x = passes[-1].output
        logits, through_readout = network.readout(x)
        at_logits = rescaled(loss(logits)[1])
        at_x = rescaled(through_readout(at_logits.mantissa), at_logits.exponent)
        sizes, norms = [], [log10_weight_gradient_norm(rescaled(x), at_logits)]
        for back in backward(passes, at_x):
            sizes.append(log10_rms(back.at_z))
            norms.extend(log10_weight_gradient_norm(*product) for product in back.products)
        return sizes[::-1] + norms[::-1]

    return step


def theirs(work: Work) -> Task:
    """Return the same pass in PyTorch eager."""
    import torch
    from torch.nn.functional import cross_entropy, linear

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    weights = [torch.from_numpy(one.weight.T.copy()).requires_grad_() for one in work.maps]
    inputs, labels = torch.from_numpy(work.inputs), torch.from_numpy(work.labels)
    # 50 sigmoid layers lose more than float32 can square: the loss is scaled, as in mixed-precision training
    log2_scale = 60 if inputs.dtype == torch.float32 else 0
    scale = torch.tensor(2.0**log2_scale, dtype=inputs.dtype)
    entries = torch.tensor([BATCH * one.weight.shape[1] for one in work.maps[:-1]], dtype=inputs.dtype)
    roots = torch.cat([entries.sqrt(), torch.ones(DEPTH + 1, dtype=inputs.dtype)])  # of δ the rms, not the norm
    offset = log2_scale * math.log10(2)

    def step() -> torch.Tensor:
        preactivations, x = [], inputs
        for weight in weights[:-1]:
            preactivations.append(linear(x, weight))
            x = torch.sigmoid(preactivations[-1])
        loss = cross_entropy(linear(x, weights[-1]), labels)
        gradients = torch.autograd.grad(loss, [*preactivations, *weights], scale)
        return (torch.stack(torch._foreach_norm(gradients)) / roots).log10() - offset

    return step


def check(ours: Task, theirs: Task, rtol: float) -> None:
    """Stop unless both sides return the same logarithms, to `rtol` in the numbers themselves."""
    import numpy as np

    difference = np.abs(np.asarray(ours()) - np.asarray(theirs())).max() * math.log(10)
    if not difference < rtol:
        sys.exit(f"speed.py: the engine and PyTorch differ by {difference:.1e}; allowed: {rtol:.0e}")


def alternate(tasks: Mapping[str, Task], runs: int, seconds: Callable[[Task], float]) -> dict[str, list[float]]:
    """Time the tasks in turn, A B C A B C …, after one call of each to warm up."""
    for task in tasks.values():
        task()
    rounds = [[seconds(task) for task in tasks.values()] for _ in range(runs)]
    return dict(zip(tasks, map(list, zip(*rounds, strict=True)), strict=True))


def stopwatch(task: Task) -> float:
    """Return the seconds that one call takes."""
    return timeit(task, number=1)


def repeated(task: Task) -> float:
    """Return the mean seconds of as many calls as fill a run, after a rest and one call to wake up."""
    time.sleep(REST)
    repeats = math.ceil(RUN / stopwatch(task))
    return timeit(task, number=repeats) / repeats


def ratios(ours: Sequence[float], others: Sequence[float]) -> list[str]:
    """Return the ratio of the medians, and the median of the ratios of neighbouring runs."""
    pairs = [one / other for one, other in zip(ours, others, strict=True)]
    return [f"{median(ours) / median(others):.2f}", f"{median(pairs):.2f}"]


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for first, *others in lines:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]))
    print(flush=True)


if __name__ == "__main__":
    main()
