"""What to conclude from the runs, in words and numbers: a verdict and its reasons."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.base.wording import counted
from gradcheck.learning_rate.answer import Answer, answer_of
from gradcheck.learning_rate.doubts import doubts_of, on_plateau, widened
from gradcheck.learning_rate.rules import Rule
from gradcheck.learning_rate.runs import HOPE, Draw
from gradcheck.learning_rate.search import HIGHEST, LOWEST
from gradcheck.render.numbers import percent, power, significant

#: What the verdict may be: a rate is found; the rate that was asked about fits, is too high or too low; no rate helps.
VERDICTS = ("found", "fits", "too-high", "too-low", "no-rate")

#: Codes of reasons.
CODES = (
    "best", "edge", "ceiling", "warm-up", "checked", "asked", "outside-band", "untrainable", "no-progress", "no-run",
    "flat", "rises", "falls", "nonfinite",
    "cure", "learnt-little", "one-batch", "groups", "another-rule", "short-runs", "rounding", "noise", "not-held",
    "plateau", "starts-far", "fades",
)  # fmt: skip

#: A rate below the best one by more than this is too low: training takes ten times as long.
FAR = 10.0

#: Decades from which on a ratio is written by its logarithm.
FLOATS = 300

#: Why there is no rate, by how the search along the first update ended.
NO_RATE = {
    "flat": f"along the first update the loss changes at no rate up to {HIGHEST:g}: the gradient is zero, or all but "
    "zero",
    "rises": f"along the first update the loss rises at every rate from {LOWEST:g} on: it doesn't point downhill on "
    "its own batch, or no further than that",
    "falls": f"along the first update the loss falls at every rate up to {HIGHEST:g}: none is too high, and so none is "
    "best",
    "nonfinite": "the loss is not finite before any update",
}

#: The same, where no rate has a loss.
NO_LOSS = "along the first update the loss is not finite at any rate"


#: What a network that has learnt is better than.
CONSTANT_ANSWER = "an answer that is the same for all examples costs {0}"

#: The probability to train below which a network is taken for one that doesn't, unless its runs say otherwise.
EVEN_CHANCE = 0.5


class Evidence(NamedTuple):
    """What is known of a network beside its runs."""

    # status, reason: what ``simulate`` says of it, and the first reason
    status: str
    reason: str
    score: float  # the probability that plain SGD trains it
    constant: float  # the loss of the best answer that is the same for all examples; nan without labels
    by: str = "simulate"  # the command that says so


class Reason(NamedTuple):
    """What decided."""

    code: str  # one of ``CODES``
    text: str  # the same in words
    # value, limit: the number that decided, and what it was compared with
    value: float | None = None
    limit: float | None = None


class Conclusion(NamedTuple):
    """The verdict, the answer where there is one, and the reasons, the weightiest first."""

    status: str
    answer: Answer | None
    reasons: tuple[Reason, ...]


def conclude(
    draws: Sequence[Draw], rule: Rule, optimizer: str, asked: float | None = None, evidence: Evidence | None = None
) -> Conclusion:
    """Return what the runs of all draws show, also of the rate that was asked about, and of what may train at none."""
    answer = answer_of_trainable(draws, rule, evidence)
    if answer is None:
        return Conclusion("no-rate", None, tuple(_why_none(draws, evidence)))
    doubts: tuple[Reason, ...] = ()
    if evidence is not None:
        doubts = tuple(Reason(*one) for one in doubts_of(draws, evidence.constant, evidence.by))
    if evidence is not None and on_plateau(draws, evidence.constant):
        answer = widened(answer, draws, rule)
    reasons = (*_reasons(draws, answer, rule, optimizer, doubts),)
    if asked is None:
        return Conclusion("found", answer, reasons)
    status = "too-high" if asked > answer.ceiling else "too-low" if asked * FAR < answer.best else "fits"
    beside = _outside(asked, answer) if status == "fits" else ()
    return Conclusion(status, answer, (_asked(asked, answer, status), *beside, *reasons))


def answer_of_trainable(draws: Sequence[Draw], rule: Rule, evidence: Evidence | None) -> Answer | None:
    """Return the answer; None of a network that is said not to train, and hasn't made any progress."""
    hopeless = (
        evidence is not None
        and evidence.score < EVEN_CHANCE
        and not any(has_progressed(one, evidence.constant) for one in draws)
    )
    return None if hopeless else answer_of(draws, rule)


def has_progressed(draw: Draw, constant: float) -> bool:
    """Whether a run gets below the loss of any answer that is the same for all examples."""
    if not draw.runs:
        return False
    known = min(draw.before, constant) if math.isfinite(constant) else math.nan
    return draw.furthest.score <= (1 - HOPE) * known  # no comparison with nan is true


def _why_none(draws: Sequence[Draw], evidence: Evidence | None) -> Iterator[Reason]:
    """Say why there is no rate."""
    for draw in draws:
        if draw.start.status != "found":
            lost = draw.start.seen and not any(math.isfinite(loss) for _, loss in draw.start.seen)
            yield Reason(draw.start.status, NO_LOSS if lost else NO_RATE[draw.start.status])
            break
        if not draw.furthest.falls:
            first, end = draw.before, draw.furthest.score
            text = f"no run lowers the loss: {significant(first, 3)} at first, {significant(end, 3)} in the end at best"
            yield Reason("no-run", text, end, first)
            break
    if evidence is None or evidence.score >= EVEN_CHANCE:
        return
    said = f"{evidence.by} calls it {evidence.status}: {evidence.reason}"
    if evidence.status == "healthy":
        said = f"{evidence.by} gives it little chance to train: {percent(evidence.score)}"
    yield Reason("untrainable", said, evidence.score, EVEN_CHANCE)
    if draws[0].runs and math.isfinite(evidence.constant):
        run = draws[0].furthest
        known = min(run.before, evidence.constant)  # a network may start with less than a guess costs
        what = "it is {0} without any" if known < evidence.constant else CONSTANT_ANSWER
        text = (
            f"the loss is {significant(run.score, 3)} after {counted(len(run.losses), 'update')} at the best of "
            f"{counted(len(draws[0].runs), 'rate')}; {what.format(significant(known, 3))}"
        )
        yield Reason("no-progress", text, run.score, known)


def _asked(asked: float, answer: Answer, status: str) -> Reason:
    """Say how a rate that was asked about compares."""
    best, ceiling = significant(answer.best), significant(answer.ceiling)
    decades = math.log10(asked) - math.log10(answer.best)  # the ratio itself may leave the range of floats
    factor = power(abs(decades)) if abs(decades) > FLOATS else significant(10 ** abs(decades))
    times = f"{factor} times" if decades >= 0 else f"1/{factor} of"
    said = {
        "too-high": f"{asked:g} is above {ceiling}, from where on training fails, and {times} the best rate, {best}",
        "too-low": f"{asked:g} is {times} the best rate, {best}: training takes that much longer",
        "fits": f"{asked:g} is {times} the best rate, {best}, and below {ceiling}, from where on training fails",
    }
    return Reason("asked", said[status], asked, answer.ceiling if status != "too-low" else answer.best / FAR)


def _outside(asked: float, answer: Answer) -> Iterator[Reason]:
    """Say that a rate that trains is outside the band in which the best one is."""
    low, high = map(significant, (answer.low, answer.high))
    if asked < answer.low:
        yield Reason("outside-band", f"that is below the band of the best rate, {low} to {high}", asked, answer.low)
    elif asked > answer.high:
        text = f"that is above the band of the best rate, {low} to {high}: nearer to where training fails"
        yield Reason("outside-band", text, asked, answer.high)


def _reasons(
    draws: Sequence[Draw], answer: Answer, rule: Rule, optimizer: str, doubts: Sequence[Reason]
) -> Iterator[Reason]:
    best, low, high, ceiling = map(significant, (answer.best, answer.low, answer.high, answer.ceiling))
    among = f", in {counted(len(draws), 'draw')}" if len(draws) > 1 else ""
    yield Reason("best", f"the best rate of {optimizer} is about {best}, between {low} and {high}{among}", answer.best)
    yield from doubts
    edge = next(filter(None, (draw.edge for draw in draws)), "")
    if edge:
        where = "above" if edge == "highest" else "below"
        yield Reason("edge", f"the {edge} rate that was tried got furthest: the best one may be {where} it")
    seen = "" if answer.shown else ", as a rule; no run has shown it"
    yield Reason("ceiling", f"training fails above about {ceiling}{seen}", answer.ceiling)
    if fading := [run.rate for draw in draws for run in draw.runs if run.fades]:
        text = (
            f"at {significant(min(fading))} the gradient of most layers is lost within the run, though the loss falls"
        )
        yield Reason("fades", text, min(fading))
    if answer.warm_up:
        over = "first update" if answer.warm_up == 1 else f"first {answer.warm_up} updates"
        text = f"warm up over the {over}: at such a rate the loss rises to {answer.peak:.2g} times its start first"
    else:
        text = "no warm-up is needed: the loss doesn't rise at first"
    yield Reason("warm-up", text, float(answer.warm_up))
    if rule.networks and not doubts:
        text = (
            f"checked on {rule.networks} networks that were trained: the best rate was within a factor of "
            f"{rule.band:g} of that in {100 * rule.within:.0f} %"
        )
        yield Reason("checked", text, rule.within)
