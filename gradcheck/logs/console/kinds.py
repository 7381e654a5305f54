"""Kinds of rows in the text of a console: which of them a line belongs to, and what is taken from it."""

from collections.abc import Mapping, Sequence

from gradcheck.logs.columns import BAR, NOTHING, PART, Column, Layout, chosen
from gradcheck.logs.console.names import (
    BATCH_COST,
    BESIDE_WEIGHTS,
    LAST,
    PLACES,
    SHORT,
    bare,
    finer_than,
    held_out,
    is_no_step,
    leads,
    parts_beside,
    rank_among,
    stepped,
)
from gradcheck.logs.console.rows import Kind, Plan
from gradcheck.logs.console.values import TRAINING as OF_TRAINING
from gradcheck.logs.console.values import VALIDATION as OF_VALIDATION
from gradcheck.logs.console.values import Pair, is_keyed, is_skipped, lead_of, pairs
from gradcheck.logs.words import (
    is_a_guess,
    is_a_total,
    is_an_error,
    is_batch_cost,
    is_maximised,
    is_perplexity,
    says_training,
    words,
)

#: Of a line so much is looked through for what it is about.
LONGEST_HEADING = 80

#: Kinds that are told apart.
MOST_KINDS = 256

#: Shorter words before a row are those of many.
SHORTEST_LEAD = 4

#: Names that are remembered.
MOST_NAMES = 1000

#: What a kind is worth: rows of a validation are read if there are no others, those of a bar that is drawn over if
#: there are hardly any others, and numbers that have a step and no name if there is nothing else at all.
UNNAMED, VALIDATION, PROVISIONAL, TRAINING = range(-1, 3)

#: What lines with a bar of an epoch are taken out of.
OF_AN_EPOCH = "the bar of an epoch"

#: What is done to a number that stands for the loss.
LOGARITHM, NEGATIVE = "ln", "−"

#: What stands for a loss in a line without one.
INSTEAD = (is_perplexity, is_maximised, is_a_total, is_an_error)

STEP, EPOCH, LENGTH, LOSS, NORM, TIME = map(Column, ("step", "epoch", "epoch_length", "loss", "grad_norm", "time"))


def changed(name: str) -> str:
    """Return what is done to a number by this name that stands for the loss; empty of a loss itself."""
    return LOGARITHM if is_perplexity(name) else NEGATIVE if is_maximised(name) else ""


class Kinds:
    """The kinds of rows in a log, found as its lines come.

    Parameters
    ----------
    wanted : mapping
        A quantity ↦ the name of its column.
    finer : bool
        Rows are told apart by their iteration, not by their step.
    rounded : bool
        Steps are rounded: they tell no rows apart, and are left out.
    """

    def __init__(self, wanted: Mapping[str, str] = NOTHING, finer: bool = False, rounded: bool = False) -> None:
        self.wanted, self.finer, self.rounded = wanted, finer, rounded
        self.validating = False  # the last heading was one of a validation
        self._of_bar = False
        self._last_bar = "", False, False  # the words before the last bar, and what they led to
        self.kinds: list[Kind] = []
        self.seen: set[str] = set()  # the names of numbers
        self.keyed: set[str] = set()  # those that a colon or the like parts from them
        self.held_out: set[str] = set()  # those of a validation
        self._layouts: dict[tuple[object, ...], Layout] = {}

    def plan(self, shape: tuple[str, ...], numbers: Sequence[str], frame: str, worth: int) -> Plan | None:
        """Return what is taken from lines of a shape; None if there is nothing to judge in it.

        Parameters
        ----------
        shape, numbers : sequence of str
            The texts around the numbers, and those of the first line.
        frame : str
            What the line was taken out of; empty: it is a whole line.
        worth : int
        """
        found = stepped(pairs(shape), shape, numbers)
        places = self._places(found)
        if len(self.seen) < MOST_NAMES:
            self.seen.update(list(places)[:100])
            self.keyed.update(name for name, place in places.items() if is_keyed(shape[place]))
        own = self._chosen(places, numbers)
        if not any(column.quantity in ("loss", "grad_norm", PART) for column in own):
            validating = self._places([pair._replace(training=True) for pair in found])
            own, worth = self._chosen(validating, numbers), VALIDATION
            places = validating
            if not any(column in (LOSS, NORM) for column in own) or is_a_guess(own.get(LOSS, "")):
                self._hold_out(found, False)
                return None
        self._hold_out(found, True)
        if is_a_guess(own.get(LOSS, "")):
            worth = UNNAMED
        first = min(places[name] for name in own.values())
        lead = frame or lead_of(shape, first)
        return self._planned(own, places, found, lead, worth, shape, numbers, bool(frame))

    @property
    def is_named(self) -> bool:
        """Whether there were rows whose loss, or norm, has a name."""
        return any(kind.worth > UNNAMED for kind in self.kinds)

    def heading(self, line: str) -> None:
        """Remember what a line that is no row is about."""
        if OF_VALIDATION.search(line[:LONGEST_HEADING]):
            self.validating = True
        elif OF_TRAINING.search(line[:LONGEST_HEADING]):
            self.validating = self._of_bar = False

    def heading_of_bar(self, words: str) -> None:
        """Remember what a progress bar is of, by the words before it: it says nothing of what other bars are of."""
        if self._last_bar == (words, self.validating, self._of_bar):
            return
        if OF_VALIDATION.search(words):
            self._of_bar = self._of_bar or not self.validating
            self.validating = True
        elif words and self._of_bar:
            self.validating = self._of_bar = False
        self._last_bar = words, self.validating, self._of_bar

    def _hold_out(self, found: Sequence[Pair], is_row: bool) -> None:
        """Remember the names of a validation's numbers."""
        if len(self.held_out) < MOST_NAMES:
            self.held_out.update(held_out(found, is_row))

    def _places(self, found: Sequence[Pair]) -> dict[str, int]:
        """Return the names of numbers of the training, and their places: of several with one name the first one's."""
        places: dict[str, int] = {}
        for pair in found:
            name = bare(pair.name)
            if name and pair.training:
                places.setdefault(name, pair.place)
        return places

    def _chosen(self, places: Mapping[str, int], numbers: Sequence[str]) -> dict[Column, str]:
        """Return the names of the columns; a loss that is no number counts only if there is no other."""
        if "step" not in self.wanted:
            places = {name: place for name, place in places.items() if not is_no_step(name, numbers[place])}
        held = [name for name in places if not (numbers[places[name]].lower() == "nan" and "loss" in name.lower())]
        columns = chosen(list(places), self.wanted)
        if self.rounded and "step" not in self.wanted:
            columns.pop(STEP, None)
        if self.finer and STEP in columns and "step" not in self.wanted:
            columns[STEP] = finer_than(columns[STEP], places)
        if LOSS in columns and columns[LOSS] not in held and "loss" not in self.wanted:
            columns[LOSS] = chosen(held).get(LOSS, columns[LOSS])
        if not any(column.quantity in ("loss", PART) for column in columns) and is_batch_cost(places):
            columns.update((LOSS, name) for name in places if set(words(name)) == BATCH_COST)
        for name in places:
            quantity = SHORT.get(name.lower()) or LAST.get(name.lower().split()[-1])
            if quantity and Column(quantity) not in columns and quantity not in self.wanted:
                columns[Column(quantity)] = name
        if BESIDE_WEIGHTS in map(str.lower, places) and "grad_norm" not in self.wanted:
            columns = {column: name for column, name in columns.items() if column != NORM}
        counts = {name for name, place in places.items() if is_a_total(name) and numbers[place].isdecimal()}
        instead = next((name for stands in INSTEAD for name in places if stands(name) and name not in counts), "")
        lacks_loss = "loss" not in self.wanted and not any(one.quantity in ("loss", PART) for one in columns)
        if instead and lacks_loss and (not is_a_guess(instead) or columns.keys() & {STEP, EPOCH}):
            columns[LOSS] = instead
        return columns

    def _planned(
        self,
        own: dict[Column, str],
        places: Mapping[str, int],
        found: Sequence[Pair],
        lead: str,
        worth: int,
        shape: tuple[str, ...],
        numbers: Sequence[str],
        framed: bool,
    ) -> Plan | None:
        plain = not framed and LOSS in own and NORM not in own and not says_training(own[LOSS])
        if self.validating and plain and self._is_trained(lead, worth):
            lead, worth = f"validation {lead}", VALIDATION
            self._hold_out([Pair(own[LOSS], 0, None, False)], True)
        kind = self._kind(lead, worth, own, framed, any(pair.total is not None for pair in found))
        if kind is None:
            return None
        if any(other.inside and other.key == kind.key and other is not kind for other in self.kinds):
            own = {column: name for column, name in own.items() if column != STEP}  # two counters of the same steps
        lacks_loss = LOSS in kind.names and LOSS not in own
        counters = self._counters(found, own, places)
        kind.inside = inside = STEP in counters
        columns, at = [*own, *counters], [*(places[name] for name in own.values()), *counters.values()]
        order = sorted(range(len(at)), key=at.__getitem__)  # as the numbers stand in the line
        columns, at = [columns[place] for place in order], [at[place] for place in order]
        epoch = columns.index(EPOCH) if EPOCH in columns else -1
        if epoch >= 0 and "." in numbers[at[epoch]].rstrip("."):
            kind.fractional = True
        step = columns.index(STEP) if STEP in columns else -1
        columns += [STEP] if step < 0 else []
        columns += [EPOCH] if epoch < 0 else []
        columns += [LOSS] if lacks_loss else []
        is_clock = kind.fractional and epoch >= 0 and step < 0 and TIME not in own
        columns += [TIME] if is_clock else []
        columns += [LENGTH] if lead == OF_AN_EPOCH and step < 0 else []
        usual = {STEP: "the place in the epoch" if inside else BAR}
        names = [own.get(one) or kind.names.get(one) or usual.get(one, one.quantity) for one in columns]
        change = changed(own.get(LOSS, "")) if "loss" not in self.wanted else ""
        instead = columns.index(LOSS) if change else -1
        if change:
            names[instead] = f"{change}({names[instead]})"
        layout = self._layouts.setdefault((kind.key, *columns, *names), Layout(columns, names, kind.key))
        rank = -1 if framed else rank_among(found)
        at = sorted([*at, rank]) if rank >= 0 and rank not in at else at
        parts = tuple((name, places[name]) for name in parts_beside(places, own.values()) if LOSS in own and not framed)
        text = is_skipped(shape), at.index(rank) if rank in at else -1
        led = not framed and step == 0 == at[0] and leads(shape)
        return Plan(
            kind, layout, tuple(at), step, instead, change, epoch, inside, lacks_loss, is_clock, *text, led, parts
        )

    def _kind(self, lead: str, worth: int, own: dict[Column, str], framed: bool, placed: bool) -> Kind | None:
        """Return the kind with these words and numbers, or with some of them: rows may lack what isn't finite."""
        judged = {name for column, name in own.items() if column.quantity in ("loss", "grad_norm", PART)}
        for kind in self.kinds:
            others = set(kind.names.values())
            shared = judged <= others or all(
                name in judged for column, name in kind.names.items() if column in (LOSS, NORM)
            )
            led = lead in kind.leads or self._is_cut(kind, lead, own)
            if not framed and EPOCH in own and ((STEP in own) != (STEP in kind.names) or placed != kind.placed):
                continue  # what an epoch ends with, beside the rows of its steps
            if led and kind.worth == worth and shared and judged & others:
                kind.names = own | kind.names
                kind.leads.add(lead)
                return kind
        if len(self.kinds) >= MOST_KINDS:
            return None
        kind = Kind(self._key(worth, own) or f"{lead}\0{len(self.kinds)}", worth, dict(own), {lead}, placed)
        self.kinds.append(kind)
        return kind

    def _is_trained(self, lead: str, worth: int) -> bool:
        """Whether rows of the training begin with these words: others below the heading of a validation are of it."""
        return worth == TRAINING and any(lead in kind.leads and kind.worth == TRAINING for kind in self.kinds)

    def _is_cut(self, kind: Kind, lead: str, own: Mapping[Column, str]) -> bool:
        """Whether the only row so far is of the same kind, and a paste cut off what its line began with."""
        alone = len(self.kinds) == 1 and kind.rows <= 1 and kind.names == own
        return alone and any(len(one) >= SHORTEST_LEAD and lead.endswith(one) for one in kind.leads)

    def _key(self, worth: int, own: Mapping[Column, str]) -> str:
        """Return the name of the kind whose rows have the losses, for lines that have the norms alone; mostly none."""
        quantities = {column.quantity for column in own}
        if worth != TRAINING or "grad_norm" not in quantities or quantities & {"loss", PART}:
            return ""
        with_loss = (kind for kind in reversed(self.kinds) if kind.worth == TRAINING and LOSS in kind.names)
        one = next(with_loss, None)
        return one.key if one is not None and NORM not in one.names else ""

    def _counters(
        self, found: Sequence[Pair], own: Mapping[Column, str], places: Mapping[str, int]
    ) -> dict[Column, int]:
        """Return the places of the epoch and of the step within it, ``[2/10][350/735]``, if there is no other step."""
        counted = [pair for pair in found if pair.total is not None]
        nameless = [pair for pair in counted if not pair.name or PLACES & set(words(pair.name)[-1:])]
        if STEP in own or "step" in self.wanted or not nameless:
            return {}
        counters = {}
        if EPOCH in own:
            index = next((pair for pair in nameless if pair.place > places[own[EPOCH]]), nameless[-1])
        else:
            index = nameless[-1]
            if len(nameless) > 1:
                counters[EPOCH] = nameless[-2].place
        return counters | {STEP: index.place, LENGTH: index.total or 0}
