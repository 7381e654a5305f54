"""What each way to find a learning rate answers, on trained networks: python benchmarks/rate_answers.py

Appends a row for each network and optimizer of trainability/rates.jsonl to rate_answers.jsonl beside it; what is there
already is left alone. With ``--updates`` or ``--optimizer``, gradcheck's answers alone, by runs of so many updates, go
to rate_answers_updates.jsonl. ``learning_rates.py`` holds the first beside each other.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from best_rates import FIRST_TRIED, RATES, USUAL, Network, calibrate, chosen
from rate_finders import FASTAI_RULES, by_fastai, by_lightning, rates_of_fastai, rates_of_lightning, smoothed
from replicas import WEIGHT_DECAY, Optimizer, Perceptron, along, perceptron

from gradcheck.data.epochs import Batches
from gradcheck.families import trainable
from gradcheck.learning_rate.network_descent import NetworkDescent
from gradcheck.learning_rate.optimizers import OPTIMIZERS
from gradcheck.learning_rate.rules import rule_of
from gradcheck.learning_rate.runs import START, best_of, find_rate
from gradcheck.learning_rate.search import critical_rate
from gradcheck.simulation.experiment import Experiment

ANSWERS = RATES.with_name("rate_answers.jsonl")
OF_UPDATES = RATES.with_name("rate_answers_updates.jsonl")

#: Updates of a run; what longer ones answer is in rate_lengths.jsonl.
UPDATES = 25

#: The loss of the same answer for each digit.
GUESS = float(np.log(10))

#: A forward pass is a third of a forward and backward pass.
FORWARD = 1 / 3

#: A line search along each update is as dear as the short runs: each third network has one.
EVERY = 3


def descent_of(network: Network, optimizer: str) -> NetworkDescent:
    """Return a descent at the network's start, in single precision."""
    experiment = Experiment.from_options(calibrate["options"](network) | {"dtype": "float32"}, stored="is trained")
    dataset = experiment.dataset
    drawn = experiment.stored_network("seed", "are drawn anew")
    copy = trainable(experiment.network, drawn, dataset.features, "float32")
    batches = Batches(experiment.data, dataset, 0, "float32")
    decay = WEIGHT_DECAY if optimizer == "adamw" else 0.0
    return NetworkDescent(copy, lambda: OPTIMIZERS[optimizer](decay), batches.without_end)


def gradchecks(network: Network, optimizer: str, updates: int = UPDATES) -> dict[str, Any]:
    """Return what gradcheck measures: short runs at constant rates."""
    draw = find_rate(descent_of(network, optimizer), rule_of(optimizer, updates), updates, constant=GUESS)
    return {
        "short_runs": rounded(best_of(draw.runs)) if draw.runs else None,
        "updates": max((len(one.losses) for one in draw.runs), default=0),
        "runs": [[rounded(one.rate), None if one.diverged else rounded(one.score)] for one in draw.runs],
        "passes": sum(len(one.losses) for one in draw.shorter + draw.runs) + 1 + round(FORWARD * draw.start.passes),
        "least_at_first": rounded(draw.start.least[0]),
        "critical_at_first": rounded(draw.start.rate),
    }


def line_search(network: Network, optimizer: str, updates: int = 25, share: float = 0.5) -> dict[str, Any]:
    """Return the median of the critical rates along updates 6 to 25, each made at a share of its own."""
    descent = descent_of(network, optimizer)
    last, rates, passes = 0.0, list[float](), 0.0
    for _ in range(updates):
        loss = descent.look()
        critical = critical_rate(descent.along, loss, last or START)
        passes += 1 + FORWARD * critical.passes
        rates.append(critical.rate)
        last = critical.rate if np.isfinite(critical.rate) else last
        descent.step(share * last)
    return {"line_search": rounded(float(np.nanmedian(rates[5:]))), "line_search_passes": round(passes)}


def finders(copies: Perceptron, optimizer: str) -> dict[str, Any]:
    """Return what the rules of fastai and Lightning suggest."""
    schedules = torch.tensor(np.stack([rates_of_fastai(), rates_of_lightning()], 1), dtype=torch.float32)
    parameters = copies.copies(2)
    rule, losses = Optimizer(optimizer, parameters), list[list[float]]()
    for (inputs, labels), rates in zip(islice(copies.stream(), len(schedules)), schedules, strict=True):
        loss, gradients = copies.gradient(parameters, inputs, labels)
        losses.append(loss.tolist())
        parameters = along(parameters, rule.update(gradients, parameters), rates)
    fastai, lightning = zip(*losses, strict=True)
    suggested = {name: rounded(by_fastai(one, fastai)) for name, one in FASTAI_RULES.items()}
    return suggested | {"lightning": rounded(by_lightning(lightning)), "finder_passes": len(smoothed(fastai))}


def rounded(number: float) -> float | None:
    """Return four digits; None for what isn't finite."""
    return float(f"{number:.4g}") if np.isfinite(number) else None


def rows(first: int, count: int, done: set[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each network and optimizer that isn't done; a line search along each update of every third."""
    for number, network in list(enumerate(chosen()))[first : first + count]:
        for optimizer in USUAL:
            key = {"law": network["law"], "id": network["id"], "optimizer": optimizer}
            if tuple(key.values()) not in done:
                copies = perceptron(calibrate["options"](network))
                line = line_search(network, optimizer) if number % EVERY == 0 else {}
                yield key | gradchecks(network, optimizer) | line | finders(copies, optimizer)


def rows_of_updates(optimizers: Sequence[str], updates: int, count: int, done: set[Any]) -> Iterator[dict[str, Any]]:
    """Yield gradcheck's answer of each network and optimizer that isn't done, by runs of so many updates."""
    for network in chosen()[:count]:
        for optimizer in optimizers:
            key = {"law": network["law"], "id": network["id"], "optimizer": optimizer, "asked": updates}
            if tuple(key.values()) not in done:
                found = gradchecks(network, optimizer, updates)
                yield key | {name: found[name] for name in ("short_runs", "updates", "passes")}


def main() -> None:
    """Ask what is missing."""
    parser = argparse.ArgumentParser(description="Ask each way to find a learning rate.")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--first", type=int, default=0, help="network")
    parser.add_argument("--count", type=int, default=100, help="networks")
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--optimizer", nargs="+", default=USUAL, choices=FIRST_TRIED)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    alone = asked.updates != UPDATES or asked.optimizer != USUAL
    path: Path = asked.file or (OF_UPDATES if alone else ANSWERS)
    there = path.read_text().splitlines() if path.exists() else []
    done = {tuple(list(json.loads(line).values())[: 4 if alone else 3]) for line in there}
    with path.open("a") as file, np.errstate(all="ignore"):
        made = (
            rows_of_updates(asked.optimizer, asked.updates, asked.count, done)
            if alone
            else rows(asked.first, asked.count, done)
        )
        for row in made:
            file.write(json.dumps(row) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
