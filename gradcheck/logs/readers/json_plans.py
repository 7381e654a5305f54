"""What is taken from a JSON object: which of its values, and how, be it one row or a whole run."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

from gradcheck.logs.columns import PART, Column, Layout
from gradcheck.logs.numbers import numbers

#: Levels of objects within objects that are read.
DEEPEST = 8


class Plan(NamedTuple):
    """What is taken from a record with certain keys: its layout, and a function from the record to its values.

    A nested record has objects in it, and is flattened first; one that is a whole run becomes an object of columns.
    """

    layout: Layout
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    nested: bool = False
    whole: bool = False


def picking_columns(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return the function that takes the values of these keys from a record."""
    if len(names) == 1:
        return lambda record: (record[names[0]],)
    return itemgetter(*names) if names else lambda record: ()


def is_odd(value: object) -> bool:
    """Whether a value is text or a list that no number can be read of."""
    return isinstance(value, str | list) and math.isnan(numbers([value])[0])


def is_table(record: Mapping[str, Any], names: Mapping[Column, str]) -> bool:
    """Whether an object holds a whole run, column by column: lists, or objects with the numbers of the rows as keys."""
    step = names.get(Column("step"))
    judged = [record[name] for column, name in names.items() if column.quantity in ("loss", PART, "grad_norm")]
    return any(_column(value) for value in judged) and (step is None or bool(_column(record[step])))


def _column(value: Any) -> list[Any]:  # noqa: ANN401
    """Return the values of a column; none of anything else."""
    if isinstance(value, dict):
        return list(value.values()) if all(key.isdecimal() for key in value) else []
    return value if isinstance(value, list) else []


def picking_rows(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return the function that takes the values of these columns from a table, row by row."""
    return lambda record: tuple(chain.from_iterable(zip_longest(*(_column(record[name]) for name in names))))


def flattened(record: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the values of a record with objects in it, each under the names that lead to it."""
    for key, value in record.items():
        if not isinstance(value, dict):
            yield prefix + key, value
        elif depth < DEEPEST:
            yield from flattened(value, f"{prefix}{key}/", depth + 1)
