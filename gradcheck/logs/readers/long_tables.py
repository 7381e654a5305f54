"""Tables with one number a row, its name beside it: Comet's JSON and offline archives, MLflow's SQL, melted tables."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, groupby
from typing import Any, NamedTuple

from gradcheck.logs.columns import LONGEST_NAME, NOTHING, PART, Layout, chosen, meaning
from gradcheck.logs.lines import Problems, Reader
from gradcheck.logs.numbers import LogRow, numbers
from gradcheck.logs.readers.delimited import DELIMITERS
from gradcheck.logs.readers.documents import Document
from gradcheck.logs.readers.json_shapes import is_chart
from gradcheck.logs.words import VALIDATION, words

#: Keys of the name of a number, and of the number.
NAMES = ("metricName", "metric_name", "metric", "key", "tag", "variable", "name")
VALUES = ("metricValue", "metric_value", "value", "Value")

#: What keys of the number itself begin with, where all have several parts.
OWN = "metric."

#: Keys of what a number is of beside its name: a part of the data.
CONTEXTS = ("context", "subset", "split", "phase", "stage", "dataset")

#: Numbers that are held until they are sorted by run and step; levels of objects, and rows, that are looked into.
HELD, DEEPEST, LOOKED_AT = 2_000_000, 3, 200


class Single(NamedTuple):
    """A number of a long table."""

    run: str  # empty where the table doesn't say
    step: float
    name: str
    value: Any


def singles_of(record: Any) -> Iterator[Single]:  # noqa: ANN401
    """Yield the numbers of an object: one, those of a line of a chart, or none."""
    if isinstance(record, Mapping) and is_chart(record) and isinstance(record.get("name"), str):
        run, name = str(record.get("run_id") or ""), record["name"][:LONGEST_NAME]
        yield from (Single(run, step, name, value) for step, value in zip(record["x"], record["y"], strict=False))
    elif one := single_of(record):
        yield one


def _bare(record: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return an object whose keys have no parts before their last one: ``metric.step`` ↦ step, as Aim has them."""
    if not all(isinstance(key, str) and "." in key for key in record):
        return dict(record)
    others, own = (
        {key.rpartition(".")[2]: value for key, value in record.items() if key.startswith(OWN) is of_the_number}
        for of_the_number in (False, True)
    )
    return others | own


def _is_held_out(record: Mapping[Any, Any]) -> bool:
    """Whether an object says beside the name that its number is of a validation."""
    return any(
        key in CONTEXTS and VALIDATION.intersection(words(str(value)[:LONGEST_NAME])) for key, value in record.items()
    )


def single_of(record: Any, depth: int = DEEPEST) -> Single | None:  # noqa: ANN401
    """Return the number of an object, or of one within it; None if it holds none by name, or several as columns."""
    if not isinstance(record, Mapping):
        return None
    record = _bare(record)
    name, value = (next((record[key] for key in keys if key in record), None) for keys in (NAMES, VALUES))
    within = next((one for one in record.values() if isinstance(one, Mapping)), None) if value is None else None
    if isinstance(name, str) and within is not None and depth:  # the number and its step in an object beside the name
        return single_of({**within, **{key: one for key, one in record.items() if one is not within}}, depth - 1)
    if isinstance(name, str) and isinstance(value, int | float | str):
        others = [key for key in record if isinstance(key, str) and key not in VALUES]
        if _is_judged(others):
            return None
        name = f"val/{name}" if _is_held_out(record) else name
        given = {column.quantity: record[key] for column, key in chosen(others).items()}
        step = numbers([given.get("step")])[0]
        return Single(str(given.get("run") or ""), step, name[:LONGEST_NAME], value)
    inner = (single_of(one, depth - 1) for one in record.values() if isinstance(one, Mapping)) if depth else ()
    return next((one for one in inner if one), None)


class LongTable(Reader):
    """Turns numbers by name, run and step into rows, one for each step."""

    format = "a number a row"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        super().__init__(problems)
        self._wanted = wanted

    def rows(self, parts: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield a row for each step of each run, in the order of the runs."""
        return self.rows_of(chain.from_iterable(map(singles_of, self._records(parts))))

    def _records(self, parts: Iterator[bytes]) -> Iterator[Any]:
        raise NotImplementedError

    def rows_of(self, singles: Iterable[Single]) -> Iterator[LogRow]:
        """Yield the rows of numbers in any order; those that mean nothing to a diagnosis are passed over."""
        held: dict[tuple[str, float], dict[str, Any]] = {}
        runs: dict[str, int] = {}
        for number, one in enumerate(singles):
            if number == HELD:
                self.problems.add(f"is beyond {HELD:,} numbers: it and what follows are left out", number + 1)
                break
            self.seen.add(one.name)
            if meaning(one.name) or one.name in self._wanted.values():
                runs.setdefault(one.run, len(runs))
                held.setdefault((one.run, one.step), {})[one.name] = one.value
        names = [*dict.fromkeys(name for values in held.values() for name in values)]
        columns = chosen([*(["run"] if len(runs) > 1 else []), "step", *names], self._wanted)
        layout = Layout(columns, columns.values())
        for run, keys in groupby(sorted(held, key=lambda key: (runs[key[0]], key[1])), key=lambda key: key[0]):
            for key in keys:
                values = held[key] | {"step": key[1], "run": self.run_number(run)}
                yield layout, numbers([values.get(name) for name in columns.values()])


class LongDocument(LongTable, Document):
    """The same of JSON: a list of objects, or objects one after the other."""

    format = "JSON, a number a row"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        Document.__init__(self, problems, wanted)
        self.seen, self._wanted = set(), wanted

    def _records(self, parts: Iterator[bytes]) -> Iterator[Any]:
        return self._objects(parts)


class LongDelimited(LongTable):
    """The same of CSV."""

    format = "CSV, a number a row"

    def _records(self, parts: Iterator[bytes]) -> Iterator[Any]:
        lines = (line.decode("utf-8", "replace").replace("\0", "").lstrip("\ufeff") for line in parts if line)
        first = next(lines, "")
        yield from csv.DictReader([first, *lines], delimiter=max(DELIMITERS, key=first.count))


def is_long_json(start: bytes) -> bool:
    """Whether the first objects of a text are numbers by name, and none has a column for a loss or a norm."""
    text = start.decode("utf-8", "replace")
    decode = json.JSONDecoder().raw_decode
    found = False
    for one in (text[text.find("{") :], *(line.strip(" \t\r,[") for line in text.splitlines()[:LOOKED_AT])):
        with suppress(ValueError, RecursionError):
            record = decode(one)[0] if one.startswith("{") else None
            single = next(singles_of(record), None)
            if isinstance(record, dict) and not single and _is_judged(record):
                return False
            found |= single is not None
    return found


def _is_judged(names: Iterable[str]) -> bool:
    """Whether a column is a loss or a norm."""
    return any(column.quantity in ("loss", PART, "grad_norm") for column in chosen(list(names)))


def is_long_header(names: Iterable[str]) -> bool:
    """Whether a table's columns are a number and its name."""
    known = _bare(dict.fromkeys(names, "0")).keys()
    return any(name in known for name in NAMES) and single_of(dict.fromkeys(known, "0")) is not None
