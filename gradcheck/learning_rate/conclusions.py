"""What to conclude from the updates, in words and numbers: a verdict and its reasons."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from gradcheck.base.wording import counted
from gradcheck.learning_rate.answer import Answer, Draw, answer_of
from gradcheck.learning_rate.rules import Rule
from gradcheck.render.numbers import significant

#: What the verdict may be: a rate is found; the rate that was asked about fits, is too high or too low; no rate helps.
VERDICTS = ("found", "fits", "too-high", "too-low", "no-rate")

#: Codes of reasons.
CODES = (
    "best", "ceiling", "warm-up", "checked", "asked", "untrainable", "no-progress", "flat", "rises", "falls",
    "nonfinite", "one-batch", "groups", "another-rule", "rounding", "noise", "not-held",
)  # fmt: skip

#: A rate below the best one by more than this is too low: training takes ten times as long.
FAR = 10.0

#: A network has made progress where its loss, the median of the last batches, is this share below what is known
#: without any training: as in a trial of ``simulate``.
HOPE, LAST = 0.03, 5

#: Why there is no rate, by how the searches ended.
NO_RATE = {
    "flat": "along most updates the loss changes at no rate: the gradient is zero, or all but zero",
    "rises": "along most updates the loss rises at every rate: the update doesn't point downhill on its own batch",
    "falls": "along most updates the loss falls at every rate: it has no lower end to come near to",
    "nonfinite": "the loss is not finite before any rate is tried",
}


class Evidence(NamedTuple):
    """What is known of a network beside its updates.

    Attributes
    ----------
    status, reason : str
        What ``simulate`` says of it, and the first reason.
    score : float
        The probability that plain SGD trains it.
    constant : float
        The loss of the best answer that is the same for all examples; nan without labels.
    by : str
        The command that says so.
    """

    status: str
    reason: str
    score: float
    constant: float
    by: str = "simulate"


class Reason(NamedTuple):
    """What decided.

    Attributes
    ----------
    code : str
        One of ``CODES``.
    text : str
        The same in words.
    value, limit : float or None
        The number that decided, and what it was compared with.
    """

    code: str
    text: str
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
    """Return what the updates of all draws show.

    Parameters
    ----------
    draws : sequence of Draw
    rule : Rule
        Of the optimizer.
    optimizer : str
        Its name, as it is said.
    asked : float, optional
        A rate to judge.
    evidence : Evidence, optional
        Of a network that may not train at any rate.
    """
    answer = answer_of_trainable(draws, rule, evidence)
    if answer is None:
        return Conclusion("no-rate", None, tuple(_why_none(draws, evidence)))
    reasons = tuple(_reasons(draws, answer, rule, optimizer))
    if asked is None:
        return Conclusion("found", answer, reasons)
    status = "too-high" if asked > answer.ceiling else "too-low" if asked * FAR < answer.best else "fits"
    return Conclusion(status, answer, (_asked(asked, answer, status), *reasons))


def answer_of_trainable(draws: Sequence[Draw], rule: Rule, evidence: Evidence | None) -> Answer | None:
    """Return the answer; None of a network that is said not to train, and hasn't made any progress."""
    hopeless = (
        evidence is not None
        and evidence.score < 0.5
        and not any(has_progressed(one, evidence.constant) for one in draws)
    )
    return None if hopeless else answer_of(draws, rule)


def has_progressed(draw: Draw, constant: float) -> bool:
    """Whether the loss has fallen below that of any answer which is the same for all examples."""
    known = min(draw.steps[0].critical.loss, constant)
    return _end(draw) <= (1 - HOPE) * known  # no comparison with nan is true


def _end(draw: Draw) -> float:
    """Return the median loss of the last batches; nan where one of them isn't finite."""
    losses = [step.critical.loss for step in draw.steps[-LAST:]]
    return median(losses) if all(map(math.isfinite, losses)) else math.nan


def _why_none(draws: Sequence[Draw], evidence: Evidence | None) -> Iterator[Reason]:
    """Say why there is no rate."""
    worst = next((draw.status for draw in draws if draw.status != "found"), None)
    if worst is not None:
        yield Reason(worst, NO_RATE[worst])
    if evidence is None or evidence.score >= 0.5:
        return
    yield Reason("untrainable", f"{evidence.by} calls it {evidence.status}: {evidence.reason}", evidence.score, 0.5)
    end = _end(draws[0])
    if math.isfinite(evidence.constant + end):
        text = (
            f"the loss is {significant(end, 3)} after {counted(len(draws[0].steps), 'update')}, each at a rate that "
            f"lowers it; an answer that is the same for all examples costs {significant(evidence.constant, 3)}"
        )
        yield Reason("no-progress", text, end, evidence.constant)


def _asked(asked: float, answer: Answer, status: str) -> Reason:
    """Say how a rate that was asked about compares."""
    best, ceiling = significant(answer.best), significant(answer.ceiling)
    share = asked / answer.best
    times = f"{significant(share)} times" if share >= 1 else f"1/{significant(1 / share)} of"
    said = {
        "too-high": f"{asked:g} is above {ceiling}, from where on training fails, and {times} the best rate, {best}",
        "too-low": f"{asked:g} is {times} the best rate, {best}: training takes that much longer",
        "fits": f"{asked:g} is {times} the best rate, {best}, and below {ceiling}, from where on training fails",
    }
    return Reason("asked", said[status], asked, answer.ceiling if status != "too-low" else answer.best / FAR)


def _reasons(draws: Sequence[Draw], answer: Answer, rule: Rule, optimizer: str) -> Iterator[Reason]:
    best, low, high, critical, ceiling, first = map(
        significant, (answer.best, answer.low, answer.high, answer.critical, answer.ceiling, answer.first)
    )
    among = f", in {counted(len(draws), 'draw')}" if len(draws) > 1 else ""
    yield Reason("best", f"the best rate of {optimizer} is about {best}, between {low} and {high}{among}", answer.best)
    text = f"training fails above about {ceiling}; along half of the updates the loss rises from {critical} on"
    yield Reason("ceiling", text, answer.ceiling, answer.critical)
    if answer.warm_up:
        over = "first update" if answer.warm_up == 1 else f"first {answer.warm_up} updates"
        text = f"warm up over the {over}, from {first} on"
    else:
        text = "no warm-up is needed: the first updates take such a rate, too"
    yield Reason("warm-up", text, float(answer.warm_up))
    if rule.networks:
        text = (
            f"checked on {rule.networks} networks that were trained: the best rate was within a factor of "
            f"{rule.band:g} of that in {100 * rule.within:.0f} %"
        )
        yield Reason("checked", text, rule.within)
