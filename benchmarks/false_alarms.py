"""How often ``gradcheck diagnose`` finds something in invented healthy runs, and misses it in sick ones; see README.md.

Run it as ``python benchmarks/false_alarms.py [--runs 200]``. Each run has 30 to 3,000 rows, a global norm, six layers
and a loss; all lengths and constants are drawn anew.
"""

from __future__ import annotations

import argparse
from array import array
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gradcheck.logs.columns import Column, Layout
from gradcheck.logs.findings.criteria import find_all
from gradcheck.logs.lines import Problems
from gradcheck.logs.log import Log
from gradcheck.logs.readers.json_records import JsonRecords
from gradcheck.logs.series import Series
from gradcheck.logs.table import Table

Values = npt.NDArray[np.float64]
Generator = np.random.Generator

#: Rows of a run at least and at most.
SHORTEST, LONGEST = 30, 3000


def falling(rows: int, draw: Generator) -> Values:
    """Return a loss that goes down, with noise."""
    return 1 + 2 * np.exp(-3 * _time(rows)) + 0.1 * draw.standard_normal(rows)


def _time(rows: int) -> Values:
    return np.arange(rows) / rows


def _noisy(rows: int, draw: Generator, spread: float = 0.3) -> Values:
    return np.exp(spread * draw.standard_normal(rows))


def _walk(rows: int, draw: Generator) -> Values:
    return np.exp(np.cumsum(draw.standard_normal(rows)) * draw.uniform(0.01, 0.05)) * _noisy(rows, draw, 0.2)


def _warm_up(rows: int, draw: Generator) -> Values:
    ends = 5 * np.exp(-50 * _time(rows)) + 0.5 + 0.5 * np.minimum(1, 10 * _time(rows))
    return ends * _noisy(rows, draw)


def _converging(rows: int, draw: Generator) -> tuple[Values, Values]:
    decline = np.exp(-draw.uniform(4, 300) * _time(rows))
    return decline * _noisy(rows, draw, 0.2) + 1e-12, 0.05 + decline * (1 + 0.05 * draw.standard_normal(rows))


#: Healthy runs: gradient norm and loss.
HEALTHY: dict[str, Callable[[int, Generator], tuple[Values, Values]]] = {
    "steady": lambda rows, draw: (_noisy(rows, draw), falling(rows, draw)),
    "lognormal, deviation 1": lambda rows, draw: (_noisy(rows, draw, 1.0), falling(rows, draw)),
    "Pareto 1.5": lambda rows, draw: (draw.pareto(1.5, rows) + 0.3, falling(rows, draw)),
    "Cauchy": lambda rows, draw: (np.abs(draw.standard_cauchy(rows)) + 0.01, falling(rows, draw)),
    "exp of Student t, 3": lambda rows, draw: (np.exp(0.4 * draw.standard_t(3, rows)), falling(rows, draw)),
    "converging": _converging,
    "random walk": lambda rows, draw: (_walk(rows, draw), falling(rows, draw)),
    "random walk, flat loss": lambda rows, draw: (_walk(rows, draw), 2 + 0.1 * draw.standard_normal(rows)),
    "warm-up": lambda rows, draw: (_warm_up(rows, draw), falling(rows, draw)),
}


def _exploding(rows: int, draw: Generator) -> tuple[Values, Values]:
    onset = draw.uniform(0.3, 0.9)
    decades = draw.uniform(4, 12) * np.maximum(0, _time(rows) - onset) / (1 - onset)
    return _noisy(rows, draw) * 10**decades, falling(rows, draw) * 10 ** (decades / 4)


def _spiking(rows: int, draw: Generator) -> tuple[Values, Values]:
    norms, wide = _noisy(rows, draw), int(draw.integers(1, 1 + max(1, rows // 30)))
    first = int(rows * draw.uniform(0.2, 0.7))
    norms[first : first + wide] *= 10 ** draw.uniform(2, 4)
    return norms, falling(rows, draw)


def _spiking_often(rows: int, draw: Generator) -> tuple[Values, Values]:
    norms = _noisy(rows, draw)
    norms[rows // 4 :: int(draw.integers(30, 100))] *= 10 ** draw.uniform(2, 4)
    return norms, falling(rows, draw)


def _collapsing(rows: int, draw: Generator) -> tuple[Values, Values]:
    norms, losses, first = _noisy(rows, draw), falling(rows, draw), int(rows * draw.uniform(0.3, 0.8))
    norms[first:] *= draw.choice([1e-5, 0.0])
    losses[first:] = 3.5 + 0.05 * draw.standard_normal(rows - first)
    return norms, losses


#: Sick ones, by what must be found.
SICK: dict[str, Callable[[int, Generator], tuple[Values, Values]]] = {
    "exploding": _exploding,
    "spikes": _spiking,
    "spikes, 1 to 3 %": _spiking_often,
    "collapsed": _collapsing,
}


def series_of(norms: Values, losses: Values, draw: Generator) -> Series:
    """Return a log of these norms and losses, with six layers whose shares wander little."""
    shares = 10 ** (0.3 * draw.standard_normal(6) + 0.1 * draw.standard_normal((len(norms), 6)))
    columns = {Column("step"): np.arange(1.0, len(norms) + 1), Column("grad_norm"): norms, Column("loss"): losses}
    columns |= {Column("grad_norm", f"fc{layer + 1}"): norms * shares[:, layer] for layer in range(6)}
    problems = Problems()
    table, layout = Table(problems), Layout(columns)
    for row in np.stack(list(columns.values()), axis=1):
        table.add((layout, array("d", row)))
    return Series(Log(JsonRecords(problems), table, problems))


def main() -> None:
    """Print how many runs of each kind have which findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    for name, make in {**HEALTHY, **SICK}.items():
        kinds: Counter[str] = Counter()
        for seed in range(runs):
            draw = np.random.default_rng(seed)
            rows = int(np.exp(draw.uniform(np.log(SHORTEST), np.log(LONGEST))))
            kinds.update({one.kind for one in find_all(series_of(*make(rows, draw), draw))} or {"healthy"})
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        print(f"{name:24} of {runs}: {told}", flush=True)


if __name__ == "__main__":
    main()
