"""Fit the verdict's score and limits to networks that were really trained: python benchmarks/calibrate.py.

Simulates the 400 networks of benchmarks/trainability/calibration.jsonl, prints the accuracy of the two limits
(gradient span, effective rank), and of the logistic model whose coefficients stand in gradcheck/diagnosis.py,
10-fold cross-validated.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gradcheck import Thresholds, simulate
from gradcheck.diagnosis import RANK_CAP, SPAN_CAP

TRAINED = Path(__file__).with_name("trainability") / "calibration.jsonl"
RIDGE = 1e-3  # keeps the fit finite, too weak to be seen in the coefficients' second digit

Table = npt.NDArray[np.float64]


def options(network: dict[str, Any]) -> dict[str, Any]:
    """Return the network's options by their names in gradcheck."""
    same = {name: network[name] for name in ("depth", "width", "activation", "norm", "residual")}
    if network["init"] == "normal":
        return same | {"init": "normal", "weight_std": network["scale"]}
    if network["init"] == "scaled":
        return same | {"init": "lecun", "gain": network["scale"]}
    return same | {"init": network["init"]}


def measured(networks: list[dict[str, Any]], batch_size: int) -> Table:
    """Return gradient span and effective rank of each network; a span that isn't finite is a large one."""
    summaries = [simulate(**options(network), batch_size=batch_size).summary for network in networks]
    spans = [1e3 if one.gradient_span is None else one.gradient_span for one in summaries]
    return np.array([spans, [one.effective_rank_last or 1.0 for one in summaries]]).T


def features(table: Table) -> Table:
    """Return the columns of the logistic model: 1, capped span, capped log rank."""
    span, rank = table.T
    return np.stack([np.ones_like(span), np.minimum(span, SPAN_CAP), np.minimum(np.log(rank), RANK_CAP)], axis=1)


def fit(X: Table, y: Table) -> Table:
    """Return the coefficients of the logistic model, by Newton's method."""
    coefficients = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-X @ coefficients))
        curvature = (X.T * (p * (1 - p))) @ X + RIDGE * np.eye(X.shape[1])
        coefficients += np.linalg.solve(curvature, X.T @ (y - p) - RIDGE * coefficients)
    return coefficients


def area_under_curve(score: Table, y: Table) -> float:
    """Return the probability that a network that trained scores above one that didn't."""
    difference = score[y == 1][:, None] - score[y == 0]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def cross_validated(X: Table, y: Table, folds: int = 10) -> Table:
    """Return the log-odds of each network from a fit to the other folds."""
    fold = np.random.default_rng(0).permutation(len(y)) % folds
    odds = np.empty_like(y)
    for one in range(folds):
        odds[fold == one] = X[fold == one] @ fit(X[fold != one], y[fold != one])
    return odds


def main() -> None:
    """Simulate, fit and print."""
    parser = argparse.ArgumentParser(description="Fit the verdict's score to networks that were really trained.")
    parser.add_argument("--batch-size", type=int, default=64)
    batch_size = parser.parse_args().batch_size
    networks = [json.loads(line) for line in TRAINED.read_text().splitlines()]
    y = np.array([float(network["best_accuracy"] >= 0.8) for network in networks])
    table, limits = measured(networks, batch_size), Thresholds()
    X = features(table)
    within = (table[:, 0] <= limits.max_span) & (table[:, 1] >= limits.min_rank)
    collapsed = (table[:, 0] <= limits.max_span) & (table[:, 1] < limits.min_rank)
    odds = cross_validated(X, y)
    print(f"{len(y)} networks, {y.mean():.1%} of them trained; batch {batch_size}")
    print(f"span alone                    AUC {area_under_curve(-table[:, 0], y):.3f}")
    print(f"limits {limits.max_span:g} decades, rank {limits.min_rank:g}   accuracy {np.mean(within == y):.4f}")
    print(f"collapsed                     {collapsed.sum()}, {int(y[collapsed].sum())} of them trained")
    print(f"score, cross-validated        AUC {area_under_curve(odds, y):.3f}, accuracy {np.mean((odds > 0) == y):.4f}")
    print("INTERCEPT, SPAN, RANK =", ", ".join(f"{value:.2f}" for value in fit(X, y)))


if __name__ == "__main__":
    main()
