"""How long short runs have to be: python benchmarks/rate_lengths.py [--train].

With ``--train``, copies of each network of trainability/rates.jsonl are trained for 100 updates at rates √2 apart, and
gradcheck's search goes through what they lost, with runs of each length: a row for each network and optimizer in
rate_lengths.jsonl. Without, those rows are held beside the best rates, and what comes of it goes into
gradcheck/learning_rate/rules.py. The first run is at the nearest half octave.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from best_rates import RATES, USUAL, Network, calibrate
from learning_rates import HELD_OUT, SHARE, Case, Curve, all_held_out, cases, factor
from rate_answers import GUESS, OF_UPDATES
from replicas import perceptron, train

from gradcheck.learning_rate.rules import CHECKED, COMMON
from gradcheck.learning_rate.runs import DOUBLINGS, Draw, Run, best_of, make_runs
from gradcheck.learning_rate.search import CriticalRate

LENGTHS = RATES.with_name("rate_lengths.jsonl")
BESIDE = 4  # half octaves of rates below and above all that were of interest


class Replay:
    """What copies at half octaves lost, as a descent.

    Parameters
    ----------
    lowest : int
        Half octaves of the first copy's rate.
    losses : array (updates, copies)
    """

    def __init__(self, lowest: int, losses: npt.NDArray[np.float64]) -> None:
        self.lowest, self.losses = lowest, losses
        self.update, self.copy = 0, 0

    def restart(self) -> None:
        """Go back to the first update."""
        self.update = self.copy = 0

    def look(self) -> float:
        """Return the loss of the next batch."""
        beyond = self.copy >= self.losses.shape[1]
        return math.inf if beyond else float(self.losses[self.update, max(0, self.copy)])

    def step(self, rate: float) -> None:
        """Go on with the copy of this rate."""
        self.update, self.copy = self.update + 1, round(2 * math.log2(rate)) - self.lowest

    def along(self, rate: float) -> float:
        """Never called: the search along the first update was made before."""
        raise NotImplementedError


def searched(descent: Replay, start: float, updates: int) -> tuple[float, int]:
    """Return the rate that runs of so many updates find best, and the passes that they take; as ``find_rate``."""
    middle, passes = 2 ** (round(2 * math.log2(start)) / 2), 0
    for _ in range(DOUBLINGS + 1):
        runs: tuple[Run, ...] = make_runs(descent, middle, updates)
        passes += sum(len(one.losses) for one in runs)
        draw = Draw(None, CriticalRate("found", math.nan, runs[0].losses[0]), runs)
        if updates >= CHECKED[-1] or draw.furthest.diverged or draw.learnt(GUESS):
            break
        middle, updates = 2 ** (round(2 * math.log2(best_of(runs))) / 2), 2 * updates
    return best_of(runs), passes


def replay(network: Network, optimizer: str, case: Case, start: float) -> Replay:
    """Train copies at all rates that a search may come to."""
    octaves = [2 * math.log2(one) for one in (start, case.answers["short_runs"] or start)]
    known = [2 * case.curve.octaves[at] for at in (0, -1)]
    low, high = math.floor(min(octaves + known)) - BESIDE, math.ceil(max(octaves + known)) + BESIDE
    copies = perceptron(calibrate["options"](network))
    losses = train(copies, optimizer, [2 ** (one / 2) for one in range(low, high + 1)], CHECKED[-1])
    return Replay(low, losses.double().numpy())


def rows(done: set[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each network that has a best rate with an optimizer, and isn't done."""
    for optimizer in USUAL:
        for case in cases(optimizer):
            key = {"law": case.network["law"], "id": case.network["id"], "optimizer": optimizer}
            if tuple(key.values()) in done:
                continue
            start = COMMON[optimizer].start * case.answers["least_at_first"]
            descent = replay(case.network, optimizer, case, start)
            found = {updates: searched(descent, start, updates) for updates in CHECKED}
            yield key | {str(updates): [float(f"{rate:.4g}"), passes] for updates, (rate, passes) in found.items()}


def table(which: str, said: dict[Any, dict[str, Any]], truth: Callable[[str, Case], float | None]) -> None:
    """Print how near the answers of each length are to the best rates, and what goes into the rules."""
    columns = f"optimizer updates networks within_×_2 by_family median {SHARE:.0%}_within too_high best passes".split()
    print(f"\n{which}\n\n| {' | '.join(columns).replace('_', ' ')} |\n{'|---' * len(columns)}|")
    for optimizer in USUAL:
        known = [(case, truth(optimizer, case)) for case in cases(optimizer)]
        known = [(case, at) for case, at in known if (*_key(case), optimizer) in said and at is not None]
        some, best = [case for case, _ in known], np.array([at for _, at in known])
        lengths = [one for one in CHECKED if all(str(one) in answers for answers in said.values())]
        for updates in lengths if known else ():
            rates, passes = np.array([said[*_key(case), optimizer][str(updates)] for case in some]).T
            suggested = np.log2(rates)
            off = all_held_out(some, suggested, best) - best
            near = np.abs(off) <= 1
            cells = [
                optimizer, updates, len(some), f"{near.mean():.1%}",
                ", ".join(f"{by} {one:.0%}" for by, one in zip(HELD_OUT, near.mean(1), strict=True)),
                f"{np.median(np.abs(off)):.2f}", f"× {2 ** np.quantile(np.abs(off), SHARE):.2f}",
                f"{(off > 1).mean():.0%}",
                f"{2 ** factor(suggested, best):.2f}", f"{np.median(passes):.0f}, {passes.mean():.0f}",
            ]  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |")


def answers_of_copies() -> dict[Any, dict[str, Any]]:
    """Return law, number and optimizer ↦ the length of runs ↦ rate and passes, of a search through copies."""
    return {(one["law"], one["id"], one["optimizer"]): one for one in map(json.loads, LENGTHS.open())}


def answers_of_search() -> dict[Any, dict[str, Any]]:
    """Return the same of gradcheck's own search, where it was asked."""
    rows = map(json.loads, OF_UPDATES.open())
    said = ((one, [one["short_runs"], one["passes"]]) for one in rows if one["short_runs"] is not None)
    return {(one["law"], one["id"], one["optimizer"]): {str(one["asked"]): answer} for one, answer in said}


def _key(case: Case) -> tuple[str, int]:
    return case.network["law"], case.network["id"]


def best_of_seed(seed: int) -> Callable[[str, Case], float | None]:
    """Return what finds the best octave of a training of another seed."""
    usual = {"seed": seed, "warm_up": 0, "epochs": 5}
    every = [json.loads(line) for line in RATES.read_text().splitlines()]
    curves = {
        (one["law"], one["id"], one["optimizer"]): Curve.of(one).best
        for one in every
        if all(one[name] == value for name, value in usual.items())
    }
    return lambda optimizer, case: curves.get((*_key(case), optimizer))


def main() -> None:
    """Train what is missing, or print the tables."""
    parser = argparse.ArgumentParser(description="How long short runs have to be.")
    parser.add_argument("--train", action="store_true")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if parser.parse_args().train:
        there = LENGTHS.read_text().splitlines() if LENGTHS.exists() else []
        with LENGTHS.open("a") as file:
            for row in rows({tuple(list(json.loads(line).values())[:3]) for line in there}):
                file.write(json.dumps(row) + "\n")
                file.flush()
    table("the same trainings, 5 epochs", answers_of_copies(), lambda optimizer, case: case.curve.best)
    table("another seed's", answers_of_copies(), best_of_seed(1))
    table("gradcheck's own search", answers_of_search(), lambda optimizer, case: case.curve.best)
    table("gradcheck's own search, another seed's", answers_of_search(), best_of_seed(1))


if __name__ == "__main__":
    main()
