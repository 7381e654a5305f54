"""Lines of a console without what a terminal draws: colours, progress bars; and what a program says in words."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

#: Colours and movements of the cursor.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9])")

#: What the runtime of a container writes before a line: ``2031-01-02T03:04:05.67Z stdout F …``.
_CONTAINER = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP] ")

#: The bar of tqdm: ``  3%|##   | 20/600 [00:02<12:00,  2.2it/s``; what it is at, of how many, follow as ``20/600 [``.
#: A notebook draws it as a picture, and ``  3% 20/600 [`` is what its text has.
_BAR = re.compile(
    r"\d+%\s?(?:\|[^|]*\||(?= \d+/\d+ \[))\s*(\d+(?:\.\d+)?[kMG]?)/(\d+(?:\.\d+)?[kMG]?)\s*"
    r"\[[^,\]={]*(?:,\s*[^,\]={]*/[^,\]={]*)?,?"
)

#: The bar of rich, and of those who draw theirs as it does: ``━━━━╸━━━ 20/600 0:00:02 • 0:01:10 9.8it/s``,
#: ``12% ━─────── 1/8 1.4it/s 0.6s<4.9s``.
_RICH_BAR = re.compile(
    r"(?:\d+%\s+)?[━╸╺─]{5,}\s+(\d+)/(\d+)\s+(?=[-\d])(?:[-\d:]+ • [-\d:]+\s*)?(?:[\d.]+(?:it/s|s/it)\s*)?"
    r"(?:[\d.]+s(?:<[\d.:]+s?)?)?\s*"
)

#: A line with nothing but such a bar.
_ONLY_BAR = re.compile(r"[^%|\d]{0,80}\d{1,3}%\|[^|]*+\| *+(\d++)/(\d++) \[[^\]=]*+\]\Z")

#: The bar of Keras, of versions 1 and 2, and of 3: where it is, and the time that it shows.
_EPOCH_BAR = re.compile(r"^\s*(\d+)/(\d+)\s+(?:\[[=>.\-]*\]|[━─╸╺]+)(?=\s)")
_ETA = re.compile(r"\bETA\b")

#: The time that version 3 shows after it, where it is a minute and more: ``4:05 2s/step``.
_CLOCK = re.compile(r"\s*(?:\d+:)?\d+:\d\d(?=\s)")

#: Lines without any of these are no rows, and say nothing of an epoch.
TELLING = (
    "loss", "norm", "epoch", "nll", "trl", "objective", "cost", "step", "iter", "ce:", "ce=", "xent", " avg, ", "objf",
    "ppl", "perplexity", "rmse", "mse", "mae",
)  # fmt: skip

#: What the losses of two networks may be called that play against each other.
PLAYER = re.compile(r"(?<![\w/.])[gd](?:_[a-z])?(?:\s?[:=]|\s)\s*[-+]?(?:[\d.]|nan|inf)")

#: A line with one number, after the step that it is of in brackets: ``(Steps: 200) train/loss = 4.7488.``, or, behind
#: what a logger begins a line with, ``metrics.py:44] [200] loss = 4.7488``.
_STATED = re.compile(
    r"(?i).{0,100}?(?:\((?:global )?(?P<word>steps?|iter(?:ation)?s?)[:= ]\s*(?P<step>\d+)\)[\s:]+"
    r"|[]:|-]\s+\[(?P<bare>\d+)\]\s+)(?P<name>[a-z][\w/.-]*+)\s*[:=]\s*+"
    r"(?P<number>[-+]?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf))\.?\Z"
)

#: A dict whose first value is a list of several.
_HISTORY = re.compile(r"\{'[^']*': \[[^\]]*,")

#: How a program says that it ends of an error, or that it gives up; ``stop_at=3`` and ``exit code`` are no such verbs.
ERRORS = ("error: ", "exception: ", "interrupt: ", "error reported to coordinator: ")
_ERROR = re.compile(
    r"(?i)^(?:\W*rank ?\d+\W+|\w+:tensorflow:)?(?:[\w.]+\.)?(?:(?:runtime|value|type|fatal) )?\w*"
    r"(?:Error|Exception|Interrupt)(?: reported to coordinator)?: "
)
_LEVEL = re.compile(r"(?i)\W*(?:error|critical|fatal)\b")
STOPS = ("stop", "abort", "exit", "halt", "terminat", "diverg", "explod", "end")
_GIVES_UP = re.compile(rf"(?i)\b(?:{'|'.join(STOPS)})(?:p?ed|p?ing|e?s|e)?\b(?! code|\s*=)")

#: How it says that the reason is a number that isn't finite: ``loss is nan``, ``NaN or Inf found in loss``.
_JUDGED = r"(?:\w*loss(?:es|tensor)?|grad(?:ient)?s?|grad_?norm|outputs?)\b"
_NUMBER = r"(?:(?:-|\b)(?:nans?|infs?|infinite|infinity)|\bnon-?finite|\bnot finite|\binvalid|\bnot a number)\b"
_APART = r"[^\w.;,]+(?:[\w.]+[^\w.;,]+){0,5}?"
_UNFIT = re.compile(rf"(?i)\b{_JUDGED}{_APART}{_NUMBER}|{_NUMBER}{_APART}{_JUDGED}")

#: What is said of no number of the training: what would be done, what it was before, how many there were.
_UNREAL = re.compile(
    rf"(?i)\b(?:no|if|unless|without|never|from)\s+(?:a |any |the |\w*loss (?:is|was|were) )*{_NUMBER}"
    rf"|{_NUMBER}[^,.;]*?\s(?:-+>|→|to)\s*[-+]?\d|{_NUMBER}[^,.;]*:\s*0+\b|\bbest\b[^,.;]*{_NUMBER}"
)

#: How it says at which step.
_AT_STEP = re.compile(r"(?i)\b(?:(?:global )?step|iter|iteration|update)s?\b\W{0,3}(\d+)")

#: How a program says that it saved a checkpoint, and of which step.
_SAVED = re.compile(
    r"(?i)\b(?:sav(?:ed|es|ing)|wrote|writing|stor(?:ed|ing))\b.{0,80}(?:checkpoint|ckpt|\bmodel|weights)"
)
_SAVED_STEPS = tuple(
    re.compile(rf"(?i){words}")
    for words in (
        r"(?:step|iter(?:ation)?|update)s?[-_ =:#]*(\d+)", r"checkpoint[-_]?(\d+)",
        r"(\d+)[-_ ](?:step|iter(?:ation)?|update)s?\b",
    )
)  # fmt: skip

#: Of a line so much is looked through for them: the time grows with its third power.
LONGEST_WORDS = 300

#: How one says that a step was skipped because a gradient in half precision overflowed, and the loss scale after it.
_SCALE = re.compile(r"(?i)(?:reducing(?: loss scale)?|loss scale) to:? *([-+.\deE]+)")


#: How it says so of a step whose gradient or loss is not finite.
_SKIPS = re.compile(
    rf"(?i)\b{_JUDGED}(?:[ _]norm)? (?:is|are|was|were|has|have|contains?|became) (?:[a-z]+ ){{0,3}}{_NUMBER}"
    r"[^\d]{0,60}\bskip(?:s|ped|ping)\b"
)


class Bar(NamedTuple):
    """Where a progress bar is."""

    at: float
    total: float


def plain(line: str) -> str:
    """Return a line without what only a terminal obeys or a container adds, and with plain strokes between cells."""
    line = _CONTAINER.sub("", _ESCAPES.sub("", line) if "\x1b" in line else line)
    return line.replace("│", "|").replace("┃", "|")


def is_drawn(line: str) -> bool:
    """Whether a line has strokes of which bars are drawn."""
    return "%|" in line or "━" in line or "─" in line


def without_bar(line: str) -> tuple[str, Bar | None, str]:
    """Return a line without its bar, where the bar is, and what is drawn after it on the same line."""
    found = _BAR.search(line) or _RICH_BAR.search(line)
    if not found:
        return line, None, ""
    bar = Bar(_count(found[1]), _count(found[2]))
    rest = line[found.end() :]
    if rest.startswith(("]", "{")) or (not rest and found.re is _RICH_BAR):  # a paste may have lost the bracket
        return line[: found.start()].strip(" \t:"), bar, rest.removeprefix("]").strip()
    return f"{line[: found.start()].strip()} {found[1]}/{found[2]} [{rest}", bar, ""


def of_bar(line: str) -> str:
    """Return the words before a bar, of a line that was cut by ``without_bar``: what it is the bar of."""
    head = line.partition(" [")[0]
    words, _, place = head.rpartition(" ")
    return words if "/" in place else head


def only_bar(line: str) -> Bar | None:
    """Return where the bar is of a line that has nothing else; None of any other."""
    found = _ONLY_BAR.match(line)
    return Bar(float(found[1]), float(found[2])) if found else None


def _count(text: str) -> float:
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1.0)
    return float(text.rstrip("kMG")) * factor


def parted(line: str) -> list[str]:
    """Return the parts of a line that holds several bars: a paste lost what stood between them."""
    starts = [found.start() for found in _BAR.finditer(line)][1:] if line.count("%") > 1 else []
    cuts = [cut for start in starts if (cut := line.rfind("]", 0, start) + 1)]
    return [part for at, end in zip([0, *cuts], [*cuts, len(line)], strict=True) if (part := line[at:end].strip())]


def epoch_bar(line: str) -> tuple[str, Bar, bool] | None:
    """Return what is beside the bar of an epoch, where it is, and whether the epoch ends; None if there is no bar."""
    found = _EPOCH_BAR.match(line)
    if not found:
        return None
    bar = Bar(float(found[1]), float(found[2]))
    clock = _CLOCK.match(line, found.end())
    return line[clock.end() if clock else found.end() :], bar, bar.at == bar.total and not _ETA.search(line)


def tells(line: str, words: Sequence[str]) -> bool:
    """Whether a line in lower case may be a row, or say something of one."""
    for word in words:  # a generator takes twice the time
        if word in line:
            return True
    return bool(PLAYER.search(line))


def stated(line: str) -> tuple[tuple[str, str], ...]:
    """Return the step of a line with one number, and the number, each with its name; nothing of any other line."""
    found = _STATED.match(line) if "(" in line[:100] or " [" in line[:100] else None
    if found is None:
        return ()
    step = found["word"] or "step", found["step"] or found["bare"]
    return step, (found["name"], found["number"].rstrip("."))


def last_words(line: str) -> str:
    """Return a line that says why a program ends; empty of any other."""
    line = line[:LONGEST_WORDS]
    lower = line.lower()
    # most lines have none of these: to ask so takes less time than a pattern
    is_last = any(one in lower for one in ERRORS) and is_error(line)
    is_last = is_last or (bool(_LEVEL.match(line)) and is_of_unfit(line))
    if not is_last and any(one in lower for one in STOPS):
        is_last = ("loss" in lower or "grad" in lower or "output" in lower) and gives_up(line)
    return line.strip()[:200] if is_last else ""


def is_error(line: str) -> bool:
    """Whether a line begins with the name of an error: what it says is no row."""
    return bool(_ERROR.match(line))


def is_history(line: str) -> bool:
    """Whether a line is a whole run as Python prints it: ``{'loss': [2.1, 1.9], 'accuracy': [0.4, 0.5]}``."""
    return bool(_HISTORY.match(line))


def gives_up(line: str) -> bool:
    """Whether a line says that the program stops because of such a number."""
    return bool(_GIVES_UP.search(line)) and is_of_unfit(line)


def is_of_unfit(words: str) -> bool:
    """Whether words are of a loss or a gradient that is infinite or not a number."""
    return bool(_UNFIT.search(words) and _UNFIT.search(_UNREAL.sub("", words)))


def step_within(words: str) -> float:
    """Return the step that words name; nan if they name none."""
    found = _AT_STEP.search(words)
    return float(found[1]) if found else math.nan


def saved(line: str) -> float | None:
    """Return the step of a checkpoint that was saved; nan if the line doesn't say it, None of any other line."""
    if not _SAVED.search(line[:LONGEST_WORDS]):
        return None
    steps = (found[-1] for one in _SAVED_STEPS if (found := one.findall(line[:LONGEST_WORDS])))
    return float(next(steps, math.nan))


def skips(line: str) -> bool:
    """Whether a line tells of a step that was skipped as its gradient or loss is not finite."""
    return "skip" in line.lower() and bool(_SKIPS.search(line[:LONGEST_WORDS]))


def overflow(line: str) -> str | None:
    """Return the loss scale after an overflow; None of a line that tells of none, empty if it doesn't say."""
    lower = line.lower()
    if "overflow" not in lower or not ("scale" in lower or "skip" in lower):
        return None
    scales = _SCALE.findall(line)
    return scales[-1].rstrip(".") if scales else ""
