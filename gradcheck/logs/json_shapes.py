"""JSON objects that hold a whole run, in the shapes that programs give them, as one object of columns."""

from collections.abc import Iterator, Mapping
from typing import Any

#: Keys of the numbers of a column, in Sacred's metrics.
STEPS, VALUES = "steps", "values"


def as_columns(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an object may be read as: columns, each a list with a value for each row.

    Notes
    -----
    ``{name: {"steps": […], "values": […]}}`` is Sacred's, ``{"metric": name, "values": [{"step": …, "value": …}]}`` is
    trackio's; else a list of objects, under any key.
    """
    series = {name: value for name, value in record.items() if isinstance(value, dict) and _is_series(value)}
    if series:
        yield _merged({name: dict(zip(one[STEPS], one[VALUES], strict=False)) for name, one in series.items()})
    name, values = record.get("metric"), record.get(VALUES)
    if isinstance(name, str) and isinstance(values, list):
        rows = [one for one in values if isinstance(one, dict)]
        yield {"step": [one.get("step") for one in rows], name: [one.get("value") for one in rows]}
    yield from _lists(record)


def _lists(record: Mapping[str, Any], depth: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the lists of objects at any of the upper levels, as columns."""
    for value in record.values():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            names = dict.fromkeys(name for one in value for name in one)
            yield {name: [one.get(name) for one in value] for name in names}
        elif isinstance(value, dict) and depth:
            yield from _lists(value, depth - 1)


def _is_series(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(key), list) for key in (STEPS, VALUES)) and all(
        isinstance(step, int | float) for step in value[STEPS]
    )


def _merged(series: Mapping[str, Mapping[float, Any]]) -> dict[str, Any]:
    """Return numbers by step as columns of the same length."""
    steps = sorted({step for values in series.values() for step in values})
    return {"step": steps} | {name: [values.get(step) for step in steps] for name, values in series.items()}
