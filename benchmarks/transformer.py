"""GPT-2 small at initialisation beside PyTorch: the same numbers, the same law, seconds and peak memory; see README.md.

Run it as ``python benchmarks/transformer.py [--runs 3] [--draws 20] [--only numbers|law|cost]``.

12 blocks, 2 sequences of 32 tokens, all matrices N(0, 0.02²), those that write to the stream times 1/√24, the read-out
tied, no biases (they start at zero). PyTorch's transformer is written by hand. Each weight gradient is let go as soon
as its norm is known, and none is taken of the embedding at the input, on either side.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from children import costs, tell_cost
from speed import positive, prepare_environment, print_table, set_threads

if TYPE_CHECKING:
    from torch import Tensor
    from torch_transformer import Weights

    from gradcheck.flow.gradient_flow import GradientFlow
    from gradcheck.simulation.experiment import Experiment

BLOCKS, TOKENS, SEQUENCES = 12, 32, 2
POINTS = ("attention", "mlp", "residual")
SIDES = ("weightless", "dense", "PyTorch")

#: Largest relative difference between the two sides' numbers from the same weights, float64.
BOUND = 1e-9


def main() -> None:
    """Measure what was asked for and print one table for each."""
    options = parser().parse_args()
    prepare_environment()
    if options.threads:
        set_threads(options.threads)
    if options.side:
        one_side(options.side)
        return
    if options.only in (None, "cost"):  # first: a child's memory starts from no less than its parent's, small still
        print_cost(options.runs)
    share_threads()
    if options.only in (None, "numbers"):
        print_numbers()
    if options.only in (None, "law"):
        print_law(options.draws)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="GPT-2 small beside PyTorch")
    parser.add_argument("--runs", type=positive, default=3, metavar="N", help="of each cost; medians are shown (3)")
    parser.add_argument("--draws", type=positive, default=20, metavar="N", help="of each side's law (20)")
    parser.add_argument("--only", choices=["numbers", "law", "cost"], help="measure one of the three (all)")
    parser.add_argument("--threads", type=positive, metavar="N", help="of both sides (all cores)")
    side = "measure one side in this process: seconds, MiB and a gradient as JSON"
    parser.add_argument("--side", choices=SIDES, help=side)
    return parser


def share_threads() -> None:
    """Give the engine and PyTorch, in one process, as many threads each."""
    from gradcheck.engine.threads import settle_threads, threads

    settle_threads()
    import torch

    torch.set_num_threads(threads())


# ---- gradcheck's side


def experiment(layers: str, dtype: str) -> Experiment:
    """Return GPT-2 small and its data, the shipped text byte by byte."""
    from gradcheck.simulation.experiment import Experiment

    options = {"batch_size": SEQUENCES, "tokens": TOKENS, "layers": layers, "dtype": dtype}
    return Experiment.from_options({"preset": "gpt2", **options})


def our_flow(layers: str, dtype: str, seed: int) -> GradientFlow:
    """Draw the transformer, pass the batch forward and back, and measure."""
    from gradcheck.engine.loss import loss_of
    from gradcheck.flow.gradient_flow import measure

    ours = experiment(layers, dtype)
    inputs, labels = ours.batch(0)
    stack, start = ours.draw(seed).unrolled(inputs)
    return measure(stack, start, loss_of(labels))


def torch_given(ours: Experiment) -> Weights:
    """Return the weights that gradcheck's seed 0 draws, float64."""
    import torch
    from torch_transformer import Weights

    inputs, _ = ours.batch(0)
    stack, start = ours.draw(0).unrolled(inputs)
    embedding = stack.readout.weight.T
    sublayers = [stack.sublayer(number) for number in range(1, 2 * BLOCKS + 1)]
    maps = [torch.from_numpy(one.weight) for sublayer in sublayers for one in sublayer.branch.maps]
    positions = start[:TOKENS] - embedding[inputs[0]]
    return Weights(torch.from_numpy(embedding), torch.from_numpy(positions), maps)


def torch_batch() -> tuple[Tensor, Tensor]:
    """Return the same batch as gradcheck's."""
    import torch

    inputs, labels = experiment("dense", "float64").batch(0)
    return torch.from_numpy(inputs.copy()), torch.from_numpy(labels.copy())


# ---- beside each other


def print_numbers() -> None:
    """Compare every number of both sides from the same weights, float64; stop if they differ."""
    import torch_transformer

    flow = our_flow("dense", "float64", 0)
    theirs = torch_transformer.measured(torch_given(experiment("dense", "float64")), *torch_batch())
    norms = flow.column("log10_weight_gradient_norm").reshape(BLOCKS, len(POINTS))[:, :2].ravel()  # the stream has none
    *of_maps, of_readout = theirs.norms
    pairs = {
        "activation rms, 36 flow points": (flow.column("log10_activation_rms"), theirs.activations),
        "gradient rms, 36 flow points": (flow.column("log10_gradient_rms"), theirs.gradients),
        "weight gradient norm, 24 branches": (norms, joint(of_maps)),
        "weight gradient norm, read-out": ([flow.output.log10_weight_gradient_norm], [of_readout]),
    }
    errors = {name: largest_error(*pair) for name, pair in pairs.items()}
    rows = [[name, f"{error:.1e}"] for name, error in errors.items()]
    print_table(["the same weights, dense, float64", "largest relative error"], rows)
    if not max(errors.values()) < BOUND:
        sys.exit(f"transformer.py: the sides differ by more than {BOUND:.0e}")


def joint(norms: list[float]) -> list[float]:
    """Return log10 of the norm of each branch's two matrices, given log10 of each one's."""
    return [0.5 * math.log10(100**one + 100**other) for one, other in zip(norms[::2], norms[1::2], strict=True)]


def largest_error(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the largest relative difference of numbers that are given as log10."""
    return max(abs(math.expm1(math.log(10) * (one - other))) for one, other in zip(ours, theirs, strict=True))


def print_law(draws: int) -> None:
    """Compare the mean log10 gradient of weightless draws with that of PyTorch's, at each flow point."""
    import numpy as np
    from torch_transformer import drawn, measured

    batch = torch_batch()
    ours = np.array([our_flow("weightless", "float32", seed).column("log10_gradient_rms") for seed in range(draws)])
    theirs = np.array([measured(drawn(seed), *batch).gradients for seed in range(draws)])
    error = np.sqrt((ours.var(0, ddof=1) + theirs.var(0, ddof=1)) / draws)
    apart = np.abs(ours.mean(0) - theirs.mean(0)) / error
    rows = []
    for index, point in enumerate(POINTS):
        of = slice(index, None, len(POINTS))  # one a block
        means = [f"{side.mean(0)[of][block]:.3f}" for block in (0, -1) for side in (ours, theirs)]
        rows.append([point, *means, f"{apart[of].max():.2f}", f"{(apart[of] > 3).sum()} of {BLOCKS}"])
    rows.append(["all", *[""] * 4, f"{apart.max():.2f}", f"{(apart > 3).sum()} of {apart.size}"])
    header = [
        f"mean log10 gradient rms, {draws} draws",
        *("first block, ours", "PyTorch", "last block, ours", "PyTorch"),
    ]
    print_table([*header, "largest difference, standard errors", "beyond 3"], rows)


def print_cost(runs: int) -> None:
    """Compare seconds and peak memory, float32, each pass in a process of its own."""
    found = costs({side: [__file__, "--side", side] for side in SIDES}, runs)
    rows = []
    for side, cost in found.items():
        ratios = [f"{theirs / own:.2f}" for theirs, own in zip(found["PyTorch"][:2], cost[:2], strict=True)]
        rows.append([side, f"{cost.seconds:.3f}", ratios[0], f"{cost.mebibytes:,.0f}", ratios[1]])
    print_table([f"float32, {runs} runs", "seconds", "PyTorch / it", "MiB", "PyTorch / it"], rows)


def one_side(side: str) -> None:
    """Measure one pass in this process, and print its cost."""
    if side == "PyTorch":
        from torch_transformer import drawn, measured, warm_up

        batch = torch_batch()
        tell_cost(warm_up, lambda: measured(drawn(0), *batch).gradients[0])
        return
    from gradcheck.engine.threads import settle_threads

    settle_threads()
    from gradcheck import simulate

    def small() -> object:
        return simulate(arch="transformer", blocks=1, model_width=64, heads=4, layers=side, dtype="float32")

    tell_cost(small, lambda: our_flow(side, "float32", 0).layers[0].log10_gradient_rms)


if __name__ == "__main__":
    main()
