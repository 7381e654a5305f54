"""The text that a training run prints, whichever program wrote it."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from gradcheck.logs.columns import NOTHING, meaning
from gradcheck.logs.console.code import Block
from gradcheck.logs.console.commas import Commas
from gradcheck.logs.console.context import value_of
from gradcheck.logs.console.kinds import EPOCH, OF_AN_EPOCH, PROVISIONAL, STEP, TRAINING, UNNAMED
from gradcheck.logs.console.lines import (
    TELLING,
    Bar,
    epoch_bar,
    is_drawn,
    is_error,
    is_history,
    is_of_unfit,
    last_words,
    of_bar,
    only_bar,
    parted,
    plain,
    stated,
    tells,
    without_bar,
)  # fmt: skip
from gradcheck.logs.console.names import is_judged, objectives_named
from gradcheck.logs.console.reader import ConsoleReader
from gradcheck.logs.console.redrawn import Ended, joined, redrawn
from gradcheck.logs.console.rows import Plan
from gradcheck.logs.console.tables import cells, header, heads_two, is_rule, numbered, of_numbers, row_below, starts
from gradcheck.logs.console.values import cut, pairs, pattern_of
from gradcheck.logs.lines import Problems
from gradcheck.logs.numbers import LogRow, numbers
from gradcheck.logs.readers.documents import as_json
from gradcheck.logs.readers.json_records import JsonRecords

#: Longer lines are no rows of a console, and neither are those with more numbers.
LONGEST_LINE, MOST_NUMBERS = 2**13, 300

#: Shapes that are remembered, and those that are tried first.
MOST_SHAPES, TRIED = 2000, 4

#: The first lines that nothing is read from: what their numbers are called is named where there are no others.
PASSED_OVER = 20

#: The kind of rows that are JSON objects among lines of text.
OBJECTS = "{\0"


class Console(ConsoleReader):
    """Turns the lines of a console into rows; the kinds of rows are told apart, and one of them is judged."""

    def __init__(self, problems: Problems, wanted: Mapping[str, str] = NOTHING, head: bytes = b"") -> None:
        super().__init__(problems, wanted, head)
        self._objects = JsonRecords(Problems(), wanted, OBJECTS)
        self._plans: dict[tuple[str, tuple[str, ...]], Plan | None] = {}
        self._met: set[tuple[str, tuple[str, ...]]] = set()
        self._tried: list[tuple[re.Pattern[str], Plan]] = []
        self._table: dict[str, str] = {}
        self._telling = (*TELLING, *map(str.lower, wanted.values()))
        self._ahead: dict[str, str] = {}
        self._carried: tuple[str, ...] = ()
        self._ended = ""
        self._head: tuple[str, ...] = ()
        self._above = ""
        self._columns: tuple[int, ...] = ()
        self._indent = 0
        self._section = ""
        self._block = Block()
        self._bars = Ended()
        self._commas = Commas()

    def rows(self, lines: Iterator[bytes]) -> Iterator[LogRow]:
        """Yield the rows of the lines, neighbours of one layout together."""
        yield from joined(redrawn(lines, self.context), self._rows, self.context)
        yield from self._end_table()
        yield from self.context.rest()

    def _rows(self, line: bytes) -> Iterable[LogRow]:
        """Return the rows of a line: mostly none or one."""
        whole = line.decode("utf-8", "replace")
        text = whole.strip()
        ruled = not text.isascii() and ("│" in text or "┃" in text)
        if ruled or "\x1b" in text or "`" in text or " std" in text[:48]:
            whole = plain(text)
            text = whole.strip("` \t")
        if self._commas.seen:
            text = self._commas.pointed(text)
        if self._table:
            return self._end_table(code=True) if self._block.has(whole, text) else self._read(text, whole)
        if not text:
            return ()
        for place, (pattern, plan) in enumerate(self._tried):
            if found := pattern.match(text):
                if place:
                    self._tried.insert(0, self._tried.pop(place))
                if plan.parts and ("inf" in text or "nan" in text or "NaN" in text):
                    self.context.see_lost_parts(plan, cut(text)[1])
                return self.context.row(plan, found.groups())
        if text.endswith("]") and (bar := only_bar(text)):
            self.context.see_bar(bar)
            return ()
        return () if self._block.has(whole, text) else self._read(text, whole)

    def _read(self, text: str, whole: str = "") -> Iterator[LogRow]:
        """Yield the rows of a line that was not foreseen; `whole` has the blanks around it, too."""
        self._indent = len(whole) - len(whole.lstrip())
        if text.startswith("{'") and is_history(text):
            yield from self._object(as_json(text))
            return
        if len(text) > LONGEST_LINE:
            self.problems.add(f"is longer than {LONGEST_LINE >> 10} KiB: left out", 1)
            return
        if text.startswith('{"'):
            yield from self._object(text)
            return
        if "━" in text and self._bars.has(text):
            return
        drawn = is_drawn(text)
        if drawn or ("%" in text and ("|" in text or "% " in text)):
            parts = parted(text)
            if len(parts) > 1:
                for part in parts:
                    yield from self._read(part)
                return
            text, bar, rest = without_bar(text)
            if bar is not None:
                if any(map(is_judged, self._table)):  # that row belongs to the bar before
                    yield from self._end_table()
                self.context.see_bar(bar)
                self.kinds.heading_of_bar(of_bar(text))
            if rest:
                yield from self._read(rest)
            if bar is not None and not text:
                return
            self.context.drawn = drawn
        yield from self._told(text)
        self.context.drawn = False

    def _told(self, text: str) -> Iterator[LogRow]:
        """Yield the rows of a line without a bar, and remember what it says of those to come."""
        self.context.validating = self.kinds.validating
        self._commas.see(text)
        text = of_numbers(objectives_named(self._commas.pointed(text)))
        lower = text.lower()
        word, above, self._above = last_words(text), self._above, ""
        if word:
            yield from self._end_table()
        if (event := self.context.event(text, lower)) is not None:
            yield from event
        elif self._head and (below := row_below(self._head, text, self._columns, self._indent)):
            yield from self._framed(below, "below a header")
        elif (pair := cells(text)) is not None:
            yield from self._cell(*pair)
        elif self._table and (part := numbered(text)) is not None:
            yield from self._single(*part)
        elif told := stated(text):
            for name, value in told:
                yield from self._single(name, value)
        elif (unnamed := self._unnamed.rows(text, self.kinds.is_named)) is not None:
            yield from self._end_table()
            for one in unnamed:
                yield from self._framed(one, "a number after its step", UNNAMED)
        elif tells(lower, self._telling) and not (word and is_error(text)):
            yield from self._end_table(code=True) if self._block.is_beside(text) else self._line(text, above)
        elif self._table and (not text or is_rule(text)):
            yield from self._end_table()
        else:
            self._block.is_beside(text)
            self.kinds.heading(text)
            if len(self._passed_over) < PASSED_OVER:
                self._passed_over.append(text)
        if word and (is_of_unfit(word) or not is_of_unfit(self.context.last_word)):
            self.context.last_word = word

    def _line(self, text: str, above: str) -> Iterator[LogRow]:
        bar = epoch_bar(text)
        frame, worth = "", TRAINING
        if bar is not None:
            text, at, ends = bar
            frame, worth = ("the end of an epoch", TRAINING) if ends else (OF_AN_EPOCH, PROVISIONAL)
            self.context.see_bar(at)
            before, self._ended = self._ended, text.partition(" - ")[2].rstrip("\b ") if ends else ""
            if before and self._ended.startswith(f"{before} - "):  # Keras draws the last bar again, with a validation
                return
        shape, values = cut(text)
        if len(values) > MOST_NUMBERS:
            return
        if not values:
            self._see_header(text, above)
        if len(values) > 1 and shape[1].strip() == "(" and shape[2:] == (")",):  # the mean beside it
            shape, values = (shape[0], ""), values[:1]
        if len(values) == 1 and not frame and not shape[1].strip(" ,;|)]}") and (one := next(pairs(shape), None)):
            self.kinds.heading(text)
            yield from self._single(one.name, values[0])
            if shape[1].strip().endswith("}"):
                yield from self._end_table()
            return
        yield from self._end_table()
        plan = self._plan(shape, values, frame, worth)
        if plan is None:
            self._remember(shape, values)
            return
        if plan.parts:
            self.context.see_lost_parts(plan, values)
        yield from self.context.row(plan, [values[place] for place in plan.places])

    def _see_header(self, text: str, above: str) -> None:
        """Take a line without a number for the header of a table, if it is one."""
        self._above = text
        if names := header(text, self.kinds.wanted, above):
            self._head, self._columns = names, tuple(self._indent + at for at in starts(names, text))

    def _plan(self, shape: tuple[str, ...], values: list[str], frame: str, worth: int) -> Plan | None:
        key = frame, shape
        if key not in self._plans:
            if len(self._plans) >= MOST_SHAPES:
                self._plans.clear()
                self._met.clear()
            self._plans[key] = self.kinds.plan(shape, values, frame, worth)
        elif key not in self._met and not frame and (plan := self._plans[key]) is not None:
            self._met.add(key)  # twice: most shapes of bars come once, and a pattern takes longer than many a line
            self._tried = [(pattern_of(shape, plan.places), plan), *self._tried][:TRIED]
        return self._plans[key]

    def _remember(self, shape: tuple[str, ...], values: list[str]) -> None:
        """Take step and epoch from a line with no number to judge: ``Epoch 3/20``, ``[step=10/900, epoch=0]``."""
        self.kinds.heading("".join(shape))
        named = [(pair, meaning(pair.name)) for pair in pairs(shape) if pair.name and pair.training]
        counted = any(column == STEP and pair.total is None for pair, column in named)
        for pair, column in named:
            if column == EPOCH:
                self.context.epoch = value_of(values[pair.place])
            elif column == STEP and not (counted and pair.total is not None):  # a place in the epoch beside it
                self._table[pair.name] = values[pair.place]

    def _single(self, name: str, value: str) -> Iterator[LogRow]:
        """Take a line with one number, beside its neighbours: together they are a row."""
        if name in self._carried:  # this table has a step of its own
            self._table = {one: other for one, other in self._table.items() if one not in self._carried}
            self._carried = ()
        if name in self._table and not (self._table[name] == value and meaning(name) == STEP):
            yield from self._end_table()
        if name.lower() == "epoch":
            yield from self._end_table()
            self.context.epoch = value_of(value)
        if not self._table and self._ahead:
            self._table, self._ahead = {one: step for one, step in self._ahead.items() if one != name}, {}
            self._carried = tuple(self._table)
        self._table[name] = value

    def _cell(self, name: str, value: str) -> Iterator[LogRow]:
        """Take a line of a table of two columns; one without a number is a heading of those below."""
        if name.endswith("/") and not value:
            self._section = name
            return
        if heads_two(name, value):
            self._head = (name, value)
            return
        yield from self._single(self._section + name, value)

    def _end_table(self, code: bool = False) -> Iterator[LogRow]:
        """Yield the row that the lines before made together; sums that begin just before code are none."""
        table, self._table, self._carried, self._section = self._table, {}, (), ""
        if code and not any(value.strip("0.") for value in table.values()):
            return
        if len(table) > 1 or (table and next(iter(table)).lower() != "epoch"):
            rows = list(self._framed(table, "lines together"))
            if not rows:
                self._ahead = {name: value for name, value in table.items() if meaning(name) == STEP}
                for value in self._ahead.values():
                    self.context.see_bar(Bar(value_of(value), math.inf))
            yield from rows

    def _framed(self, table: Mapping[str, str], frame: str, worth: int = TRAINING) -> Iterator[LogRow]:
        """Yield the row of numbers whose names don't stand before them."""
        values = list(table.values())
        plan = self._plan((*(f"\n{name}: " for name in table), ""), values, frame, worth)
        if plan is not None:
            yield from self.context.row(plan, [values[place] for place in plan.places])

    def _object(self, text: str) -> Iterator[LogRow]:
        """Yield the row of a JSON object among lines of text."""
        try:
            found = self._objects.taken(self._objects.parsed(text), 1)
        except (ValueError, RecursionError):
            yield from self._told(text) if len(text) <= LONGEST_LINE else ()
            return
        if found is not None:
            self.context.last_word = ""
            yield found[0], numbers(found[1])
