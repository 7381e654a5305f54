"""Transformers: what theory predicts beside what weightless draws have, at each flow point; see README.md.

Run it as ``python benchmarks/transformer_theory.py [--width 1024] [--blocks 24] [--draws 20] [--tokens 32]``, with
``--only pre`` (post, both, none) for one placement and ``--activation gelu`` for one activation.

One text, so that nothing but the weights differs. Compared are log10 of the gradient over the last point's, log10 of
the residual stream's standard deviation, and the mean cosine of two tokens, after each block. A block agrees whose mean
over the draws lies within 3 standard errors, or 5 %, of the prediction. Where there is no norm, branches are scaled by
one over the root of twice the blocks: without, the softmax saturates within a few, a case of its own.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from speed import positive, prepare_environment, print_table

if TYPE_CHECKING:
    from gradcheck.engine.types import Array

#: Placement ↦ its options.
PLACEMENTS: dict[str, dict[str, Any]] = {
    "pre": {"norm_placement": "pre"},
    "post": {"norm_placement": "post"},
    "both": {"norm_placement": "both"},
    "none": {"norm": "none", "residual_scale": "gpt2"},
    "none, unscaled": {"norm": "none"},
}
ACTIVATIONS = ("gelu", "relu", "tanh")

#: Standard errors, or the part of the prediction, within which a point agrees.
ERRORS, SHARE = 3.0, 0.05

QUANTITIES = ("gradient", "stream", "cosine")


class Side(NamedTuple):
    """A quantity after each block, (blocks,): what is predicted, the mean of the draws, and its standard error."""

    predicted: Array
    mean: Array
    error: Array

    @property
    def agrees(self) -> Array:
        """Whether each block's mean lies where the prediction is."""
        distance = abs(self.mean - self.predicted)
        agrees: Array = (distance <= ERRORS * self.error) | (distance <= SHARE * abs(self.predicted))
        return agrees


def main() -> None:
    """Measure the cases that were asked for and print a line for each."""
    options = parser().parse_args()
    prepare_environment()
    rows = []
    for placement in [options.only] if options.only else PLACEMENTS:
        for activation in [options.activation] if options.activation else ACTIVATIONS:
            rows.append(case(options, placement, activation))
            print_table(HEADER, rows[-1:])  # as it goes
    print_table(HEADER, rows)


HEADER = [
    "norms, activation",
    *("gradient of block 1, decades: predicted", "measured"),
    *(f"{name}: blocks that agree" for name in QUANTITIES),
    "collapse: factor a block, predicted",
    "measured",
    "seconds a draw, a prediction",
]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Theory of transformers beside weightless draws")
    parser.add_argument("--width", type=positive, default=1024, metavar="N")
    parser.add_argument("--blocks", type=positive, default=24, metavar="N")
    parser.add_argument("--tokens", type=positive, default=32, metavar="N")
    parser.add_argument("--draws", type=positive, default=20, metavar="N")
    parser.add_argument("--only", choices=list(PLACEMENTS))
    parser.add_argument("--activation", choices=ACTIVATIONS)
    return parser


def case(options: argparse.Namespace, placement: str, activation: str) -> list[str]:
    """Return a line of the table."""
    name = f"{placement}, {activation}"
    found = compare(options, {**PLACEMENTS[placement], "activation": activation})
    if isinstance(found, str):
        return [name, f"no prediction: {found}", *[""] * (len(HEADER) - 2)]
    sides, seconds = found
    gradient, _, cosine = sides
    agreeing = (f"{side.agrees.sum()} of {len(side.agrees)}" for side in sides)
    factors = (collapse_factor(one) for one in (cosine.predicted, cosine.mean))
    level = f"{gradient.mean[0]:+.3f} ± {gradient.error[0]:.3f}"
    return [
        name, f"{gradient.predicted[0]:+.3f}", level, *agreeing,
        *(f"{one:.3f}" for one in factors), " ".join(f"{one:.1f}" for one in seconds),
    ]  # fmt: skip


def compare(options: argparse.Namespace, network: dict[str, Any]) -> tuple[list[Side], tuple[float, float]] | str:
    """Return the three quantities after each block, seconds of a draw and of the prediction; or why there is none."""
    import numpy as np

    from gradcheck.engine.loss import loss_of
    from gradcheck.flow.gradient_flow import measure
    from gradcheck.mean_field.tokens import TokenBatch
    from gradcheck.mean_field.transformer import predict_transformer
    from gradcheck.mean_field.unknown import Unknown
    from gradcheck.simulation.experiment import Experiment

    sizes = {"model_width": options.width, "heads": options.width // 64, "blocks": options.blocks}
    run = {"tokens": options.tokens, "layers": "weightless", "dtype": "float32"}
    experiment = Experiment.from_options({"arch": "transformer", **sizes, **run, **network})
    inputs, labels = experiment.batch(0)
    found, start = [], time.perf_counter()
    for seed in range(options.draws):
        flow = measure(*experiment.draw(seed).unrolled(inputs), loss_of(labels))
        gradient = flow.column("log10_gradient_rms")
        columns = gradient - gradient[-1], flow.column("log10_preactivation_std"), flow.column("input_cosine")
        found.append([column[2::3] for column in columns])
    drawn = time.perf_counter()
    prediction = predict_transformer(experiment.network, TokenBatch(inputs, labels))
    seconds = (drawn - start) / options.draws, time.perf_counter() - drawn
    if isinstance(prediction, Unknown):
        return prediction.reason
    points = prediction.layers[2::3]
    predicted = (
        [one.log10_gradient_ratio for one in points],
        [math.log10(one.preactivation_std) for one in points],
        [one.token_cosine for one in points],
    )
    draws = np.array(found)  # (draws, quantities, blocks)
    means, errors = draws.mean(0), draws.std(0, ddof=1) / math.sqrt(options.draws)
    return [Side(np.array(one), *pair) for one, *pair in zip(predicted, means, errors, strict=True)], seconds


def collapse_factor(cosines: Array) -> float:
    """Return by what a block multiplies 1 − cosine: geometric mean over the second half of the blocks."""
    half = len(cosines) // 2
    return float(((1 - cosines[-1]) / (1 - cosines[half])) ** (1 / (len(cosines) - 1 - half)))


if __name__ == "__main__":
    main()
