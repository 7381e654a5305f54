"""Do weightless layers follow the law of stored ones? Two-sample Kolmogorov–Smirnov tests of many draws; see README.md.

Run it as ``python benchmarks/law.py [--draws 1000] [--workers 2]``; it exits with 1 if a p-value is below the bound.

Both sides send one fixed batch through networks that differ by their seeds alone. Compared are log10 of the rms of
∂𝓛/∂z and of the norm of ∂𝓛/∂W, at the first, the middle and the last layer. If the laws are equal, a family of
comparisons has a p-value below 0.001/comparisons once in a thousand times (Bonferroni).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from speed import FEATURES, OUTPUTS, positive, prepare_environment, print_table, set_threads

if TYPE_CHECKING:
    import numpy.typing as npt

DEPTH, WIDTH, BATCH = 6, 48, 8

#: How often a family of comparisons may fail by chance.
LEVEL = 0.001

#: First seeds of the two sides.
SEEDS = {"dense": 0, "weightless": 100_000}

QUANTITIES = ("log10_gradient_rms", "log10_weight_gradient_norm")
LAYERS = {"first": 0, "middle": DEPTH // 2, "last": DEPTH - 1}


class Case(NamedTuple):
    """A network whose draws are compared."""

    init: str
    activation: str
    norm: str
    residual: bool
    dtype: str = "float64"


class Smallest(NamedTuple):
    """The smallest p-value of a case, and where it is."""

    p: float
    statistic: float
    quantity: str
    layer: str


#: Every combination in float64; two in float32.
CASES = [
    *(
        Case(*one)
        for one in product(["he", "orthogonal"], ["tanh", "relu", "gelu"], ["none", "layer", "batch"], [False, True])
    ),
    Case("he", "tanh", "none", False, "float32"),
    Case("orthogonal", "gelu", "layer", True, "float32"),
]


def main() -> None:
    """Compare all cases, print one line each, and leave with 1 if a p-value is below the bound."""
    options = parser().parse_args()
    prepare_environment()
    set_threads(1)  # of each worker
    tasks = [(case, options.draws) for case in CASES]
    with multiprocessing.get_context("spawn").Pool(options.workers) as workers:
        found = workers.starmap(compared, tasks, chunksize=1)
    rows = [
        [case.init, case.activation, case.norm, "yes" if case.residual else "no", case.dtype, *shown(smallest)]
        for case, smallest in zip(CASES, found, strict=True)
    ]
    title = ["init", "activation", "norm", "residual", "dtype", "smallest p", "D", "of", "at layer"]
    print_table(title, rows)
    comparisons = len(CASES) * len(QUANTITIES) * len(LAYERS)
    least, bound = min(found).p, LEVEL / comparisons
    print(f"{comparisons} comparisons of {options.draws} draws with {options.draws}; smallest p-value {least:.2g}")
    print(f"Bonferroni bound {LEVEL}/{comparisons} = {bound:.2g}: {'passed' if least >= bound else 'FAILED'}")
    sys.exit(least < bound)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="the law of weightless layers beside that of stored ones")
    parser.add_argument("--draws", type=positive, default=1000, metavar="N", help="of each side and case (1000)")
    workers = "processes, one thread each (all cores)"
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help=workers)
    return parser


def shown(smallest: Smallest) -> list[str]:
    """Return the cells of a smallest p-value."""
    return [f"{smallest.p:.2g}", f"{smallest.statistic:.3f}", smallest.quantity.removeprefix("log10_"), smallest.layer]


def compared(case: Case, draws: int) -> Smallest:
    """Return the smallest p-value of a case."""
    one, other = (drawn(case, layers, draws) for layers in SEEDS)
    results = []
    for (q, quantity), (k, layer) in product(enumerate(QUANTITIES), enumerate(LAYERS)):
        statistic = kolmogorov_smirnov(one[:, q, k], other[:, q, k])
        results.append(Smallest(p_value(statistic, draws, draws), statistic, quantity, layer))
    return min(results)


def drawn(case: Case, layers: str, draws: int) -> npt.NDArray:
    """Measure the draws of one side, (draws, quantities, layers)."""
    import numpy as np

    from gradcheck.engine.loss import mean_square
    from gradcheck.families import drawn_network
    from gradcheck.flow.gradient_flow import measure
    from gradcheck.spec import NetworkSpec

    *options, dtype = case
    spec = NetworkSpec(depth=DEPTH, width=WIDTH, **dict(zip(Case._fields, options, strict=False)))
    inputs = np.random.default_rng(0).standard_normal((BATCH, FEATURES)).astype(dtype)
    found = np.empty((draws, len(QUANTITIES), len(LAYERS)))
    for draw in range(draws):
        network = drawn_network(spec, FEATURES, OUTPUTS, SEEDS[layers] + draw, dtype, layers)
        flow = measure(network, inputs, mean_square)
        found[draw] = [flow.column(quantity)[list(LAYERS.values())] for quantity in QUANTITIES]
    if not np.isfinite(found).all():
        raise ValueError(f"{case}, {layers}: a gradient is not finite")
    return found


def kolmogorov_smirnov(one: npt.NDArray, other: npt.NDArray) -> float:
    """Return the largest distance between two samples' distribution functions."""
    import numpy as np

    steps = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(sample), steps, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def p_value(statistic: float, one: int, other: int) -> float:
    """Return the chance of a statistic as large from samples of one law.

    Kolmogorov's series at the effective number of draws, with Stephens' correction for finite ones (Press et al. 2007,
    Numerical Recipes, section 14.3.3).
    """
    root = math.sqrt(one * other / (one + other))
    x = (root + 0.12 + 0.11 / root) * statistic
    if x < 0.2:  # the series is 1 to all digits, but converges slowly
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, math.fsum(terms)))


if __name__ == "__main__":
    main()
