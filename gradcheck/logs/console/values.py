"""Numbers in a line of a console, and what each is called: no list of trainers, only how people write numbers down.

A line is cut at its numbers. What is left between them is its shape: the same for all lines that one print statement
wrote. A number's name is the end of the text before it: ``loss: 2.1``, ``loss=2.1``, ``loss 2.1``, ``[loss] 2.1``,
``'loss': '2.1'``, ``"loss": tensor(2.1)`` and ``| loss | 2.1 |`` all say ``loss``.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.logs.words import VALIDATION as HELD_OUT
from gradcheck.logs.words import quantity_of, words

#: A number, in a group of its own, with the blanks before it, so that padding makes no other shape.
_VALUE = (
    r"[-+]?(?:\d\.#[A-Z]+\d*|\d{1,3}(?:,\d{3})+(?:\.\d*)?(?!\d)|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
    r"|(?<!of )(?i:nanx*|inf(?:inity)?|none|null|n/a)(?!\w))"
)
VALUE = rf"(?<![ \t])[ \t]*+(?:(?<![A-Za-z0-9_.])|(?<=\dT))((?>{_VALUE}))"
NUMBER = re.compile(VALUE)

#: The same where the texts around it are known: no step of it is taken back, which halves the time.
_KNOWN = (
    r"[ \t]*+{}[-+.\d][.\d]*+(?:,\d{{3}})*+(?:\.\d++)?+(?:[eE][-+]?\d++)?+"
    r"|[-+]?(?i:nanx*+|\d\.#[a-z]+\d*+|inf(?:inity)?|none|null|n/a)\b)"
)

#: What may stand around a number.
_WRAPPER = re.compile(
    r"\b(?:(?:np|numpy|torch|jnp|jax|tf)\.)?(?:tensor|[Aa]rray|[Tt]ensor|b?float\d*|double|Decimal|scalar)\($"
)

#: Blanks, quotes and brackets between a number and its name; what separates them; a remark in brackets.
_AROUND, _SEPARATORS, _CLOSING = " \t\"'`([{<*", " \t:=：＝|→~≈", " \t\"'`])}>"
_REMARK = re.compile(r"\s*\([^()]*\)$")

#: Arithmetic in a source file, ``loss + 0.5 * norm(x) * (1 + s)``, where a ``*`` of Markdown has no blank before it.
_OPERATOR = re.compile(r"[\w)\]]\s+(?:[+*/]|[-+*/]=)[\s(\[{]*$")

#: A norm as mathematics has it: ``|grad|``, ``||g||``, ``‖g‖``.
_BETWEEN_BARS = re.compile(r"(?i)(?:\|{1,2}|‖)\s*(?:g|grad|gradient|∇\w*)\s*(?:\|{1,2}|‖)\s*[:=]?\s*$")

#: What a name doesn't reach beyond; ``training's multi_logloss`` is one.
_BREAK = re.compile(r"[,;，；、。|{}()\[\]<>\"`:=：＝\t]|(?<!\w)'|'(?!s )|\s{2,}|\s[-–—•·>*]+\s|^\s*[-–—•·>*]+\s")

#: What ends before a name does: a sentence; what may stand between a name and its number; places in a source file.
_SENTENCE, _VERB = re.compile(r".*\w\.\s+(?=[A-Z])"), re.compile(r"\s+(?:is|was)$")
_SOURCE = re.compile(r"\.(?:py|cc|cpp|cu|cuh|hpp|rs|go|java|kt|scala|jl|lua|js|ts|ipynb)$")

#: Words of a name that nothing but a blank parts from its number; more are a sentence.
MOST_WORDS = 5

#: Letters that follow a number at once.
_UNIT = re.compile(r"[A-Za-z%°µ]+(?:/[A-Za-z]+)?")

#: Units that are no names, whatever follows them: ``359.5s : 3007 words/s``.
_MEASURES = frozenset(("s", "ms", "sec", "secs", "min", "h", "k", "m", "b", "mb", "gb", "gib", "mib", "it", "x"))

#: Units that are names: ``1epoch``, ``90batch``.
NAMING_UNITS = frozenset(("epoch", "batch", "step", "steps", "iter", "iters"))

#: Words of lines that aren't of the training, standing alone.
VALIDATION = re.compile(
    r"(?i)(?<![\w/.-])(?:val|valid|validation|validating|eval|evaluation|evaluating|test|testing)(?![\w/.])"
)

#: Words of lines that are of the training.
TRAINING = re.compile(r"(?i)(?<![\w/.])(?:train|training)(?![\w/.])")

#: A quantity that is named before its place: ``Cost after iteration 100: 0.69``, ``loss at step 3/40 = 2.1``.
_BEFORE_PLACE = re.compile(
    r"(?i)(?P<what>.*?)\s*\b(?:after|at|in|for|on|of)\s+(?:the\s+)?(?P<place>(?:iteration|iter|step|epoch|update|batch)s?)"
)

#: What leads from a place to the number of places.
_OF = frozenset(("/", "of", "out of"))

#: A name after its number, and what parts it from what follows.
_BEHIND = re.compile(r"\s++([A-Za-z][A-Za-z_]*+(?: [A-Za-z_]++)*+)\s*+(?:([,;|])|\Z)")

#: What changes from line to line in the text before a row: words with digits, days, months, halves of a day.
_PASSING = re.compile(
    r"[\w-]*\d[\w-]*|\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|am|pm)\b"
)

#: What follows a number that is rounded, and no other: ``31K``.
_THOUSANDS = re.compile(r"^[kKMGB](?![\w/])")

#: The picture of a progress bar, ``[###   ]``: it changes from row to row.
_PICTURE = re.compile(r"\[[#=>*█▉▊▋▌▍▎▏░▒▓\s]*\]|\|[#=>*█▉▊▋▌▍▎▏░▒▓\s]*\|")

#: The end of the text before a number that has a name, and not only words before it.
_KEYED = re.compile(r"[:=：＝|][\s\"'(\[]*$")


#: That the step of a row was skipped, in words that name no number: ``grad norm: inf (skipped)``.
_SKIPPED = re.compile(r"(?i)(?<!not )(?<!\w)skip(?:s|ped|ping)\b(?!\s*[:=]|\s+\w*\s*[:=])")


class Pair(NamedTuple):
    """A number in a line."""

    name: str  # empty if there is none
    place: int  # which of the line's numbers it is
    total: int | None  # which of them is the number of places, in ``350/735``
    training: bool  # False where words about it say that it is of a validation


def cut(line: str) -> tuple[tuple[str, ...], list[str]]:
    """Return the shape of a line, the texts around its numbers, and the numbers."""
    parts = NUMBER.split(line)
    return tuple(parts[::2]), parts[1::2]


def pairs(shape: Sequence[str]) -> Iterator[Pair]:
    """Yield the numbers of a shape that have a name or a total."""
    lead, heading, judged = bool(VALIDATION.search(shape[0])), False, False
    skipped, announced = -1, ""
    for place, gap in enumerate(shape[:-1]):
        after = shape[place + 1]
        unit = _UNIT.match(after)
        total = place + 1 if after.strip().lower() in _OF and place + 2 < len(shape) else None
        if place == skipped or (total and _is_date(shape, place)):
            continue
        skipped = total or -1
        name = name_of(gap, first=not place) or _name_behind(shape, place)
        if unit and unit.group()[0].isupper() and quantity_of(words(name)) in ("loss", "grad_norm"):
            unit = None  # another line, glued to it: ``loss: 44.411Batch 3``
        if unit and unit.group().lower() in NAMING_UNITS:
            name = unit.group()
        elif unit and unit.group().lower() not in ("of",):
            continue
        if before := _BEFORE_PLACE.fullmatch(name):
            announced, name = before["what"] or name_of(gap[: gap.rindex("(")] if "(" in gap else ""), before["place"]
            if announced and not quantity_of(words(announced)):
                announced = f"{announced} at {name}"
        elif announced:
            announced, name = "", name if name not in ("", "is", "was") else announced
        told = VALIDATION.search(gap)
        heading = (heading or bool(told and not judged and not VALIDATION.search(name))) and not TRAINING.search(gap)
        judged = judged or "loss" in name.lower() or "norm" in name.lower()
        if name or total is not None:
            yield Pair(name, place, total, not (lead or heading or told))


def _name_behind(shape: Sequence[str], place: int) -> str:
    """Return the name after a number, ``1: 519.8, 519.8 avg loss, 0.001 rate``, if it is known; mostly none."""
    if shape[place].strip()[-1:] not in ("", ",", ";", "|", ":"):
        return ""
    after = _BEHIND.match(shape[place + 1])
    if after is None:
        return ""
    name, next_ = after[1], _BEHIND.match(shape[place + 2]) if place + 2 < len(shape) else None
    if after[2] is None and place + 2 < len(shape):  # no more than a blank before the next number: its own name
        return ""
    if name == "avg" and next_ is not None and next_[1] == "rate":  # of a loss
        return "avg loss"
    return name if quantity_of(words(name)) else ""


def _is_date(shape: Sequence[str], place: int) -> bool:
    """Whether two numbers with a slash between them are a day and a month, as a time follows, or of two times."""
    after = shape[place + 2 : place + 4]
    if list(after) == [":", ":"]:
        return True
    return len(after) == 2 and not after[0].strip(" /-") and (after[1].startswith(":") or after[0].startswith("/"))


def name_of(gap: str, first: bool = False) -> str:
    """Return the name at the end of the text before a number."""
    if _BETWEEN_BARS.search(gap):
        return "grad norm"
    if _OPERATOR.search(gap):
        return ""
    text = _WRAPPER.sub("", gap.rstrip(_AROUND[:5] + "[")).rstrip(_AROUND)
    text = _WRAPPER.sub("", text + "(") if not text.endswith(_SEPARATORS[2]) and gap.rstrip().endswith("(") else text
    text = _REMARK.sub("", text.rstrip(_AROUND).rstrip(_SEPARATORS)).rstrip(_CLOSING).rstrip(_SEPARATORS)
    if not first and (unit := _UNIT.match(text)) and (" " in text or unit.group().lower() in _MEASURES):
        text = text[unit.end() :]
    name = _BREAK.split(text)[-1]
    before = _SENTENCE.match(name)
    name = name[before.end() :] if before and not HELD_OUT.intersection(words(before[0])) else name
    name = name.strip(" \t\n-–—*#.%")
    parted = gap.rstrip(_AROUND)[-1:] in (*_SEPARATORS[2:], *_CLOSING[2:])
    is_none = _SOURCE.search(name) or (name.count(" ") >= MOST_WORDS and not parted)
    return "" if is_none else _VERB.sub("", name)


def lead_of(shape: Sequence[str], last: int) -> str:
    """Return the words of a shape up to a number: lines of one print statement have the same."""
    texts = (_THOUSANDS.sub("", text) for text in shape[: last + 1])
    words_before = _PICTURE.sub("[]", " ".join(texts).lower())
    return " ".join(_PASSING.sub("", words_before).split())[:200]


def is_skipped(shape: Sequence[str]) -> bool:
    """Whether a row says that its step was skipped."""
    texts = (*(f"{gap}:" for gap in shape[:-1]), shape[-1])  # what a number follows may be its name
    return any("skip" in text.lower() and _SKIPPED.search(text) for text in texts)


def pattern_of(shape: Sequence[str], wanted: Sequence[int]) -> re.Pattern[str]:
    """Return the pattern of all lines of a shape; its groups are the wanted numbers."""
    captured = set(wanted)
    values = [_KNOWN.format("(" if place in captured else "(?:") for place in range(len(shape) - 1)]
    texts = [re.escape(text) for text in shape]
    return re.compile("".join(one for pair in zip(texts, [*values, ""], strict=True) for one in pair) + r"\s*\Z")


def is_keyed(gap: str) -> bool:
    """Whether a colon or the like ends what is before a number."""
    return bool(_KEYED.search(gap))


def keyed_names(line: str) -> Iterator[str]:
    """Return the names of a line's numbers that a colon or the like parts from them."""
    shape, _ = cut(line)
    return (one.name for one in pairs(shape) if one.name and is_keyed(shape[one.place]))
