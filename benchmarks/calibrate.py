"""Fit the verdict's score to networks that were really trained: python benchmarks/calibrate.py [FILE ...].

Simulates each network of each file (those of benchmarks/trainability/ unless others are named) three times, with seeds
0 to 2, and prints how well two published rules, the limits and the score tell which of them trained. The score is the
logistic model of gradcheck/diagnosis/score.py: 10-fold cross-validated, so that no network is judged by a fit that has
seen it, in any draw; and fitted to one file, a law of networks, and tried on each other one.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gradcheck import Report, Thresholds, simulate
from gradcheck.diagnosis.score import RANK_CAP, SENSITIVITY_CAP, SPAN_CAP

TRAINED = Path(__file__).with_name("trainability") / "calibration.jsonl"
SHIFTED = TRAINED.with_name("shifted.jsonl")
RIDGE = 1e-3  # keeps the fit finite, too weak to be seen in the coefficients' second digit
SPLITS = 10  # ways of dealing out the folds; figures are means over them
BINS = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)

Table = npt.NDArray[np.float64]


class Draws(NamedTuple):
    """What the rules look at, (draws, networks) each."""

    span: Table
    weight_span: Table
    rank: Table
    least_rank: Table
    sensitivity: Table
    first_to_last: Table  # decades
    weakest: Table  # log10 of the weakest weight gradient per entry
    lowest: Table  # of all layers' log10 gradient ratios
    highest: Table
    dead: Table  # largest share of all layers
    saturated: Table
    status: npt.NDArray[np.str_]


def options(network: dict[str, Any]) -> dict[str, Any]:
    """Return the network's options by their names in gradcheck."""
    named = ("depth", "width", "activation", "norm", "residual", "residual_scale", "bias_std")
    same = {name: network[name] for name in named if name in network}
    if network["init"] == "normal":
        return same | {"init": "normal", "weight_std": network["scale"]}
    if network["init"] == "scaled":
        return same | {"init": "lecun", "gain": network["scale"]}
    init = network["init"].removeprefix("scaled_")
    return same | {"init": init, "gain": network.get("scale") or 1.0}


def seen(report: Report) -> tuple[Any, ...]:
    """Return the fields of ``Draws`` for one draw of one network; what isn't finite is far away."""
    summary, layers = report.summary, report.layers
    ratio = layers[0].log10_gradient_ratio
    entries = [
        1e3 if one.log10_weight_gradient_norm is None
        else one.log10_weight_gradient_norm - 0.5 * np.log10(one.fan_in * one.fan_out)
        for one in layers
    ]  # fmt: skip
    far = [1e3 if value is None else value for value in (summary.gradient_span, summary.weight_gradient_span)]
    ranks = summary.effective_rank_last or 1.0, summary.effective_rank_least or 1.0
    sensitivity = 1e9 if summary.sensitivity is None else summary.sensitivity
    ratios = [one.log10_gradient_ratio for one in layers if one.log10_gradient_ratio is not None] or [1e3]
    shares = [max(one[name] or 0.0 for one in layers) for name in ("dead_fraction", "saturated_fraction")]
    beyond = 1e3 if ratio is None else abs(ratio)
    return *far, *ranks, sensitivity, beyond, min(entries), min(ratios), max(ratios), *shares, report.verdict.status


def measured(networks: list[dict[str, Any]], batch_size: int, draws: int) -> Draws:
    """Simulate each network `draws` times."""
    rows = [
        [seen(simulate(**options(network), batch_size=batch_size, seed=seed)) for network in networks]
        for seed in range(draws)
    ]
    return Draws(*(np.array([[one[field] for one in row] for row in rows]) for field in range(len(Draws._fields))))


def features(draws: Draws) -> Table:
    """Return the columns of the logistic model, (draws, networks, 4): 1, span, ln rank, log10 sensitivity."""
    span = np.minimum(np.maximum(draws.span, draws.weight_span), SPAN_CAP)
    rank = np.minimum(np.log(draws.least_rank), RANK_CAP)
    decades = np.clip(np.log10(np.maximum(draws.sensitivity, 1e-9)), -SENSITIVITY_CAP, SENSITIVITY_CAP)
    return np.stack([np.ones_like(span), span, rank, decades], axis=-1)


def fit(X: Table, y: Table) -> Table:
    """Return the coefficients of the logistic model, by Newton's method, for X (examples, columns)."""
    coefficients = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-X @ coefficients))
        curvature = (X.T * (p * (1 - p))) @ X + RIDGE * np.eye(X.shape[1])
        coefficients += np.linalg.solve(curvature, X.T @ (y - p) - RIDGE * coefficients)
    return coefficients


def pooled(X: Table, y: Table) -> Table:
    """Fit to all draws of some networks, X (draws, networks, columns)."""
    return fit(X.reshape(-1, X.shape[-1]), np.tile(y, len(X)))


def cross_validated(X: Table, y: Table, split: int, folds: int = 10) -> Table:
    """Return the log-odds of each draw of each network from a fit to the other folds' networks."""
    fold = np.random.default_rng(split).permutation(len(y)) % folds
    odds = np.empty(X.shape[:2])
    for one in range(folds):
        odds[:, fold == one] = X[:, fold == one] @ pooled(X[:, fold != one], y[fold != one])
    return odds


def area_under_curve(score: Table, y: Table) -> float:
    """Return the probability that a network that trained scores above one that didn't."""
    difference = score[y == 1][:, None] - score[y == 0]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def accuracies(said: npt.NDArray[np.bool_], y: Table) -> tuple[float, float]:
    """Return the accuracy and the balanced accuracy of (draws, networks) answers."""
    right = said == (y == 1)
    return float(right.mean()), float((right[:, y == 1].mean() + right[:, y == 0].mean()) / 2)


def told(name: str, said: npt.NDArray[np.bool_], y: Table, curve: float | None = None) -> None:
    """Print a line of the table."""
    accuracy, balanced = accuracies(said, y)
    print(f"{name:58s} {'-' if curve is None else format(curve, '.3f'):>6s} {accuracy:9.3f} {balanced:9.3f}")


def calibration(chances: Table, y: Table) -> None:
    """Print predicted against observed: how many of the networks that were given a chance really trained."""
    print(f"\n{'score':>13s} {'networks':>9s} {'mean score':>11s} {'trained':>8s}")
    outcomes = np.broadcast_to(y, chances.shape)
    for low, high in pairwise(BINS):
        inside = (chances >= low) & (chances <= high if high == 1 else chances < high)
        count = inside.sum() / len(chances)
        print(f"{low:6.2f} … {high:4.2f} {count:9.0f} {chances[inside].mean():11.3f} {outcomes[inside].mean():8.3f}")


def flags(draws: Draws, limits: Thresholds, y: Table) -> None:
    """Print how many networks have a layer beyond a limit, and how many of those trained all the same."""
    beyond = {
        f"ratio below {limits.vanish_below:g}": draws.lowest < np.log10(limits.vanish_below),
        f"ratio above {limits.explode_above:g}": draws.highest > np.log10(limits.explode_above),
        "dead above 0.6": draws.dead > 0.6,
        f"dead above {limits.dead_above:g}": draws.dead > limits.dead_above,
        f"saturated above {limits.saturated_above:g}": draws.saturated > limits.saturated_above,
        "verdict collapsed": draws.status == "collapsed",
    }
    print(f"\n{'some layer':20s} {'networks':>9s} {'trained':>8s}")
    for name, has in beyond.items():
        count = has.sum() / len(has)
        trained = np.broadcast_to(y, has.shape)[has].mean() if count else 0.0
        print(f"{name:20s} {count:9.1f} {trained:8.3f}")


def judged(name: str, odds: Table, y: Table) -> None:
    """Print how well log-odds, (draws, networks), tell which networks trained."""
    told(name, odds > 0, y, float(np.mean([area_under_curve(row, y) for row in odds])))


def rules(draws: Draws, limits: Thresholds, y: Table) -> None:
    """Print how well single rules do."""
    told("some weight gradient's rms below 1e-7, or not finite", (draws.weakest >= -7) & (draws.weakest < 1e3), y)
    told("first over last layer's gradient beyond 100 or below 1/100", draws.first_to_last <= 2, y)
    told(f"gradient span ≤ {limits.max_span:g} decades", draws.span <= limits.max_span, y)
    told("verdict healthy (span and rank within their limits)", draws.status == "healthy", y)


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, fit and print."""
    parser = argparse.ArgumentParser(description="Fit the verdict's score to networks that were really trained.")
    parser.add_argument("files", nargs="*", type=Path, default=[TRAINED, SHIFTED], metavar="FILE")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--draws", type=int, default=3)
    asked, limits = parser.parse_args(arguments), Thresholds()
    laws, heading = {}, f"{'rule':58s} {'AUC':>6s} {'accuracy':>9s} {'balanced':>9s}"
    for file in asked.files:
        networks = [json.loads(line) for line in file.read_text().splitlines()]
        y = np.array([float(network["best_accuracy"] >= 0.8) for network in networks])
        draws = measured(networks, asked.batch_size, asked.draws)
        laws[file.stem] = features(draws), y
        print(f"\n{file.stem}: {len(y)} networks, {y.mean():.1%} of them trained; ", end="")
        print(f"batch {asked.batch_size}, {asked.draws} draws each\n\n{heading}")
        rules(draws, limits, y)
        flags(draws, limits, y)
    print(f"\n{'score ≥ 0.5':58s}{heading[58:]}")
    for law, (X, y) in laws.items():
        validated = [cross_validated(X, y, split) for split in range(SPLITS)]
        judged(f"{law}, cross-validated", np.array(validated).reshape(-1, len(y)), y)
        for other, (Z, z) in laws.items():
            if other != law:
                judged(f"{other}, fitted to {law} alone", Z @ pooled(X, y), z)
    X, y = np.concatenate([one for one, _ in laws.values()], axis=1), np.concatenate([one for _, one in laws.values()])
    odds = np.array([cross_validated(X, y, split) for split in range(SPLITS)]).reshape(-1, len(y))
    judged("all, cross-validated", odds, y)
    calibration(1 / (1 + np.exp(-odds)), y)
    print("\nINTERCEPT, SPAN, RANK, SENSITIVITY =", ", ".join(f"{value:.2f}" for value in pooled(X, y)))
    print(
        "UNKNOWN_INTERCEPT, UNKNOWN_SPAN, UNKNOWN_RANK =", ", ".join(f"{value:.2f}" for value in pooled(X[..., :3], y))
    )


if __name__ == "__main__":
    main()
