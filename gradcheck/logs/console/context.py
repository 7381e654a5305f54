"""What the lines before a row of a console say of it: its step and epoch, the rows of other processes, overflows."""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

from gradcheck.logs.columns import BAR, Column, Layout
from gradcheck.logs.console.kinds import EPOCH, NEGATIVE, STEP, TRAINING
from gradcheck.logs.console.lines import Bar, overflow, saved, skips, step_within
from gradcheck.logs.console.rows import Kind, Plan
from gradcheck.logs.lines import LostPart
from gradcheck.logs.numbers import MISSING, NOT_A_NUMBER, LogRow, texts

#: Steps among which one that another process prints again is looked for: so many processes print each.
RECENT = 16

#: Checkpoints that are remembered.
MOST_CHECKPOINTS = 1000

#: What the column of steps is called that were skipped without a word of a loss scale.
SKIPPED = "skipped steps"

#: Overflows before the first row that are remembered.
MOST_OVERFLOWS = 1000


class Context:
    """Makes rows of the numbers in lines, in the order of the lines."""

    def __init__(self) -> None:
        self.bar: Bar | None = None  # where the progress bar was last
        self.epoch = MISSING  # the last one that stood by itself
        self.last_word = ""  # the error that the program ended of; empty if it went on
        self.checkpoints: list[float] = []  # steps of those that were saved, as far as they are known
        # the line that is read holds a bar: of what it shows at one place, the last is of the step
        self.drawn = False
        self.drawn_again = False  # the row that was just made takes the place of the one before it
        self.validating = False  # the last heading was one of a validation
        self._moved = False
        self._waiting: list[tuple[float, float, float]] = []  # step, how many, and the scale after them
        self._kind: Kind | None = None
        self._skipped = "overflow"

    def see_bar(self, bar: Bar) -> None:
        """Remember where the bar is."""
        self._moved = self._moved or bar != self.bar
        self.bar = bar

    def see_lost_parts(self, plan: Plan, values: Sequence[str]) -> None:
        """Remember which parts of a finite loss aren't finite in a row whose numbers are given."""
        at = plan.step + (0 <= plan.rank <= plan.step)  # the rank has a place, and is no column
        step = value_of(values[plan.places[at]]) if plan.step >= 0 else MISSING
        for name, place in plan.parts:
            if not math.isfinite(value := value_of(values[place])) and not math.isnan(value):
                before = plan.kind.lost_parts.get(name, LostPart(step, value, 0, MISSING))
                if step != before.last:  # or another process says the same
                    plan.kind.lost_parts[name] = before._replace(rows=before.rows + 1, last=step)

    def save(self, step: float) -> None:
        """Remember a checkpoint; one whose step isn't said is of the last row."""
        if math.isnan(step) and self._kind is not None:
            step = self._kind.last
        if math.isfinite(step):
            self.checkpoints = [*self.checkpoints[-MOST_CHECKPOINTS:], step]

    def row(self, plan: Plan, groups: Sequence[str]) -> Iterable[LogRow]:
        """Return a row: the numbers of its line, and what the lines before said of it."""
        kind, self.drawn_again = plan.kind, False
        values = _own_values(plan, groups)
        if values is None:
            return ()
        lost = [place for place, value in enumerate(values) if math.isinf(value)] if plan.is_skipped else []
        for place in lost:
            values[place] = MISSING
        if plan.leads and not (kind.rises and not values[plan.step] <= kind.last):
            kind.rises, values[plan.step] = False, MISSING  # a number of a process, or of anything else
        if plan.step < 0:
            if self.drawn and self.validating and self.bar and self.bar.total != kind.bar_total == kind.bar_total:
                return ()  # below the heading of a validation, and as long as that is
            values.append(self._bar_step(kind, plan))
        elif self._is_old(kind, values[plan.step], values, plan):
            return ()
        self._complete(plan, values)
        kind.rows += 1
        if kind.rows > 1:  # a line of the kind before an error: the program went on
            self.last_word = ""
        self._kind = kind if kind.worth == TRAINING else self._kind or kind
        if lost:
            self._skipped = SKIPPED
            self._waiting.append((values[plan.step] if plan.step >= 0 else MISSING, 1.0, MISSING))
        row = plan.layout, values
        if not self._waiting:
            return (row,)
        held = dict(zip(plan.layout.columns, values, strict=True))
        return (*self._overflowed(kind, held[STEP], held[EPOCH]), row)

    def _complete(self, plan: Plan, values: "array[float]") -> None:
        """Add what the lines before say of a row: its epoch, a lost loss, when it was, how long the epoch is."""
        clock, fractional = MISSING, plan.kind.fractional
        if plan.epoch < 0:
            values.append(MISSING if fractional else self.epoch)
        elif fractional and plan.step < 0:
            clock, values[plan.epoch] = values[plan.epoch], MISSING
        if plan.lacks_loss:
            values.append(NOT_A_NUMBER if self._is_lost(plan, values) else MISSING)
        if plan.is_clock:
            values.append(clock)
        if len(values) < len(plan.layout.columns):
            values.append(self.bar.total if self.bar else MISSING)

    def _bar_step(self, kind: Kind, plan: Plan) -> float:
        """Return the step that the bar before a row shows; MISSING if it didn't move."""
        bar, moved, self._moved = self.bar, self._moved, False
        if kind.key.startswith("the end of an epoch") or bar is None or not moved:
            return step_within(self.last_word) if self.last_word else MISSING
        counted = plan.epoch >= 0 or (self.epoch == self.epoch and not kind.between)
        if bar.at == bar.total and counted and not kind.fractional:  # one bar an epoch
            return MISSING
        if bar.at == bar.total and not kind.rows and kind.worth == TRAINING:  # of what came before the training
            return MISSING
        kind.between = kind.between or bar.at < bar.total
        if math.isnan(kind.bar_total):
            kind.bar_total = bar.total
        return bar.at if bar.total == kind.bar_total else MISSING

    def _is_old(self, kind: Kind, step: float, values: "array[float]", plan: Plan) -> bool:
        """Whether a row is there already; what a bar draws anew at the same place replaces the row before.

        A bar that moves shows the numbers of the step before first, and one that is set back those of the last epoch.
        """
        if self.drawn and (plan.epoch >= 0 or not plan.inside):  # else nothing tells epochs apart
            at, numbers = kind.drawn
            beside = values[:]
            where = values[plan.step], values[plan.epoch] if plan.epoch >= 0 else 0.0
            beside[plan.step] = beside[plan.epoch if plan.epoch >= 0 else plan.step] = 0.0
            others = beside.tobytes()
            if at and where[0] < at[0] and numbers == others:
                kind.drawn = ((), others) if where[0] else kind.drawn  # one that is set back moves on from there
                return True
            kind.drawn, self.drawn_again = (where, others), where == at
            if self.drawn_again:
                return False
        return self._is_repeated(kind, step, values, plan)

    def _is_repeated(self, kind: Kind, step: float, values: "array[float]", plan: Plan) -> bool:
        """Whether another process printed the same step just before: of several rows one is enough, if it is finite."""
        finite = not any(map(math.isinf, values))
        key = step, (values[plan.epoch] if plan.epoch >= 0 else self.epoch if self.epoch == self.epoch else 0.0)
        if (not plan.inside or plan.epoch >= 0) and key in kind.recent and 0 <= kind.last - step <= kind.interval:
            again = finite or not kind.recent[key]
            kind.recent[key] = finite
            return again
        if step > kind.last:
            kind.interval = step - kind.last
        kind.last = step
        kind.recent[key] = finite
        if len(kind.recent) > RECENT:
            del kind.recent[next(iter(kind.recent))]
        return False

    def _is_lost(self, plan: Plan, values: "array[float]") -> bool:
        """Whether a loss is left out of a row because it isn't finite: other numbers of the row say so."""
        held = dict(zip(plan.layout.columns, values, strict=False))
        if held.get(Column("overflow"), 0.0) > 0:
            return False
        norms = [value for column, value in held.items() if column.quantity == "grad_norm"]
        return held.get(Column("nan_steps"), 0.0) > 0 or any(map(math.isinf, norms)) or not norms

    def event(self, text: str, lower: str) -> Iterable[LogRow] | None:
        """Take a line that tells of a checkpoint, or of a step that was skipped; return None of any other."""
        if ("checkpoint" in lower or "sav" in lower) and (step := saved(text)) is not None:
            self.save(step)
            return ()
        if (scale := overflow(text)) is not None:
            return self._overflow(scale)
        if skips(text):
            self._skipped = SKIPPED
            return self._overflow("", step_within(text))
        return None

    def _overflow(self, scale: str, step: float = MISSING) -> Iterator[LogRow]:
        """Remember a step that was skipped; it belongs to the rows of the kind before it."""
        step = self.bar.at if self.bar is not None and math.isnan(step) else step
        left = value_of(scale) if scale else MISSING
        before = self._waiting[-1:]
        again = self._skipped != SKIPPED and bool(before)
        if again and (math.isnan(step), left) == (math.isnan(before[0][0]), before[0][2]) and not step > before[0][0]:
            return  # another process says the same
        full = len(self._waiting) >= MOST_OVERFLOWS
        if before and math.isnan(step) and (full or self._kind is not None):
            self._waiting[-1] = step, before[0][1] + 1, left
        elif not full:
            self._waiting.append((step, 1.0, left))
        if self._kind is not None and not math.isnan(step):
            yield from self._overflowed(self._kind)

    def rest(self) -> Iterator[LogRow]:
        """Yield the steps that were skipped after the last row; of a log without any row all of them, one by one."""
        if self._kind is not None:
            yield from self._overflowed(self._kind)
            return
        layout = Layout(
            (STEP, Column("overflow"), Column("loss_scale")), (BAR, self._skipped, "loss scale"), "overflows"
        )
        for skipped in self._waiting:
            yield layout, array("d", skipped)

    def _overflowed(self, kind: Kind, at: float = MISSING, epoch: float = MISSING) -> Iterator[LogRow]:
        """Yield the steps that were skipped before a row; its step is theirs, where they had none."""
        waiting, self._waiting = _together(self._waiting), []
        if not waiting:
            return
        names = kind.names.get(STEP, BAR), self._skipped, "loss scale", kind.names.get(EPOCH, "epoch")
        layout = Layout((STEP, Column("overflow"), Column("loss_scale"), EPOCH), names, kind.key)
        for step, count, scale in waiting:
            yield layout, array("d", [at if math.isnan(step) else step, count, scale, epoch])


def _own_values(plan: Plan, groups: Sequence[str]) -> "array[float] | None":
    """Return the numbers of a row's line; None where another process prints the same step."""
    if plan.rank < 0:
        values = _values(groups)
    else:
        kind, rank = plan.kind, groups[plan.rank]
        values = _values([*groups[: plan.rank], *groups[plan.rank + 1 :]])
        kind.rank = kind.rank or rank
        if rank != kind.rank and not any(map(math.isinf, values)):
            return None
    if plan.instead >= 0:
        values[plan.instead] = _changed(values[plan.instead], plan.change)
    return values


def _changed(value: float, how: str) -> float:
    """Return the loss that a number stands for, as far as it is one: its logarithm, or its negative."""
    if how == NEGATIVE:
        return value if math.isinf(value) else -value
    return math.log(value) if 0 < value < math.inf else value


def _together(waiting: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Return overflows with neighbours that have no step of their own as one, with the last scale."""
    found: list[tuple[float, float, float]] = []
    for step, count, scale in waiting:
        joins = bool(found) and math.isnan(step) and math.isnan(found[-1][0])
        before = found.pop()[1] if joins else 0.0
        found.append((step, before + count, scale))
    return found


def _values(groups: Sequence[str]) -> "array[float]":
    """Return numbers as they are written in a line."""
    try:
        row = array("d", map(float, groups))
        return row if math.isfinite(sum(row)) else texts(groups)
    except ValueError:
        return array("d", map(value_of, groups))


def value_of(text: str) -> float:
    """Return a number as it is written in a line; one that is none may be padded, ``nanxxx``."""
    return texts([text.replace(",", "").rstrip("x")])[0]
