"""JSON objects, one a step: a recorder's file, or flat ones with any of the usual names."""

import json
import json.scanner
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, groupby
from typing import Any, TypeAlias, cast

from gradcheck.errors import GradcheckError
from gradcheck.logs.columns import LONGEST_NAME, NOTHING, PART, Column, Layout, chosen
from gradcheck.logs.lines import ENDS, Problems, Reader
from gradcheck.logs.numbers import CONSTANTS, LogRow, numbers, with_constants
from gradcheck.logs.readers import fast
from gradcheck.logs.readers.json_plans import Plan, flattened, is_odd, is_table, picking_columns, picking_rows
from gradcheck.logs.readers.json_shapes import as_columns
from gradcheck.logs.records import FORMAT, LAYER_QUANTITIES, MARK

#: Layers of a recorder's file; further ones are left out.
MOST_LAYERS = 10_000

#: Rows that are passed on together.
TOGETHER = 256

#: Sets of keys whose meaning is remembered.
MOST_PLANS = 1000

#: What the last record of a Hugging Face Trainer has, and no other.
SUMMARY, LOSS = "train_runtime", Column("loss")

#: A layout, and the values of a row that has it; of a table those of one row after the other.
Taken: TypeAlias = tuple[Layout, tuple[Any, ...]]


class JsonRecords(Reader):
    """Turns JSON objects into rows; damaged lines are problems."""

    format = "JSON Lines"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING, kind: str = "") -> None:
        super().__init__(problems)
        self._wanted, self._kind = wanted, kind
        self._layers: list[str] | None = None
        self._plans: dict[tuple[tuple[str, ...], bool], Plan] = {}
        self._recorded: dict[tuple[str, ...], tuple[Layout, list[str]]] = {}
        self._loads: Callable[[bytes], Any] | None = None
        self._mould: fast.Mould | None = None
        self._moulded = Layout(())
        self._decoder = json.JSONDecoder(parse_constant=CONSTANTS.__getitem__)
        self._scan = json.scanner.make_scanner(cast(Any, self._decoder))

    def rows(self, parts: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield the rows of whole lines, one or many in each part; neighbours of one layout together."""
        number = 0
        for piece in fast.pieces(parts):
            found = self._mould and self._mould.numbers_of(piece)
            if found:
                number += found[0]
                yield self._moulded, found[1]
                continue
            lines = piece.splitlines(keepends=True)
            alike = self._mould.sieve(lines) if self._mould else [False] * len(lines)
            yield from self._sieved(lines, alike, number)
            number += len(lines)
            if 2 * sum(alike) < len(lines):
                self._learn_mould(fast.most_alike(lines))
            self._loads = fast.orjson()  # a short log doesn't wait for its import

    def _sieved(self, lines: list[bytes], alike: list[bool], number: int) -> Iterator[LogRow]:
        """Yield the rows of lines of which some fit the mould, and are read together."""
        found = self._mould.numbers_of(b"".join(compress(lines, alike))) if self._mould and any(alike) else None
        if found is None:
            yield from self._one_by_one(lines, number)
            return
        width, place = len(found[1]) // found[0], 0
        for fits, stretch in groupby(range(len(lines)), key=alike.__getitem__):
            at, *others = stretch
            end = at + 1 + len(others)
            if fits:
                yield self._moulded, found[1][place : place + width * (end - at)]
                place += width * (end - at)
            else:
                yield from self._one_by_one(lines[at:end], number + at)

    def _one_by_one(self, lines: list[bytes], number: int) -> Iterator[LogRow]:
        """Yield the rows of lines with so many others before them."""
        pending: list[Taken] = []
        for place, line in enumerate(lines, start=number + 1):
            found = self._values(line, place)
            if pending and (found is None or found[0] is not pending[0][0] or len(pending) == TOGETHER):
                yield _joined(pending)
                pending = []
            if found is not None:
                pending.append(found)
        if pending:
            yield _joined(pending)

    def _learn_mould(self, line: bytes) -> None:
        """Take the mould of a line that was read, if it is a flat object with some numbers to judge."""
        try:
            record = self._record(line)
        except (ValueError, RecursionError):
            return
        plan = self._plans.get((tuple(record), False)) if isinstance(record, dict) else None
        if plan is None or not plan.layout.columns or plan.whole:
            return
        known = {name: value for name, value in record.items() if type(value) in (int, float)}
        if known.keys() >= set(plan.layout.names):
            places = {name: place for place, name in enumerate(known)}
            mould = fast.mould_of(line, list(known.values()), [places[name] for name in plan.layout.names])
            if mould:
                self._mould, self._moulded = mould, plan.layout

    def _values(self, line: bytes, number: int) -> Taken | None:
        """Return what a line holds; None if it is damaged, or nothing that a diagnosis reads."""
        try:
            record = self._record(line)
        except (ValueError, RecursionError):
            if line.strip():
                torn = "" if line.endswith(ENDS) else ", cut off"
                self.problems.add(f"is not JSON{torn}: left out", number)
            return None
        return self.taken(record, number)

    def _record(self, line: bytes) -> Any:  # noqa: ANN401
        """Return the JSON value of a line; what orjson refuses, the ``json`` module may read."""
        if self._loads is not None:
            try:
                return self._loads(line)
            except ValueError:
                pass
        return self.parsed(line.decode("utf-8", "replace"))

    def parsed(self, text: str) -> Any:  # noqa: ANN401
        """Return a JSON value, whose numbers that aren't finite may be spelt in any way."""
        try:
            return self._parse(text)
        except ValueError:
            return self._parse(with_constants(text))

    def _parse(self, text: str) -> Any:  # noqa: ANN401
        """Return a JSON value; the usual case has nothing before it, and a line's end after it."""
        try:
            value, end = self._scan(text, 0)
        except StopIteration:
            return self._decoder.decode(text.lstrip("\ufeff"))
        return value if len(text) - end <= 1 or not text[end:].strip() else self._decoder.decode(text)

    def taken(self, record: Any, number: int) -> Taken | None:  # noqa: ANN401
        """Return what is taken from a parsed object; None if it has nothing that a diagnosis reads."""
        if not isinstance(record, dict):
            self.problems.add("is not a JSON object: left out", number)
            return None
        if MARK in record:
            self._read_header(record)
            return None
        layers = record.get("layers")
        if self._layers is not None and isinstance(layers, dict):
            return self._row_of_recorder(record, layers, number)
        return self._flat(record)

    def _flat(self, record: dict[str, Any]) -> Taken | None:
        keys, nested = tuple(record), dict in map(type, record.values())
        plan = self._plans.get((keys, nested)) or self._planned(record, keys, nested)
        if plan.whole:
            return self._whole(record)
        if plan.nested:
            return self._flat(dict(flattened(record)))
        if not plan.layout.columns:
            return None
        values = plan.pick(record)
        return plan.layout, self._with_runs(values, plan.layout.columns) if plan.layout.tells_runs else values

    def _with_runs(self, values: tuple[Any, ...], columns: Sequence[Column]) -> tuple[Any, ...]:
        """Return the values of rows, with numbers for the names of runs."""
        names = [column.quantity == "run" for column in columns]
        return tuple(self.run_number(one) if names[at % len(names)] else one for at, one in enumerate(values))

    def _planned(self, record: Mapping[str, Any], keys: tuple[str, ...], nested: bool) -> Plan:
        """Find out what records with these keys hold, and remember it."""
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self.seen.update(key for key in keys[:MOST_PLANS] if len(self.seen) < MOST_PLANS)
        names = chosen(keys, self._wanted)
        if any(key.endswith(SUMMARY) for key in keys) and names.get(LOSS, "").endswith("train_loss"):
            del names[LOSS]  # the mean of the whole run, after its last step
        picking = picking_rows if is_table(record, names) else picking_columns
        if picking is picking_columns:  # a layer's norm that no number can be read of isn't one that is missing
            odd = {one for one, name in names.items() if one.layer and one.quantity != "run" and is_odd(record[name])}
            names = {column: name for column, name in names.items() if column not in odd}
        held = [record[name] for column, name in names.items() if column.quantity in ("loss", PART, "grad_norm")]
        whole = all(isinstance(value, dict) for value in held) and any(True for _ in self._as_columns(record))
        layout = Layout(names, names.values(), self._kind)
        plan = Plan(layout, picking(list(names.values())), nested and picking is picking_columns, whole)
        self._plans[keys, nested] = plan
        return plan

    def _as_columns(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield an object that is a whole run as columns, if any of them is judged."""
        return (columns for columns in as_columns(record) if _judged(chosen(list(columns), self._wanted)))

    def _whole(self, record: Mapping[str, Any]) -> Taken | None:
        """Return the rows of an object that is a whole run."""
        columns = next(self._as_columns(record), None)
        return None if columns is None else self._flat(columns)

    def _read_header(self, header: Mapping[str, Any]) -> None:
        """Take the layers' names and the clipping from a recorder's header."""
        version, layers, clip = header[MARK], header.get("layers"), header.get("clip")
        if not isinstance(version, int) or version > FORMAT:
            raise GradcheckError(f"was written by a later version of gradcheck (format {version!r}, here {FORMAT})")
        self.format = "a recorder's file"
        names = layers if isinstance(layers, list) else []
        self._layers = [str(name)[:LONGEST_NAME] for name in names[:MOST_LAYERS]]
        self._recorded.clear()
        if isinstance(clip, dict) and isinstance(clip.get("threshold"), int | float):
            self.clip = str(clip.get("rule"))[:LONGEST_NAME], float(clip["threshold"])

    def _row_of_recorder(self, record: dict[str, Any], layers: dict[str, Any], number: int) -> Taken | None:
        """Return a record whose layers' numbers are in lists, in the header's order."""
        names = self._layers or []
        keys = (*record, "", *layers)
        known = self._recorded.get(keys)
        if known is None:
            taken = chosen(tuple(key for key in record if key != "layers"), self._wanted)
            quantities = [key for key in layers if key in LAYER_QUANTITIES]
            of_layers = (Column(quantity, name) for quantity in quantities for name in names)
            layout = Layout(chain(taken, of_layers), taken.values(), self._kind)
            known = self._recorded[keys] = layout, quantities
        layout, quantities = known
        values = [record[name] for name in layout.names]
        for quantity in quantities:
            listed = layers[quantity]
            if not isinstance(listed, list) or len(listed) < len(names):
                self.problems.add("has other layers than the header: left out", number)
                return None
            values += listed[: len(names)]
        return layout, tuple(values)


def _judged(columns: Iterable[Column]) -> bool:
    """Whether there is a loss or a norm among columns."""
    return any(column.quantity in ("loss", PART, "grad_norm") for column in columns)


def _joined(rows: list[Taken]) -> LogRow:
    """Return neighbouring rows of one layout as one."""
    return rows[0][0], numbers([value for _, row in rows for value in row])
