"""Fit the verdict's score and limits to networks that were really trained: python benchmarks/calibrate.py.

Simulates each of the 400 networks of benchmarks/trainability/calibration.jsonl three times (256 examples, seeds 0 to 2)
and prints how well two published rules, the limits and the score tell which of them trained. The score is the logistic
model of gradcheck/score.py, 10-fold cross-validated: no network is judged by a fit that has seen it, in any draw.
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
from gradcheck.diagnosis.score import RANK_CAP, SPAN_CAP

TRAINED = Path(__file__).with_name("trainability") / "calibration.jsonl"
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
    first_to_last: Table  # decades
    weakest: Table  # log10 of the weakest weight gradient per entry
    lowest: Table  # of all layers' log10 gradient ratios
    highest: Table
    dead: Table  # largest share of all layers
    saturated: Table
    status: npt.NDArray[np.str_]


def options(network: dict[str, Any]) -> dict[str, Any]:
    """Return the network's options by their names in gradcheck."""
    same = {name: network[name] for name in ("depth", "width", "activation", "norm", "residual")}
    if network["init"] == "normal":
        return same | {"init": "normal", "weight_std": network["scale"]}
    if network["init"] == "scaled":
        return same | {"init": "lecun", "gain": network["scale"]}
    return same | {"init": network["init"]}


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
    ratios = [one.log10_gradient_ratio for one in layers if one.log10_gradient_ratio is not None] or [1e3]
    shares = [max(one[name] or 0.0 for one in layers) for name in ("dead_fraction", "saturated_fraction")]
    beyond = 1e3 if ratio is None else abs(ratio)
    return *far, *ranks, beyond, min(entries), min(ratios), max(ratios), *shares, report.verdict.status


def measured(networks: list[dict[str, Any]], batch_size: int, draws: int) -> Draws:
    """Simulate each network `draws` times."""
    rows = [
        [seen(simulate(**options(network), batch_size=batch_size, seed=seed)) for network in networks]
        for seed in range(draws)
    ]
    return Draws(*(np.array([[one[field] for one in row] for row in rows]) for field in range(len(Draws._fields))))


def features(draws: Draws) -> Table:
    """Return the columns of the logistic model, (draws, networks, 3): 1, capped span, capped log rank."""
    span = np.minimum(np.maximum(draws.span, draws.weight_span), SPAN_CAP)
    return np.stack([np.ones_like(span), span, np.minimum(np.log(draws.least_rank), RANK_CAP)], axis=-1)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, fit and print."""
    parser = argparse.ArgumentParser(description="Fit the verdict's score to networks that were really trained.")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--draws", type=int, default=3)
    asked = parser.parse_args(arguments)
    networks = [json.loads(line) for line in TRAINED.read_text().splitlines()]
    y = np.array([float(network["best_accuracy"] >= 0.8) for network in networks])
    draws, limits = measured(networks, asked.batch_size, asked.draws), Thresholds()
    print(f"{len(y)} networks, {y.mean():.1%} of them trained; batch {asked.batch_size}, {asked.draws} draws each\n")
    print(f"{'rule':58s} {'AUC':>6s} {'accuracy':>9s} {'balanced':>9s}")
    told("some weight gradient's rms below 1e-7, or not finite", (draws.weakest >= -7) & (draws.weakest < 1e3), y)
    told("first over last layer's gradient beyond 100 or below 1/100", draws.first_to_last <= 2, y)
    told(f"gradient span ≤ {limits.max_span:g} decades", draws.span <= limits.max_span, y)
    told("verdict healthy (span and rank within their limits)", draws.status == "healthy", y)
    X = features(draws)
    odds = np.array([cross_validated(X, y, split) for split in range(SPLITS)]).reshape(-1, len(y))
    told("score ≥ 0.5, cross-validated", odds > 0, y, float(np.mean([area_under_curve(row, y) for row in odds])))
    calibration(1 / (1 + np.exp(-odds)), y)
    print("\nINTERCEPT, SPAN, RANK =", ", ".join(f"{value:.2f}" for value in pooled(X, y)))
    flags(draws, limits, y)


if __name__ == "__main__":
    main()
