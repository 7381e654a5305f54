"""What the numbers of a console's line are by their names and places, beyond what is written before each of them."""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from gradcheck.logs.columns import Column, meaning
from gradcheck.logs.console.values import Pair
from gradcheck.logs.words import PERPLEXITY, VALIDATION, is_part, quantity_of, words

#: Names that mean a step, an epoch or a loss in a console only.
SHORT = {
    "s": "step", "i": "step", "it": "step", "itn": "step", "up": "step", "ep": "epoch", "e": "epoch",
    "训练次数": "step", "迭代次数": "step", "步数": "step", "轮次": "epoch", "轮数": "epoch",
    "score at iteration": "loss",
}  # fmt: skip

#: Words at the end of a name that mean an epoch: ``INFO Train: 3 [350/735]``.
LAST = {"train": "epoch", "training": "epoch", "trn": "epoch"}

#: Names of a place among others that say nothing else.
PLACES = frozenset(("samples", "batch", "process", "progress"))

#: Words of a loss, or of a time.
BATCH_COST = {"batch", "cost"}

STEP, EPOCH = Column("step"), Column("epoch")

#: What says of a row when it was, and is no result.
COUNTERS = ("step", "epoch", "lr", "time")

#: Words of a counter that counts finer than steps, and how both stand in a line: ``iter 1152 step 144``.
ITERATION = frozenset(("iter", "iteration"))
_TWO_COUNTERS = re.compile(rb"(?i)\biter(?:ation)?[ =:]{1,2}(\d+)[ ,|]{1,3}step[ =:]{1,2}(\d+)\b")

#: A step in thousands, as LeRobot prints it.
_ROUNDED = re.compile(rb"(?i)\bsteps?[ =:]{1,2}\d+(?:\.\d+)?[KM]\b.{0,100}\bloss")

#: What may stand before a number at the beginning of a line that is its step, and after it; a day has a month there.
_BEFORE_STEP, _AFTER_STEP = "[(#> \t", "])|:, \t"
_DAY = re.compile(r"(?i)\s*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")

#: What parts a loss from its step in brackets: ``batch_loss[ 120 ]: 2.31``.
INDEXED = " ]):=\t"

#: What parts the first of several steps from the last: ``avg. loss [201-400]: 2.31``.
RANGE = frozenset(("-", "–", ":", ".."))

#: What stands before a step in brackets behind that.
_BEHIND_LOGGER = re.compile(r"^\]\s+\[$")

#: Digits of a number that is no step: a date, or seconds since 1970.
MOST_DIGITS = 9

#: Numbers beside the norm of the weights, as scikit-learn prints it.
BESIDE_WEIGHTS = "nnzs"

#: Letters with a number after them, before a name: ``E12 iter``.
_COUNTED = re.compile(r"^(?:[A-Za-z]{1,5}|_)\d+\s+")

#: What Kaldi maximises, and of which output; those beside the main one have names of their own.
_OBJECTIVE = re.compile(
    r"(?:\bobjective function|\blog-(?:probability|likelihood))(?: for '(?P<output>[\w.-]+)')?"
    r"(?: for minibatches (?P<first>\d+)-\d+)? is (?=[-+]?(?:\d|\.\d|nan|inf))|\bObj\(log\[Pzx\]\) = "
)


def objectives_named(text: str) -> str:
    """Return a line in which what Kaldi maximises has a name: ``objf: -0.24 per frame``; any other as it is."""
    if "bjective function" not in text and "log-" not in text and "Obj(" not in text:
        return text
    return _OBJECTIVE.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    auxiliary = "" if found["output"] in (None, "output") else "auxiliary "
    return (f", step {found['first']}, " if found["first"] else "") + f"{auxiliary}objf: "


def bare(name: str) -> str:
    """Return a name without letters and a number that are counted before it."""
    return _COUNTED.sub("", name).strip()


def held_out(found: Iterable[Pair], is_row: bool) -> list[str]:
    """Return the names of a validation's results; of lines that are no rows those of its loss alone."""
    names = [one.name for one in found if one.name and not one.training and one.total is None]
    if is_row:
        names = [name for name in names if (column := meaning(name)) is None or column.quantity not in COUNTERS]
        return [name if VALIDATION.intersection(words(name)) else f"validation {name}" for name in names]
    return [name for name in names if {"loss", *PERPLEXITY} & {quantity_of(own := _bare_words(name)), *own[-1:]}]


def _bare_words(name: str) -> tuple[str, ...]:
    """Return the words of a validation's number but those that say so; none of any other."""
    own = words(name)
    return tuple(word for word in own if word not in VALIDATION) if VALIDATION.intersection(own) else ()


def is_judged(name: str) -> bool:
    """Whether a name means a loss or a norm."""
    column = meaning(name)
    return column is not None and column.quantity in ("loss", "grad_norm")


def is_no_step(name: str, number: str) -> bool:
    """Whether a number has the name of a step and a fraction: it is a time, ``Batch (t): 1.211``."""
    whole, point, fraction = number.partition(".")
    return bool(point and whole.isdecimal() and fraction.strip("0")) and meaning(name) == Column("step")


def has_finer(text: bytes) -> bool:
    """Whether neighbouring rows of a console have one step and several iterations: gradients are accumulated."""
    counters = [(found[1], found[2]) for found in _TWO_COUNTERS.finditer(text)]
    return any(step == after and at != next_ for (at, step), (next_, after) in pairwise(counters))


def has_rounded(text: bytes) -> bool:
    """Whether steps of a console are rounded to thousands, ``step:31K``: several rows have the same."""
    return bool(_ROUNDED.search(text))


def finer_than(step: str, places: Iterable[str]) -> str:
    """Return the name of the iteration beside a step; that of the step if there is none."""
    return next((name for name in places if ITERATION.intersection(words(name))), step)


def stepped(found: Iterable[Pair], shape: tuple[str, ...], numbers: Sequence[str]) -> list[Pair]:
    """Return the numbers with their names, where a step stands between a loss and its name: ``Train loss 120 2.31``.

    One number that says both the epoch and the step, ``epoch/iter: 14/2990``, has two names.
    """
    pairs = _led([_placed(one, shape) for pair in found for one in _halves(pair)], shape, numbers)
    for at, pair in enumerate(pairs):
        behind = pair.place + 1
        if (
            behind < len(numbers)
            and not shape[behind].strip(INDEXED)
            and numbers[pair.place].isdecimal()
            and not numbers[behind].isdecimal()
            and quantity_of(words(pair.name)) == "loss"
        ):
            step, loss = pair._replace(name="step"), pair._replace(place=behind)
            return [*pairs[:at], step, loss, *(one for one in pairs[at + 1 :] if one.place != behind)]
    return pairs


def _placed(pair: Pair, shape: tuple[str, ...]) -> Pair:
    """Return a number that stands behind a range of steps, ``loss [201-400]: 0.3``, or is a place among others.

    Of ``Finished training it 20/900`` the last word counts; ``Training: 20/900`` says only what is counted.
    """
    at, last = pair.place, pair.name.lower().split()[-1:]
    if pair.total is None:
        ranged = shape[at][-1:] in ("[", "(") and shape[at + 1].strip() in RANGE and shape[at + 2 : at + 3]
        return pair._replace(place=at + 2) if ranged and not shape[at + 2].strip(INDEXED) else pair
    if last and last[0] in LAST and "/" not in map(str.strip, shape[pair.total + 1 :]):
        return pair._replace(name="")
    return pair._replace(name=last[0]) if last and last[0] in SHORT else pair


def _halves(pair: Pair) -> list[Pair]:
    """Return two counters with a slash between their names as two numbers: ``epoch/iter: 14/2990``."""
    first, slash, second = pair.name.rpartition("/")
    if not slash or pair.total is None or (meaning(first), meaning(second)) != (EPOCH, STEP):
        return [pair]
    return [pair._replace(name=first, total=None), pair._replace(name=second, place=pair.total, total=None)]


def _led(found: list[Pair], shape: tuple[str, ...], numbers: Sequence[str]) -> list[Pair]:
    """Return the numbers with those at the line's beginning: the step, ``120 | loss 2.31``, or the epoch before it."""
    placed = any(meaning(one.name) in (STEP, EPOCH) or (one.total and not one.name) for one in found)
    if found and not found[0].name and found[0].total and found[0].place == 1 and _is_before_a_place(shape):
        return [Pair("epoch", 0, None, True), *found] if numbers[0].isdecimal() else found
    if placed or not any(one.name for one in found):
        return found
    if not leads(shape):
        behind = next((at for at in range(1, len(numbers)) if _is_bracketed(shape, at) and numbers[at].isdecimal()), 0)
        return [Pair("step", behind, None, True), *found] if behind else found
    of_epoch = not shape[1].strip(_AFTER_STEP) and numbers[1].isdecimal() and shape[2][:1] in _AFTER_STEP
    places = (0, 1) if of_epoch else (0,)
    if any(not numbers[at].isdecimal() or len(numbers[at]) > MOST_DIGITS for at in places):
        return found
    named = [Pair(name, at, None, True) for name, at in zip(("epoch", "step")[-len(places) :], places, strict=True)]
    return [*named, *(one for one in found if one.place not in places)]


def _is_before_a_place(shape: tuple[str, ...]) -> bool:
    """Whether a number at the beginning is the epoch before a place in it: ``[2: 35/100]``."""
    return shape[0].strip() == "[" and shape[1].strip() == ":"


def _is_bracketed(shape: tuple[str, ...], at: int) -> bool:
    """Whether a number stands alone in brackets behind what a logger begins a line with: ``train.py:300] [500] | ``."""
    return bool(_BEHIND_LOGGER.search(shape[at])) and shape[at + 1][:1] == "]"


def leads(shape: tuple[str, ...]) -> bool:
    """Whether a line begins with a number that has no name and no unit."""
    timed = shape[1:3] == (":", ":") or (not shape[1].strip() and shape[2:4] == (":", ":"))  # perhaps after a date
    if shape[0].strip(_BEFORE_STEP) or timed:
        return False
    return shape[1][:1] in _AFTER_STEP and not _DAY.match(shape[1])


def rank_among(found: Iterable[Pair]) -> int:
    """Return the place of the number of the process that printed a line; −1 if it doesn't say."""
    return next((pair.place for pair in found if words(pair.name)[-1:] == ("rank",)), -1)


def parts_beside(names: Collection[str], own: Collection[str]) -> list[str]:
    """Return the names of parts of a loss that stand beside the whole one."""
    return [name for name in names if name not in own and is_part(words(name))]
