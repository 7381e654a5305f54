"""Train perceptrons at constant learning rates √2 apart: python benchmarks/best_rates.py [--seed N] [--warm-up N].

Appends a row for each network and optimizer to benchmarks/trainability/rates.jsonl; what is there already is left
alone. Each row has the mean loss of the last epoch at rates 2^(first/2), 2^((first + 1)/2), … The rates go on in both
directions until the loss is clearly worse.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import torch
from replicas import perceptron, train

calibrate = run_path(str(Path(__file__).with_name("calibrate.py")))
RATES = calibrate["TRAINED"].with_name("rates.jsonl")
EPOCHS, BATCHES = 5, 28  # batches of 64 digits in an epoch
FIRST_TRIED = {"sgd": range(-11, -1), "momentum": range(-15, -5), "adam": range(-20, -10)}  # in half octaves
FIRST_TRIED |= {"adamw": FIRST_TRIED["adam"]}
USUAL = ("sgd", "momentum", "adam")  # optimizers
MORE, LEAST, LARGEST = 4, -40, 16  # rates of a further try, and the last ones that are tried
WORSE = 1.5  # times the least loss: clearly worse
DEPTHS = {"2 to 4": 4, "5 to 10": 10, "11 to 20": 20, "21 to 60": 60}

Network = dict[str, Any]


def family(network: Network) -> dict[str, Any]:
    """Return what a network is in each respect by which networks are held out."""
    named = {name: network[name] for name in ("activation", "norm", "residual", "width")}
    depth = next(name for name, deepest in DEPTHS.items() if network["depth"] <= deepest)
    return named | {"init": network["init"].removeprefix("scaled_"), "depth": depth}


def chosen(count: int = 100) -> list[Network]:
    """Return networks that train, small enough for many trainings, as evenly spread over families as there are."""
    networks = []
    for file in (calibrate["TRAINED"], calibrate["SHIFTED"]):
        for network in map(json.loads, file.read_text().splitlines()):
            small = network["depth"] <= 60 and network["width"] <= 128 and network["depth"] * network["width"] <= 1600
            if network["best_accuracy"] >= 0.8 and small:
                networks.append(network | {"law": file.stem})
    kinds = Counter({part: 1 for network in networks for part in family(network).items()})
    values = Counter(part for part, _ in kinds)
    taken, seen = [], Counter[tuple[str, Any]]()
    for _ in range(count):
        network = min(networks, key=lambda one: sum(seen[part] * values[part[0]] for part in family(one).items()))
        networks.remove(network)
        taken.append(network)
        seen.update(family(network).items())
    return taken


def final_losses(network: Network, optimizer: str, seed: int, warm_up: int, epochs: int) -> dict[int, float]:
    """Return half octaves ↦ the mean loss of the last epoch, over all rates at which it isn't clearly worse."""
    copies = perceptron(calibrate["options"](network), seed)
    losses = dict[int, float]()
    more: Sequence[int] = FIRST_TRIED[optimizer]
    while more:
        run = train(copies, optimizer, [2 ** (one / 2) for one in more], epochs * BATCHES, warm_up)
        for one, loss in zip(more, run[-BATCHES:].double().mean(0).tolist(), strict=True):
            losses[one] = loss if math.isfinite(loss) else math.inf
        low, high, least = min(losses), max(losses), min(losses.values())
        below, above = range(max(low - MORE, LEAST), low), range(high + 1, min(high + MORE, LARGEST) + 1)
        lower = math.isinf(least) or losses[low] < WORSE * least
        more = below if lower else above if losses[high] < WORSE * least else ()
    return dict(sorted(losses.items()))


def rows(
    networks: list[Network],
    optimizers: Sequence[str],
    seed: int,
    warm_up: int,
    epochs: int,
    done: set[tuple[Any, ...]],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each network and optimizer that isn't done."""
    for network in networks:
        for optimizer in optimizers:
            key = {"law": network["law"], "id": network["id"], "optimizer": optimizer, "seed": seed}
            key |= {"warm_up": warm_up, "epochs": epochs}
            if tuple(key.values()) not in done:
                losses = final_losses(network, optimizer, seed, warm_up, epochs)
                known = [float(f"{one:.4g}") if np.isfinite(one) else None for one in losses.values()]
                yield key | {"first": min(losses), "losses": known}


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description="Train perceptrons at learning rates √2 apart.")
    parser.add_argument("--file", type=Path, default=RATES)
    parser.add_argument("--first", type=int, default=0, help="network")
    parser.add_argument("--count", type=int, default=100, help="networks")
    parser.add_argument("--optimizer", nargs="+", default=USUAL, choices=FIRST_TRIED)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--warm-up", type=int, default=0, help="steps")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    there = asked.file.read_text().splitlines() if asked.file.exists() else []
    done = {tuple(list(json.loads(line).values())[:6]) for line in there}
    with asked.file.open("a") as file:
        networks = chosen()[asked.first : asked.first + asked.count]
        for row in rows(networks, asked.optimizer, asked.seed, asked.warm_up, asked.epochs, done):
            file.write(json.dumps(row) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
