"""JSON objects that hold a whole run, in the shapes that programs give them, as one object of columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradcheck.logs.readers.json_plans import flattened

#: Keys of the numbers of a column, in Sacred's metrics, and in charts.
STEPS, VALUES = "steps", "values"
X, Y = "x", "y"

#: Levels of objects at which charts are looked for.
DEEPEST_CHART = 4

#: Digits that no step's number has.
LONGEST_STEP = 20


def as_columns(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an object may be read as: columns, each a list with a value for each row.

    Notes
    -----
    ``{name: {"steps": […], "values": […]}}`` is Sacred's, ``{"metric": name, "values": [{"step": …, "value": …}]}`` is
    trackio's, ``{"metrics": {name: [{"step": …, "value": …}]}}`` its snapshot; ``{"metrics": [{"metricName": name,
    "steps": […], "values": […]}]}``, in an object for each experiment, is Comet's; charts, ``{title: {line: {"x": […],
    "y": […]}}}``, are ClearML's; ``{"columns": […], "data": [[…], …]}`` is a table of W&B or
    pandas, which also writes ``{step: {name: value}}``; else it is a list of objects, under any key.
    """
    named = record.get("metrics")
    if isinstance(named, dict) and named and all(map(_is_history, named.values())):
        yield _merged({name: {one["step"]: one.get("value") for one in rows} for name, rows in named.items()})
    yield from _of_comet(record)
    if charts := dict(_charts(record, ())):
        yield _merged(charts)
    series = {name: value for name, value in record.items() if isinstance(value, dict) and _is_series(value)}
    if series:
        yield _merged({name: dict(zip(one[STEPS], one[VALUES], strict=False)) for name, one in series.items()})
    name, values = record.get("metric"), record.get(VALUES)
    if isinstance(name, str) and isinstance(values, list):
        rows = [one for one in values if isinstance(one, dict)]
        yield {"step": [one.get("step") for one in rows], name: [one.get("value") for one in rows]}
    yield from _split(record)
    if len(record) > 1 and all(_is_step(key) and isinstance(value, dict) for key, value in record.items()):
        yield _rows([{"step": int(step)} | value for step, value in record.items()])
    yield from _lists(record)


def _is_step(key: str) -> bool:
    """Whether a key is a step's number: none is of hundreds of digits, which Python refuses to read."""
    return key.isdecimal() and len(key) < LONGEST_STEP


def _charts(record: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[float, Any]]]:
    """Yield the lines of charts at any of the upper levels: the names that lead to them, and the numbers by step."""
    if is_chart(record):
        yield "/".join(path) or str(record.get("name", "")), dict(zip(record[X], record[Y], strict=False))
    elif len(path) < DEEPEST_CHART:
        for key, value in record.items():
            if isinstance(value, dict):
                yield from _charts(value, (*path, key))


def is_chart(record: Mapping[str, Any]) -> bool:
    """Whether an object is a line of a chart, with a list of steps and one of numbers."""
    steps, values = record.get(X), record.get(Y)
    both = isinstance(steps, list) and isinstance(values, list)
    return both and all(isinstance(step, int | float) for step in steps or [""])


def _lists(record: Mapping[str, Any], depth: int = 3) -> Iterator[dict[str, Any]]:
    """Yield the lists of objects at any of the upper levels, as columns."""
    for value in record.values():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            yield _rows(value)
        elif isinstance(value, dict) and depth:
            yield from _lists(value, depth - 1)


def _rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return objects, with others in them, as columns."""
    flat = [dict(flattened(one)) for one in rows]
    names = dict.fromkeys(name for one in flat for name in one)
    return {name: [one.get(name) for one in flat] for name in names}


def _split(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a table whose names stand beside its rows, ``{"columns": […], "data": [[…], …]}``, as columns."""
    names, rows = record.get("columns"), record.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        yield {str(name): [row[at] if at < len(row) else None for row in rows] for at, name in enumerate(names)}


def _is_history(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and "step" in one for one in value)


def _of_comet(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the experiments of Comet's charts one after the other, as columns with a run."""
    runs: list[dict[str, Any]] = []
    for one in (record, *(value for value in record.values() if isinstance(value, dict))):
        metrics = one.get("metrics")
        held = {
            str(metric["metricName"]): dict(zip(metric[STEPS], metric[VALUES], strict=False))
            for metric in (metrics if isinstance(metrics, list) else ())
            if isinstance(metric, dict) and "metricName" in metric and _is_series(metric)
        }
        if held:
            columns = _merged(held)
            runs.append(columns | {"run": [str(one.get("experimentKey", len(runs)))] * len(columns["step"])})
    names = dict.fromkeys(name for columns in runs for name in columns)
    if runs:
        yield {name: [one for run in runs for one in run.get(name, [None] * len(run["step"]))] for name in names}


def _is_series(value: Mapping[str, Any]) -> bool:
    return all(isinstance(value.get(key), list) for key in (STEPS, VALUES)) and all(
        isinstance(step, int | float) for step in value[STEPS]
    )


def _merged(series: Mapping[str, Mapping[float, Any]]) -> dict[str, Any]:
    """Return numbers by step as columns of the same length."""
    steps = sorted({step for values in series.values() for step in values})
    return {"step": steps} | {name: [values.get(step) for step in steps] for name, values in series.items()}
