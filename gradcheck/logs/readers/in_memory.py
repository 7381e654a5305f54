"""Logs that a program has in memory: a list of dicts, a dict of lists, a DataFrame."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from gradcheck.errors import OptionError, shown
from gradcheck.spec.options.option import plain

#: What a report calls the format of such a log.
FORMAT = "in memory"


def name_of(rows: object) -> str:
    """Return what a report calls such a log, in place of a file."""
    return type(rows).__name__


def lines_of(rows: object) -> Iterator[bytes]:
    """Yield such a log as lines of JSON, one a row.

    Raises
    ------
    OptionError
        It is none.
    """
    for record in _records(getattr(rows, "history", rows)):  # of Keras's History
        try:
            yield json.dumps(record, default=_simple, skipkeys=True).encode() + b"\n"
        except (ValueError, RecursionError) as error:
            said = "a row of it contains itself, or is nested too deeply; give rows such as {'step': 1, 'loss': 2.5}"
            raise OptionError("file", f"{type(rows).__name__} is no log: {said}") from error


def _records(rows: Any) -> Iterable[Any]:  # noqa: ANN401
    if getattr(getattr(rows, "dtype", None), "names", None):
        said = "give {name: rows[name] for name in rows.dtype.names}"
        raise OptionError("file", f"an array with fields ({', '.join(rows.dtype.names)[:80]}) is no log; {said}")
    if hasattr(rows, "to_dicts"):  # polars
        return list(rows.to_dicts())
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # pandas, whose index may hold the steps
        return list((rows if rows.index.name is None else rows.reset_index()).to_dict("records"))
    if isinstance(rows, Mapping):
        columns = {name: plain(column) for name, column in rows.items()}
        if all(isinstance(column, list | tuple) for column in columns.values()):
            return [dict(zip(columns, row, strict=True)) for row in zip_longest(*columns.values())]
    elif isinstance(rows, Iterable) and not isinstance(rows, bytes):
        return rows
    raise OptionError("file", f"{shown(rows)} is no log; give a path, a list of dicts, a dict of lists or a DataFrame")


def _simple(value: object) -> object:
    """Return NumPy's numbers and those of tensors as Python's; anything else as text."""
    simple = plain(value)
    return str(value) if simple is value else simple
