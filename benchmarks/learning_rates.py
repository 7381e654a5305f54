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
from best_rates import RATES, USUAL, Network, chosen, family
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
    losses: Array
    heights: Array  # their logarithms, smoothed

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Curve":
        """Return the logarithms, none above that of a guess, each averaged with its neighbours (1, 2, 1)."""
        losses = np.array([np.inf if one is None else one for one in row["losses"]])
        heights = np.log(np.clip(losses, 1e-9, np.log(10)))
        padded = np.pad(heights, 1, mode="edge")
        octaves = (row["first"] + np.arange(len(losses))) / 2
        return cls(octaves, losses, (padded[:-2] + 2 * heights + padded[2:]) / 4)

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

    @property
    def end(self) -> tuple[float, bool]:
        """The octaves above the best rate from which on the network no longer trains; whether that was seen."""
        above = self.octaves > self.best
        failed = np.flatnonzero(above & (self.losses > TRAINED))
        last = self.octaves[failed[0]] - 0.25 if len(failed) else self.octaves[-1]
        return float(last - self.best), bool(len(failed))

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
    """Return the octaves from what is suggested to what is best, as a median."""
    return float(np.nanmedian(best - suggested))


def held_out(some: list[Case], suggested: Array, best: Array, by: str) -> Array:
    """Return the octaves suggested with a factor fitted to the other families."""
    values = np.array([str(family(case.network)[by]) for case in some])
    fitted = np.empty(len(some))
    for value in np.unique(values):
        fitted[values == value] = factor(suggested[values != value], best[values != value])
    return suggested + fitted


def all_held_out(some: list[Case], suggested: Array, best: Array) -> Array:
    """Return the same held out by each in turn, (ways of holding out, networks)."""
    return np.array([held_out(some, suggested, best, by) for by in HELD_OUT])


def figures(some: list[Case], suggested: Array) -> list[str]:
    """Return the share within a factor of 2, error in octaves (median, 90 %), shares whose loss is near the least.

    Several rows of suggestions (held out by this and that) count together.
    """
    rows = np.atleast_2d(suggested)
    error = np.nan_to_num(np.abs(rows - [case.curve.best for case in some]), nan=np.inf)
    excess = np.array([[case.curve.excess(at) for case, at in zip(some, row, strict=True)] for row in rows])
    near = [np.mean(np.nan_to_num(excess, nan=np.inf) <= np.log(limit)) for limit in (1.1, RISEN)]
    quantiles = [np.quantile(error, q, method="inverted_cdf") for q in (0.5, 0.9)]
    return [f"{np.mean(error <= 1):.0%}", *(f"{one:.2f}" for one in quantiles), *(f"{one:.0%}" for one in near)]


def ways(optimizer: str, some: list[Case]) -> None:
    """Print how each way does, as it is and with a factor that is fitted without the networks judged."""
    best = np.array([case.curve.best for case in some])
    print(f"\n{optimizer}: {len(some)} networks\n")
    print("| way | within × 2 | median error | 90 % | loss within 10 % | within 50 % | passes |\n" + "|---" * 7 + "|")
    constant = np.zeros(len(some))
    table("one rate for all, fitted", some, all_held_out(some, constant, best), "0")
    for way, (name, passes) in WAYS.items():
        asked = [case for case in some if way in case.answers]
        there, suggested = np.array([case.curve.best for case in asked]), octaves(asked, way)
        cost = "3" if passes is None else f"{np.mean([case.answers[passes] for case in asked]):.0f}"
        fitted = all_held_out(asked, suggested, there)
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
        fitted = all_held_out(some, suggested, best)
        error = np.nan_to_num(np.abs(fitted - best), nan=np.inf)
        ceiling = np.array([case.curve.ceiling for case in some]) - fitted
        low, middle, high = (2 ** np.nanquantile(ceiling, one) for one in (0.1, 0.5, 0.9))
        passes = [case.answers["passes"] for case in some]
        shares = ", ".join(f"{by} {np.mean(one <= 1):.2f}" for by, one in zip(HELD_OUT, error, strict=True))
        print(f"{optimizer}: networks={len(some)}; best and band: rate_lengths.py")
        print(f"    within × 2 {np.mean(error <= 1):.3f} ({shares})")
        print(f"    {SHARE:.0%} within × {2 ** np.quantile(error, SHARE):.1f}")
        print(f"    loss above {RISEN} times the least from × {middle:.1f} on, in 80 % {low:.1f} to {high:.1f}")
        half, tenth = (2 ** failing(some, share) for share in (0.5, 0.1))
        print(f"    half of the networks no longer train from × {half:.1f} on, a tenth from × {tenth:.1f}")
        print(f"    passes: median {np.median(passes):.0f}, 90 % {np.quantile(passes, 0.9):.0f}")


def failing(some: list[Case], share: float) -> float:
    """Return the octaves above the best rate from which on a share of the networks no longer trains.

    By Kaplan and Meier 1958: of some no rate was tried that fails.
    """
    ends = sorted(case.curve.end for case in some)
    left = 1.0
    for at, (octave, failed) in enumerate(ends):
        left *= 1 - failed / (len(ends) - at)
        if left <= 1 - share:
            return octave
    return float("inf")


def compared(title: str, other: Callable[[dict[str, Any]], bool]) -> None:
    """Print how the best rates and least losses of other trainings differ from those of the same networks."""
    rows = [json.loads(line) for line in RATES.read_text().splitlines()]
    usual = {(one["law"], one["id"], one["optimizer"]): one for one in rows if plain(one)}
    for optimizer in USUAL:
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
    every = {optimizer: cases(optimizer) for optimizer in USUAL}
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
