"""Rows in order: sorted, grouped, and set apart from the best."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from gradcheck.base.record import number
from gradcheck.errors import one_of
from gradcheck.sweep.rows import SweepRow

#: What rows can be sorted by: each a key, smallest first.
ORDERS: dict[str, Callable[[SweepRow], float]] = {
    "score": lambda row: -_or_worst(row["score"], -math.inf),
    "span": lambda row: _or_worst(row["gradient_span"]),
    "gain": lambda row: abs(math.log(row["mean_local_gain"])) if row["mean_local_gain"] else math.inf,
    "rank": lambda row: -_or_worst(row["effective_rank_last"], -math.inf),
    "grid": lambda row: row["index"],
}


def _or_worst(value: float | None, worst: float = math.inf) -> float:
    return worst if value is None else value


def ranked(rows: Sequence[SweepRow], order: str = "score") -> list[SweepRow]:
    """Return the rows, best first; those with an error come last, ties keep the grid's order.

    Raises
    ------
    OptionError
        There is no such order.
    """
    key = ORDERS[one_of("sort", order, ORDERS)]
    return sorted(rows, key=lambda row: (row["error"] is not None, row["error"] is None and key(row), row["index"]))


def differences(row: SweepRow, best: SweepRow) -> dict[str, Any]:
    """Return the options in which a row differs from the best, with the row's values."""
    return {name: value for name, value in row["options"].items() if value != best["options"].get(name)}


def grouped(rows: Sequence[SweepRow], option: str) -> list[dict[str, Any]]:
    """Return one record for each value of an option: how many rows, how many healthy, median and worst."""
    values = list(dict.fromkeys(row["options"][option] for row in sorted(rows, key=lambda row: row["index"])))
    return [_group(option, value, [row for row in rows if row["options"][option] == value]) for value in values]


def _group(option: str, value: Any, rows: Sequence[SweepRow]) -> dict[str, Any]:  # noqa: ANN401
    good = [row for row in rows if row["error"] is None]
    scores = [row["score"] for row in good]
    spans = [_or_worst(row["gradient_span"]) for row in good]
    return {
        "option": option,
        "value": value,
        "rows": len(rows),
        "healthy": sum(row["status"] == "healthy" for row in good),
        "errors": len(rows) - len(good),
        "median_score": median(scores) if good else None,
        "worst_score": min(scores, default=None),
        "median_span": number(median(spans)) if good else None,
        "worst_span": number(max(spans)) if good else None,
    }


def counts(rows: Sequence[SweepRow]) -> Mapping[str, int]:
    """Return how many rows have each verdict, ``error`` among them, the most frequent first."""
    return dict(Counter(map(verdict_of, rows)).most_common())


def verdict_of(row: SweepRow) -> str:
    """Return a row's verdict; ``error`` where it has none."""
    return str(row["status"] if row["error"] is None else "error")
