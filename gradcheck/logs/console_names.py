"""What the numbers of a console's line are by their names and places, beyond what is written before each of them."""

import re
from collections.abc import Collection, Iterable, Sequence

from gradcheck.logs.columns import Column, meaning
from gradcheck.logs.console_values import Pair
from gradcheck.logs.words import is_part, quantity_of, words

#: Names that mean a step, an epoch or a loss in a console only.
SHORT = {
    "s": "step", "it": "step", "itn": "step", "up": "step", "ep": "epoch", "e": "epoch",
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

#: What may stand before a number at the beginning of a line that is its step, and after it; a day has a month there.
_BEFORE_STEP, _AFTER_STEP = "[(#> \t", "])|:, \t"
_DAY = re.compile(r"(?i)\s*(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")

#: Digits of a number that is no step: a date, or seconds since 1970.
MOST_DIGITS = 9

#: Numbers beside the norm of the weights, as scikit-learn prints it.
BESIDE_WEIGHTS = "nnzs"

#: Letters with a number after them, before a name: ``E12 iter``.
_COUNTED = re.compile(r"^[A-Za-z]{1,5}\d+\s+")

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


def is_no_step(name: str, number: str) -> bool:
    """Whether a number has the name of a step and a fraction: it is a time, ``Batch (t): 1.211``."""
    whole, point, fraction = number.partition(".")
    return bool(point and whole.isdecimal() and fraction.strip("0")) and meaning(name) == Column("step")


def stepped(found: Iterable[Pair], shape: tuple[str, ...], numbers: Sequence[str]) -> list[Pair]:
    """Return the numbers with their names, where a step stands between a loss and its name: ``Train loss 120 2.31``."""
    pairs = _led(list(found), shape, numbers)
    for at, pair in enumerate(pairs):
        behind = pair.place + 1
        if (
            behind < len(numbers)
            and not shape[behind].strip()
            and numbers[pair.place].isdecimal()
            and not numbers[behind].isdecimal()
            and quantity_of(words(pair.name)) == "loss"
        ):
            step, loss = pair._replace(name="step"), pair._replace(place=behind)
            return [*pairs[:at], step, loss, *(one for one in pairs[at + 1 :] if one.place != behind)]
    return pairs


def _led(found: list[Pair], shape: tuple[str, ...], numbers: Sequence[str]) -> list[Pair]:
    """Return the numbers with those at the line's beginning: the step, ``120 | loss 2.31``, or the epoch before it."""
    placed = any(meaning(one.name) in (STEP, EPOCH) or (one.total and not one.name) for one in found)
    if placed or not any(one.name for one in found) or not leads(shape):
        return found
    of_epoch = not shape[1].strip(_AFTER_STEP) and numbers[1].isdecimal() and shape[2][:1] in _AFTER_STEP
    places = (0, 1) if of_epoch else (0,)
    if any(not numbers[at].isdecimal() or len(numbers[at]) > MOST_DIGITS for at in places):
        return found
    named = [Pair(name, at, None, True) for name, at in zip(("epoch", "step")[-len(places) :], places, strict=True)]
    return [*named, *(one for one in found if one.place not in places)]


def leads(shape: tuple[str, ...]) -> bool:
    """Whether a line begins with a number that has no name and no unit."""
    if shape[0].strip(_BEFORE_STEP) or shape[1:3] == (":", ":"):  # a time
        return False
    return shape[1][:1] in _AFTER_STEP and not _DAY.match(shape[1])


def rank_among(found: Iterable[Pair]) -> int:
    """Return the place of the number of the process that printed a line; −1 if it doesn't say."""
    return next((pair.place for pair in found if words(pair.name)[-1:] == ("rank",)), -1)


def parts_beside(names: Collection[str], own: Collection[str]) -> list[str]:
    """Return the names of parts of a loss that stand beside the whole one."""
    return [name for name in names if name not in own and is_part(words(name))]
