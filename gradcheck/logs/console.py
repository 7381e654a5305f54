"""The text that a training run prints, whichever program wrote it."""

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gradcheck.logs.columns import BAR, NOTHING, Column, Layout
from gradcheck.logs.console_kinds import PROVISIONAL, STEP, TRAINING, Kind, Kinds, Plan
from gradcheck.logs.console_lines import Bar, cells, epoch_bar, is_rule, last_words, overflow, plain, without_bar
from gradcheck.logs.console_values import cut, pairs
from gradcheck.logs.json_records import JsonRecords
from gradcheck.logs.lines import Problems, Reader
from gradcheck.logs.numbers import MISSING, NOT_A_NUMBER, LogRow, numbers, texts

#: Longer lines are no rows of a console.
LONGEST_LINE = 2**16

#: Shapes that are remembered, and those that are tried first.
MOST_SHAPES, TRIED = 2000, 4

#: Rows that are passed on together.
TOGETHER = 256

#: Steps among which one that another process prints again is looked for: so many processes print each.
RECENT = 16

#: Lines without any of these are no rows, and say nothing of an epoch.
TELLING = ("loss", "norm", "epoch", "nll", "trl", "objective", "cost", "step", "iter", "ce:", "ce=", "xent")

#: Overflows before the first row that are remembered.
MOST_OVERFLOWS = 1000

#: The kind of rows that are JSON objects among lines of text.
OBJECTS = "{\0"


class Console(Reader):
    """Turns the lines of a console into rows; the kinds of rows are told apart, and one of them is judged.

    Parameters
    ----------
    problems : Problems
    wanted : mapping, optional
        A quantity ↦ the name of its column.

    Attributes
    ----------
    last_word : str
        The error that the program ended of; empty if it didn't, or went on.
    """

    format = "console output"

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING) -> None:
        super().__init__(problems)
        self.kinds = Kinds(wanted)
        self.seen = self.kinds.seen
        self.last_word = ""
        self._objects = JsonRecords(Problems(), wanted, OBJECTS)
        self._plans: dict[tuple[str, tuple[str, ...]], Plan | None] = {}
        self._tried: list[Plan] = []
        self._bar: Bar | None = None
        self._moved = False
        self._epoch = MISSING
        self._table: dict[str, str] = {}
        self._section = ""
        self._waiting: list[tuple[float, float]] = []
        self._kind: Kind | None = None

    def worth(self, key: str) -> int:
        """Return what the rows of a kind are worth."""
        return next((kind.worth for kind in self.kinds.kinds if kind.key == key), TRAINING)

    def rows(self, lines: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield the rows of the lines, neighbours of one layout together."""
        held: LogRow | None = None
        for line in lines:
            if not line and held:
                yield held
                held = None
            for row in self._rows(line) if line else ():
                if held and row[0] is held[0] and len(held[1]) < TOGETHER * len(row[1]):
                    held[1].extend(row[1])
                    continue
                if held:
                    yield held
                held = row
        if held:
            yield held
        yield from self._end_table()

    def _rows(self, line: bytes) -> Iterable[LogRow]:
        """Return the rows of a line: mostly none or one."""
        text = line.decode("utf-8", "replace").strip()
        if "\x1b" in text:
            text = plain(text).strip()
        if self._table:
            return self._read(text)
        if not text:
            return ()
        for place, plan in enumerate(self._tried):
            found = plan.pattern.match(text) if plan.pattern else None
            if found:
                if place:
                    self._tried.insert(0, self._tried.pop(place))
                return self._taken(plan, found.groups())
        return self._read(text)

    def _read(self, text: str) -> Iterator[LogRow]:
        """Yield the rows of a line that was not foreseen."""
        if len(text) > LONGEST_LINE:
            self.problems.add(f"is longer than {LONGEST_LINE >> 10} KiB: left out", 1)
            return
        if text.startswith('{"'):
            yield from self._object(text)
            return
        if "%" in text and "|" in text:
            text, bar, rest = without_bar(text)
            if bar is not None:
                self._moved = self._moved or bar != self._bar
                self._bar = bar
            if rest:
                yield from self._read(rest)
            if bar is not None and not text:
                return
        yield from self._told(text)

    def _told(self, text: str) -> Iterator[LogRow]:
        """Yield the rows of a line without a bar, and remember what it says of those to come."""
        lower = text.lower()
        scale = overflow(text)
        if scale is not None:
            yield from self._overflow(scale)
        elif (pair := cells(text)) is not None:
            yield from self._cell(*pair)
        elif _tells(lower):
            yield from self._line(text)
        elif self._table and (not text or is_rule(text)):
            yield from self._end_table()
        if word := last_words(text):
            self.last_word = word

    def _line(self, text: str) -> Iterator[LogRow]:
        bar = epoch_bar(text)
        frame, worth = "", TRAINING
        if bar is not None:
            text, at, ends = bar
            frame, worth = ("the end of an epoch", TRAINING) if ends else ("the bar of an epoch", PROVISIONAL)
            self._bar, self._moved = at, True
        shape, values = cut(text)
        if len(values) == 1 and not frame and not shape[1].strip() and (one := next(pairs(shape), None)):
            yield from self._single(one.name, values[0])
            return
        yield from self._end_table()
        plan = self._plan(shape, values, frame, worth)
        if plan is None:
            self._remember_epoch(shape, values)
            return
        yield from self._taken(plan, [values[place] for place in plan.places])

    def _plan(self, shape: tuple[str, ...], values: list[str], frame: str, worth: int) -> Plan | None:
        key = frame, shape
        if key not in self._plans:
            if len(self._plans) >= MOST_SHAPES:
                self._plans.clear()
            plan = self._plans[key] = self.kinds.plan(shape, values, frame, worth)
            if plan is not None and plan.pattern is not None:
                self._tried = [plan, *self._tried][:TRIED]
        return self._plans[key]

    def _remember_epoch(self, shape: tuple[str, ...], values: list[str]) -> None:
        """Take the epoch from a line that says nothing else, as ``Epoch 3/20``."""
        for pair in pairs(shape):
            if pair.name.lower() == "epoch" and pair.training:
                self._epoch = _value(values[pair.place])

    def _single(self, name: str, value: str) -> Iterator[LogRow]:
        """Take a line with one number, beside its neighbours: together they are a row."""
        if name in self._table:
            yield from self._end_table()
        if name.lower() == "epoch":
            yield from self._end_table()
            self._epoch = _value(value)
        self._table[name] = value

    def _cell(self, name: str, value: str) -> Iterator[LogRow]:
        """Take a line of a table of two columns; one without a number is a heading of those below."""
        if name.endswith("/") and not value:
            self._section = name
            return
        yield from self._single(self._section + name, value)

    def _end_table(self) -> Iterator[LogRow]:
        """Yield the row that the lines before made together."""
        table, self._table, self._section = self._table, {}, ""
        if len(table) > 1 or (table and next(iter(table)).lower() != "epoch"):
            shape = (*(f"\n{name}: " for name in table), "")
            plan = self._plan(shape, list(table.values()), "lines together", TRAINING)
            if plan is not None:
                yield from self._taken(plan, [list(table.values())[place] for place in plan.places])

    def _object(self, text: str) -> Iterator[LogRow]:
        """Yield the row of a JSON object among lines of text."""
        try:
            found = self._objects.taken(json.loads(text), 1)
        except (ValueError, RecursionError):
            yield from self._told(text)
            return
        if found is not None:
            self.last_word = ""
            yield found[0], numbers(found[1])

    def _taken(self, plan: Plan, groups: Sequence[str]) -> Iterable[LogRow]:
        """Return a row: the numbers of its line, and what the lines before said of it."""
        kind, values = plan.kind, _values(groups)
        if plan.step < 0:
            values.append(self._bar_step(kind))
        elif self._is_repeated(kind, values[plan.step], values, plan):
            return ()
        if plan.epoch < 0:
            values.append(MISSING if kind.fractional else self._epoch)
        elif kind.fractional and plan.step < 0:
            values[plan.epoch] = MISSING
        if plan.lacks_loss:
            values.append(NOT_A_NUMBER if self._is_lost(plan, values) else MISSING)
        self.last_word = ""
        self._kind = kind
        row = plan.layout, values
        return (*self._overflowed(kind), row) if self._waiting else (row,)

    def _bar_step(self, kind: Kind) -> float:
        """Return the step that the bar before a row shows; MISSING if it didn't move."""
        bar, moved, self._moved = self._bar, self._moved, False
        if kind.key.startswith("the end of an epoch") or bar is None or not moved:
            return MISSING
        if math.isnan(kind.bar_total):
            kind.bar_total = bar.total
        return bar.at if bar.total == kind.bar_total else MISSING

    def _is_repeated(self, kind: Kind, step: float, values: "array[float]", plan: Plan) -> bool:
        """Whether another process printed the same step just before: of several rows one is enough, if it is finite."""
        back = kind.last - step
        again = not plan.inside and step in kind.recent and back <= kind.interval
        if again:
            return not any(math.isinf(value) for value in values)
        if step > kind.last:
            kind.interval = step - kind.last
        kind.last = step
        kind.recent = [*kind.recent[1 - RECENT :], step]
        return False

    def _is_lost(self, plan: Plan, values: "array[float]") -> bool:
        """Whether a loss is left out of a row because it isn't finite: other numbers of the row say so."""
        held = dict(zip(plan.layout.columns, values, strict=False))
        if held.get(Column("overflow"), 0.0) > 0:
            return False
        norms = [value for column, value in held.items() if column.quantity == "grad_norm"]
        return held.get(Column("nan_steps"), 0.0) > 0 or any(map(math.isinf, norms)) or not norms

    def _overflow(self, scale: str) -> Iterator[LogRow]:
        """Remember a step that was skipped; it belongs to the rows of the kind before it."""
        step = self._bar.at if self._bar is not None else MISSING
        one = step, _value(scale) if scale else MISSING
        if len(self._waiting) < MOST_OVERFLOWS and one not in self._waiting[-1:]:
            self._waiting.append(one)
        if self._kind is not None:
            yield from self._overflowed(self._kind)

    def _overflowed(self, kind: Kind) -> Iterator[LogRow]:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        layout = Layout((STEP, Column("overflow"), Column("loss_scale")), (BAR, "overflow", "loss scale"), kind.key)
        for step, scale in waiting:
            yield layout, array("d", [step, 1.0, scale])


def _values(groups: Sequence[str]) -> "array[float]":
    """Return numbers as they are written in a line."""
    try:
        row = array("d", map(float, groups))
        return row if math.isfinite(sum(row)) else texts(groups)
    except ValueError:
        return array("d", map(_value, groups))


def _tells(line: str) -> bool:
    """Whether a line in lower case may be a row, or say something of one."""
    for word in TELLING:  # noqa: SIM110 - a generator takes twice the time
        if word in line:
            return True
    return False


def _value(text: str) -> float:
    return texts([text.replace(",", "")])[0]
