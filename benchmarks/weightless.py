"""Layers without matrices beside stored ones and beside PyTorch: seconds and peak memory; see README.md.

Run it as ``python benchmarks/weightless.py [--runs 3] [--only table|curves|deep] [--plot FILE]``.

One pass draws a tanh network with Xavier weights, float32, goes forward and back. gradcheck takes every measurement of
every layer, PyTorch eager the norms of ∂𝓛/∂z and ∂𝓛/∂W, each gradient let go as soon as its norm is known, which
spares it a second copy of all weights. Each pass has a process of its own. The clock starts after a small pass to warm
up; memory is the peak beyond that of the imports. Each side takes all cores, or as many as ``--threads`` says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from children import SHARE, Cost, available_bytes, costs, found, tell_cost, whole_process
from speed import FEATURES, OUTPUTS, positive, prepare_environment, print_table, set_threads

#: Of the curves.
WIDTHS, DEPTHS = (1024, 2048, 4096, 8192, 16384), (10, 30, 100, 300, 1000)
DEPTH, WIDTH, BATCH = 50, 4096, 32

#: Of the table; --side takes also what gradcheck chooses by itself, auto.
SIDES = ("weightless", "dense", "PyTorch")

#: Whole processes.
DEEP = ["--depth", "1000", "--width", "4096", "--activation", "tanh", "--init", "xavier", "--batch-size", "32"]
COMMANDS = {
    "simulate, 1,000 layers of 4,096, float64": ["-m", "gradcheck", "simulate", *DEEP, "--json"],
    "simulate --preset gpt3, float64": ["-m", "gradcheck", "simulate", "--preset", "gpt3", "--json"],
    "import numpy, typer": ["-c", "import numpy, typer"],
}


class Shape(NamedTuple):
    """A network and its batch."""

    width: int
    depth: int
    batch: int

    def __str__(self) -> str:
        return f"{self.depth} x {self.width}, batch {self.batch}"

    @property
    def widths(self) -> tuple[int, ...]:
        """Units, from the input to the read-out."""
        return (FEATURES, *[self.width] * self.depth, OUTPUTS)

    @property
    def torch_bytes(self) -> int:
        """Bytes that PyTorch holds at once: the weights, two layers' gradients, three arrays a layer."""
        weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(self.widths))
        return 4 * (weights + 2 * self.width**2 + 3 * self.batch * self.width * self.depth)


#: Of each shape what each side took.
Table = dict[Shape, dict[str, Cost]]


def main() -> None:
    """Measure what was asked for and print one table for each."""
    options = parser().parse_args()
    prepare_environment()
    if options.threads:
        set_threads(options.threads)
    if options.side:
        one_side(options.side, Shape(options.widths[0], options.depth, options.batches[0]))
        return
    if options.only in (None, "table"):
        shapes = [Shape(width, options.depth, batch) for batch in options.batches for width in options.widths]
        print_costs(f"float32, {options.runs} runs", measured(shapes, options.runs))
    if options.only in (None, "curves"):
        print_curves(options.runs, options.plot)
    if options.only in (None, "deep"):
        print_commands(options.runs)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="layers without matrices beside stored ones")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="of each; medians are shown (3)")
    widths = [256, 1024, 4096, 16384]
    parser.add_argument("--widths", type=positive, nargs="+", default=widths, metavar="N", help="of the table")
    parser.add_argument("--depth", type=positive, default=DEPTH, metavar="N", help=f"of the table ({DEPTH})")
    parser.add_argument("--batches", type=positive, nargs="+", default=[32, 64], metavar="N", help="of the table")
    parser.add_argument("--only", choices=["table", "curves", "deep"], help="measure one of the three (all)")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves as an SVG")
    parser.add_argument("--threads", type=positive, metavar="N", help="of both sides (all cores)")
    side = "measure one side in this process, at the first width and batch: seconds, MiB and a gradient as JSON"
    parser.add_argument("--side", choices=[*SIDES, "auto"], help=side)
    return parser


# ---- one side, in a process of its own


def one_side(side: str, shape: Shape) -> None:
    """Measure one pass in this process, and print its cost."""
    prepare = their_pass if side == "PyTorch" else partial(our_pass, side)
    small = prepare(shape._replace(width=min(128, shape.width), depth=2))
    tell_cost(small, prepare(shape))


def our_pass(layers: str, shape: Shape) -> Callable[[], float]:
    """Return gradcheck's pass, all that it measures; of it log10 of the first layer's gradient."""
    found("settle_threads", "gradcheck.engine.threads", "gradcheck.threads")()
    import numpy as np

    from gradcheck.engine.loss import mean_square
    from gradcheck.spec import NetworkSpec

    draw = found("drawn_network", "gradcheck.families", "gradcheck.networks")
    measure = found("measure", "gradcheck.flow.gradient_flow", "gradcheck.flow")
    spec = NetworkSpec(depth=shape.depth, width=shape.width, activation="tanh", init="xavier")
    if layers == "auto":
        choose = found("chosen_layers", "gradcheck.spec.representation", "gradcheck.layer_choice")
        layers = choose("auto", spec, shape.batch)
    inputs = np.random.default_rng(0).standard_normal((shape.batch, FEATURES), "float32")

    def step() -> float:
        return (
            measure(draw(spec, FEATURES, OUTPUTS, 0, "float32", layers), inputs, mean_square)
            .layers[0]
            .log10_gradient_rms
        )

    return step


def their_pass(shape: Shape) -> Callable[[], float]:
    """Return PyTorch's pass; of it log10 of the first layer's gradient."""
    import torch
    from torch.linalg import vector_norm

    inputs = torch.randn(shape.batch, FEATURES)

    def step() -> float:
        sizes: list[torch.Tensor] = []  # of ∂𝓛/∂z, last layer to first
        norms: list[torch.Tensor] = []

        def drop(weight: torch.Tensor) -> None:
            norms.append(vector_norm(weight.grad))
            weight.grad = None

        x, z = inputs, inputs
        for fan_in, fan_out in pairwise(shape.widths):
            weight = torch.nn.init.xavier_normal_(torch.empty(fan_out, fan_in)).requires_grad_()
            weight.register_post_accumulate_grad_hook(drop)
            z = torch.nn.functional.linear(x, weight)
            z.register_hook(lambda gradient: sizes.append(vector_norm(gradient) / gradient.numel() ** 0.5))
            x = torch.tanh(z)
        z.square().mean().backward()  # the last z are the logits
        logarithms = torch.stack(sizes + norms).log10().tolist()
        return logarithms[len(sizes) - 1]

    return step


# ---- all sides


def measured(shapes: Sequence[Shape], runs: int, sides: Sequence[str] = SIDES) -> Table:
    """Return the medians of every side, without PyTorch and the stored matrices where PyTorch has no room."""
    table = {}
    for shape in shapes:
        fits = shape.torch_bytes < SHARE * available_bytes()
        numbers = "--widths {} --depth {} --batches {}".format(*shape).split()
        there = [side for side in sides if fits or side == "weightless"]
        children = {side: [__file__, "--side", side, *numbers] for side in there}
        table[shape] = costs(children, runs)
    return table


def print_costs(title: str, table: Table) -> None:
    """Print a line a shape, and below it why PyTorch is missing where it is."""
    names = [side for side in SIDES if any(side in sides for sides in table.values())]
    header = [title]
    for unit in ("s", "MiB"):
        header += [*(f"{name}, {unit}" for name in names), "PyTorch / weightless"]
    print_table(header, [[str(shape), *cells(sides, names)] for shape, sides in table.items()])
    for shape, sides in table.items():
        if "PyTorch" not in sides:
            needed, there = shape.torch_bytes / 1e9, available_bytes() / 1e9
            print(f"{shape}: PyTorch would hold {needed:.0f} GB; {SHARE:.0%} of {there:.0f} GB may be taken")
    print(flush=True)


def cells(sides: dict[str, Cost], names: Sequence[str]) -> list[str]:
    """Return a line's numbers: every side's seconds and their ratio, every side's memory and its ratio."""
    row = []
    for part, form in (("seconds", "{:.3f}"), ("mebibytes", "{:,.0f}")):
        numbers = {name: getattr(cost, part) for name, cost in sides.items()}
        row += [form.format(numbers[name]) if name in numbers else "-" for name in names]
        row.append(f"{numbers['PyTorch'] / numbers['weightless']:.1f}" if "PyTorch" in numbers else "-")
    return row


def print_curves(runs: int, file: str | None) -> None:
    """Measure the cost against width and against depth, print both tables, and draw them if there is a file."""
    shapes = {"width": [Shape(width, DEPTH, BATCH) for width in WIDTHS]}
    shapes["depth"] = [Shape(WIDTH, depth, BATCH) for depth in DEPTHS]
    tables = {axis: measured(some, runs, ("weightless", "PyTorch")) for axis, some in shapes.items()}
    for axis, table in tables.items():
        print_costs(f"against {axis}, float32, {runs} runs", table)
    if file:
        draw(tables, file)


def draw(tables: dict[str, Table], file: str) -> None:
    """Draw seconds against width and against depth, both axes logarithmic."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        sys.exit("weightless.py: --plot draws with matplotlib; pip install matplotlib")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "gradcheck", "font.family": "sans-serif"}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    titles = {"width": f"depth {DEPTH}, batch {BATCH}", "depth": f"width {WIDTH}, batch {BATCH}"}
    for axes, (axis, table) in zip(figure.subplots(1, 2, sharey=True), tables.items(), strict=True):
        for name, marker, label in (("PyTorch", "s", "PyTorch"), ("weightless", "o", "gradcheck, weightless")):
            points = [(getattr(shape, axis), sides[name].seconds) for shape, sides in table.items() if name in sides]
            axes.loglog(*zip(*points, strict=True), marker=marker, label=label)
        ticks = [getattr(shape, axis) for shape in table]
        axes.set_xticks(ticks, list(map(str, ticks)))
        axes.minorticks_off()
        axes.set(title=titles[axis], xlabel=axis)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("seconds: draw, forward, backward")
    figure.axes[0].legend()
    figure.savefig(file, metadata={"Date": None, "Creator": None})


def print_commands(runs: int) -> None:
    """Measure whole processes, from start to exit."""
    rounds = [[whole_process(arguments) for arguments in COMMANDS.values()] for _ in range(runs)]
    rows = []
    for name, some in zip(COMMANDS, zip(*rounds, strict=True), strict=True):
        seconds, mebibytes, _ = map(median, zip(*some, strict=True))
        rows.append([name, f"{seconds:.2f}", f"{mebibytes:,.0f}"])
    print_table([f"process, {runs} runs", "seconds", "peak MiB"], rows)


if __name__ == "__main__":
    main()
