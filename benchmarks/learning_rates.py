"""How well a learning rate is found: python benchmarks/learning_rates.py

Holds the answers of trainability/rate_answers.jsonl, gradcheck's and those of published rules, beside the rates that
were best in trainability/rates.jsonl, and prints the tables of docs/background/learning-rate.md. What gradcheck fits,
one factor for each optimizer, is fitted without the networks that are judged: those of an activation, a norm, an
initialisation, a class of depths, with or without skips, each in its turn.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from best_rates import FIRST_TRIED, RATES, Network, chosen, family
from rate_answers import ANSWERS
from rate_finders import FASTAI_RULES

Array = npt.NDArray[np.float64]

#: A network that doesn't get so far in 5 epochs has no best rate: half of the loss of a guess, ln 10.
TRAINED = np.log(10) / 2

#: The final losses at the best rate and at the ceiling differ by this factor.
RISEN = 1.5

HELD_OUT = ("activation", "norm", "init", "depth", "residual")
SHARE = 0.8  # of the networks is within the band

#: Field of an answer ↦ its name, and what its passes are called.
WAYS = (
    {
        "short_runs": ("short runs (gradcheck)", "passes"),
        "line_search": ("critical rate along each update, median", "line_search_passes"),
        "least_at_first": ("least loss along the first update", None),
        "critical_at_first": ("critical rate of the first update", None),
    }
    | {name: (f"fastai, {name}", "finder_passes") for name in FASTAI_RULES}
    | {"lightning": ("Lightning", "finder_passes")}
)


class Curve(NamedTuple):
    """The final loss of a network over the rate."""

    octaves: Array  # log2 of the rates
    heights: Array  # ln of the losses, smoothed

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Curve":
        """Return the logarithms, none above that of a guess, each averaged with its neighbours (1, 2, 1)."""
        losses = np.array([np.inf if one is None else one for one in row["losses"]])
        heights = np.log(np.clip(losses, 1e-9, np.log(10)))
        padded = np.pad(heights, 1, mode="edge")
        return cls((row["first"] + np.arange(len(losses))) / 2, (padded[:-2] + 2 * heights + padded[2:]) / 4)

    @property
    def best(self) -> float:
        """The octave of the best rate: the vertex of the parabola around the lowest point."""
        at = int(np.argmin(self.heights))
        if not 0 < at < len(self.heights) - 1:
            return float(self.octaves[at])
        low, least, high = self.heights[at - 1 : at + 2]
        bend = low - 2 * least + high
        return float(self.octaves[at] + (np.clip((low - high) / (2 * bend), -1, 1) / 2 if bend > 0 else 0))

    @property
    def ceiling(self) -> float:
        """The octave above which the loss is more than ``RISEN`` times the least."""
        at = int(np.argmin(self.heights))
        above = np.flatnonzero(self.heights[at:] > self.heights[at] + np.log(RISEN))
        return float(self.octaves[at + above[0]] - 0.25) if len(above) else float(self.octaves[-1])

    def excess(self, octave: float) -> float:
        """Return by how much the logarithm of the loss at a rate is above the least one."""
        return float(np.interp(octave, self.octaves, self.heights) - self.heights.min())


class Case(NamedTuple):
    """A network that trains with an optimizer, its curve and its answers."""

    network: Network
    curve: Curve
    answers: dict[str, Any]


def cases(optimizer: str) -> list[Case]:
    """Return the networks that train within the epochs."""
    rows = [json.loads(line) for line in RATES.read_text().splitlines()]
    truth = {(one["law"], one["id"]): one for one in rows if plain(one) and one["optimizer"] == optimizer}
    said = {(one["law"], one["id"], one["optimizer"]): one for one in map(json.loads, ANSWERS.open())}
    found = []
    for network in chosen():
        key = network["law"], network["id"]
        least = min((one for one in truth[key]["losses"] if one is not None), default=np.inf)
        if least <= TRAINED and (*key, optimizer) in said:
            found.append(Case(network, Curve.of(truth[key]), said[*key, optimizer]))
    return found


def plain(row: dict[str, Any]) -> bool:
    """Whether a row is of the first seed, without a warm-up, of the usual length."""
    return (row["seed"], row["warm_up"], row["epochs"]) == (0, 0, 5)


def octaves(answers: list[Case], way: str) -> Array:
    """Return log2 of the rates that a way suggests; nan where it fails."""
    rates = [case.answers.get(way) or np.nan for case in answers]
    return np.log2(np.array(rates, dtype=float))


def factor(suggested: Array, best: Array) -> float:
    """Return the octaves that bring as many as can be within a factor of 2: the middle of the fullest window."""
    off = np.sort((best - suggested)[np.isfinite(suggested)])
    inside = np.searchsorted(off, off + 2, side="right") - np.arange(len(off))
    fullest = np.flatnonzero(inside == inside.max())
    middles = [(off[at] + off[at + inside[at] - 1]) / 2 for at in fullest]
    return float(np.median(middles))


def held_out(some: list[Case], suggested: Array, best: Array, by: str) -> Array:
    """Return the octaves suggested with a factor fitted to the other families."""
    values = np.array([str(family(case.network)[by]) for case in some])
    fitted = np.empty(len(some))
    for value in np.unique(values):
        fitted[values == value] = factor(suggested[values != value], best[values != value])
    return suggested + fitted


def figures(some: list[Case], suggested: Array) -> list[str]:
    """Return the share within a factor of 2, error in octaves (median, 90 %), shares whose loss is near the least."""
    best = np.array([case.curve.best for case in some])
    error = np.abs(suggested - best)
    error[np.isnan(error)] = np.inf
    excess = [case.curve.excess(at) if np.isfinite(at) else np.inf for case, at in zip(some, suggested, strict=True)]
    near = [np.mean(np.array(excess) <= np.log(limit)) for limit in (1.1, 1.5)]
    shares = [np.mean(error <= 1), *near]
    quantiles = [np.quantile(error, q, method="inverted_cdf") for q in (0.5, 0.9)]
    return [f"{shares[0]:.0%}", *(f"{one:.2f}" for one in quantiles), *(f"{one:.0%}" for one in shares[1:])]


def ways(optimizer: str, some: list[Case]) -> None:
    """Print how each way does, as it is and with a factor that is fitted without the networks judged."""
    best = np.array([case.curve.best for case in some])
    print(f"\n{optimizer}: {len(some)} networks\n")
    print("| way | within × 2 | median error | 90 % | loss within 10 % | within 50 % | passes |\n" + "|---" * 7 + "|")
    constant = np.zeros(len(some))
    table("one rate for all, fitted", some, np.mean([held_out(some, constant, best, by) for by in HELD_OUT], 0), "0")
    for way, (name, passes) in WAYS.items():
        asked = [case for case in some if way in case.answers]
        there, suggested = np.array([case.curve.best for case in asked]), octaves(asked, way)
        cost = "3" if passes is None else f"{np.mean([case.answers[passes] for case in asked]):.0f}"
        fitted = np.mean([held_out(asked, suggested, there, by) for by in HELD_OUT], 0)
        count = "" if len(asked) == len(some) else f" ({len(asked)} networks)"
        if way in FASTAI_RULES or way == "lightning":
            table(name, asked, suggested, cost)
        table(f"{name}, × factor fitted{count}", asked, fitted, cost)


def table(name: str, some: list[Case], suggested: Array, passes: str) -> None:
    """Print a row."""
    print("| " + " | ".join([name, *figures(some, suggested), passes]) + " |")


def families(every: dict[str, list[Case]]) -> None:
    """Print the share within a factor of 2 of each family, held out, of gradcheck's short runs."""
    print("\n| held out | " + " | ".join(every) + " |\n|---" + "|---" * len(every) + "|")
    for by in HELD_OUT:
        values = sorted({str(family(case.network)[by]) for some in every.values() for case in some})
        for value in values:
            cells = []
            for some in every.values():
                best = np.array([case.curve.best for case in some])
                right = np.abs(held_out(some, octaves(some, "short_runs"), best, by) - best) <= 1
                of_value = np.array([str(family(case.network)[by]) == value for case in some])
                cells.append(f"{right[of_value].sum()} of {of_value.sum()}")
            print(f"| {by} {value} | " + " | ".join(cells) + " |")


def rules(every: dict[str, list[Case]]) -> None:
    """Print what goes into gradcheck/learning_rate/rules.py."""
    for optimizer, some in every.items():
        best, suggested = np.array([case.curve.best for case in some]), octaves(some, "short_runs")
        fitted = np.array([held_out(some, suggested, best, by) for by in HELD_OUT])
        error = np.abs(fitted - best)
        error[np.isnan(error)] = np.inf
        band = 2 ** np.quantile(error, SHARE)
        ceiling = np.array([case.curve.ceiling for case in some])
        over = (ceiling - fitted)[:, np.isfinite(suggested)]
        shares = error <= 1
        print(
            f"{optimizer}: best={2 ** factor(suggested, best):.2f}, {SHARE:.0%} within × {band:.1f}, within × 2 "
            f"{shares.mean():.3f} (each kind of family {shares.mean(1).round(2)}), networks={len(some)}; "
            f"ceiling over the suggested rate: median {2 ** np.median(over):.1f}, "
            f"middle 80 % {2 ** np.quantile(over, 0.1):.1f} to {2 ** np.quantile(over, 0.9):.1f}"
        )


def compared(title: str, other: Callable[[dict[str, Any]], bool]) -> None:
    """Print how the best rates and least losses of other trainings differ from those of the same networks."""
    rows = [json.loads(line) for line in RATES.read_text().splitlines()]
    usual = {(one["law"], one["id"], one["optimizer"]): one for one in rows if plain(one)}
    for optimizer in FIRST_TRIED:
        pairs = [
            (usual[one["law"], one["id"], optimizer], one)
            for one in rows
            if other(one) and one["optimizer"] == optimizer
        ]
        least = [
            [min((loss for loss in row["losses"] if loss is not None), default=np.inf) for row in pair]
            for pair in pairs
        ]
        both = [pair for pair, losses in zip(pairs, least, strict=True) if max(losses) <= TRAINED]
        if both:
            shift = np.array([Curve.of(second).best - Curve.of(first).best for first, second in both])
            gain = np.array([second / first for first, second in least])
            print(
                f"{title}, {optimizer}: {len(both)} networks, best rate × {2 ** np.median(shift):.2f}, within × 2 of "
                f"the usual one {np.mean(np.abs(shift) <= 1):.0%}, median difference {np.median(np.abs(shift)):.2f}; "
                f"least loss × {np.median(gain):.2f}, {np.quantile(gain, 0.1):.2f} to {np.quantile(gain, 0.9):.2f}"
            )


def main() -> None:
    """Print all tables."""
    every = {optimizer: cases(optimizer) for optimizer in FIRST_TRIED}
    for optimizer, some in every.items():
        ways(optimizer, some)
    families(every)
    print()
    rules(every)
    print()
    compared("another seed", lambda row: row["seed"] == 1)
    compared("10 steps of warm-up", lambda row: row["warm_up"] == 10)
    compared("20 epochs", lambda row: row["epochs"] == 20)


if __name__ == "__main__":
    main()
