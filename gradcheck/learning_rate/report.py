"""The report of a search: plain data with one dict form, strict JSON values throughout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Frozen, Record, item, number
from gradcheck.learning_rate.along import losses_along
from gradcheck.learning_rate.answer import Answer, Draw
from gradcheck.learning_rate.conclusions import CODES, VERDICTS, Conclusion, Evidence, Reason, conclude
from gradcheck.learning_rate.rules import RULES
from gradcheck.learning_rate.search import Status
from gradcheck.learning_rate.warm_up import Step

#: Optimizers as they are called.
CALLED = {"sgd": "SGD", "momentum": "SGD with momentum 0.9", "adam": "Adam", "adamw": "AdamW"}

STATUSES = list(get_args(Status))


class RateUpdate(Record):
    """One update of the optimizer, and the search along it."""

    seed: int | None = item("of the draw; null: a model of your own")
    update: int = item("its number in the draw", minimum=1)
    loss: float | None = item("of the batch, before the update; null: not finite")
    status: str = item(
        "found; the loss changes at no rate, rises at every rate, falls at every rate; isn't finite at rate 0",
        enum=STATUSES,
    )
    critical_rate: float | None = item("the rate below which the loss hasn't risen; null: none")
    least_rate: float = item("that of the least loss among those looked at; 0: none is below the first")
    least_loss: float | None
    rate: float = item("at which the update was made: half of the critical rate")
    passes: int = item("forward passes of the search", minimum=0)
    rates: tuple[float, ...] = item("those looked at")
    losses: tuple[float | None, ...] = item("at each of them; null: not finite")


class RateDraw(Record):
    """What the updates of one draw show."""

    seed: int | None
    status: str = item("how most of its searches ended", enum=STATUSES)
    critical_rate: float | None = item("the median of all but the first five; null: none")


class RateAnswer(Record):
    """The rate, and what goes with it."""

    best_rate: float = item("at which the loss after a training is least")
    low: float = item("of the band in which the best rate is")
    high: float
    critical_rate: float = item("above it the loss rises along half of the updates; geometric mean of the draws")
    ceiling: float = item("above it training fails")
    warm_up_updates: int = item("0: none is needed", minimum=0)
    warm_up_from: float = item("the rate that the first update takes")


class RateRule(Record):
    """What the answer was checked on."""

    best_over_critical: float
    ceiling_over_critical: float
    band: float = item("the factor, up or down, of the band of one draw")
    within: float = item("share of the networks whose best rate was in it")
    networks: int = item("that were trained at rates √2 apart", minimum=0)


class RateAlong(Record):
    """What a rate does to the loss along the updates."""

    rate: float
    change: float | None = item("share by which the loss changes, the median of the updates; null: not looked at")
    risen: float = item("share of the updates along which the loss rises")


class RateStart(Record):
    """The network before its first update."""

    parameters: int | None = item(minimum=1)
    status: str | None = item("simulate's verdict; null: not asked")
    score: float | None = item("the probability that plain SGD trains it; null: not asked")
    constant_loss: float | None = item("of the best answer that is the same for all examples; null: not known")


class RateCause(Cause):
    """What decided the verdict."""

    code: str = item(enum=list(CODES))


class RateVerdict(Record):
    """The answer in short."""

    status: str = item(
        "a rate is found; the one asked about fits, is above the ceiling, or below a tenth of the best; no rate helps",
        enum=list(VERDICTS),
    )
    reasons: tuple[str, ...]
    causes: tuple[RateCause, ...]


class RateReport(CommandReport):
    """Which learning rate a network takes."""

    table = "updates"
    text = "gradcheck.learning_rate.text:as_text"
    figure = "gradcheck.learning_rate.plot:plot"
    page = "gradcheck.learning_rate.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value")
    start: RateStart
    answer: RateAnswer | None = item("null: no rate helps")
    verdict: RateVerdict
    rule: RateRule
    along: tuple[RateAlong, ...] = item("at rates around the critical one, from the lowest; empty without an answer")
    draws: tuple[RateDraw, ...]
    updates: tuple[RateUpdate, ...] = item("of all draws, in order; the first five of each don't count")
    forward_passes: int = item("of all searches together", minimum=0)
    backward_passes: int = item(minimum=0)

    def _in_short(self) -> str:
        best = "" if self.answer is None else f", best rate {self.answer.best_rate:.2g}"
        return f"{self.verdict.status}{best}"


def make_rate_report(
    config: Mapping[str, Any],
    draws: Sequence[Draw],
    parameters: int | None = None,
    evidence: Evidence | None = None,
    rule: str = "",
    remarks: Sequence[Reason] = (),
) -> RateReport:
    """Lay out what the updates of all draws have shown.

    Parameters
    ----------
    config : mapping
        Every option with its resolved value, ``optimizer`` and ``updates`` among them, and the ``lr`` to judge or None.
    draws : sequence of Draw
    parameters : int, optional
        How many numbers are trained.
    evidence : Evidence, optional
        Of a network that may not train at any rate.
    rule : str
        The key of its rule, if that isn't the optimizer's name.
    remarks : sequence of Reason
        What else is to be said, after the reasons.
    """
    optimizer = config["optimizer"]
    ruled = RULES[rule or optimizer]
    found = conclude(draws, ruled, CALLED.get(optimizer, optimizer), config["lr"], evidence)
    found = found._replace(reasons=(*found.reasons, *remarks))
    updates = tuple(_updates(draws))
    return RateReport(
        command="rate",
        config=Frozen(config),
        start=_start(parameters, evidence),
        answer=_answer(found.answer),
        verdict=_verdict(found),
        rule=RateRule(
            best_over_critical=ruled.best, ceiling_over_critical=ruled.ceiling, band=ruled.band, within=ruled.within,
            networks=ruled.networks,
        ),
        along=tuple(_along(draws, found.answer)),
        draws=tuple(
            RateDraw(seed=one.seed, status=one.status, critical_rate=number(one.critical)) for one in draws
        ),
        updates=updates,
        forward_passes=sum(one.passes for one in updates),
        backward_passes=len(updates),
    )  # fmt: skip


def _updates(draws: Sequence[Draw]) -> Iterator[RateUpdate]:
    for draw in draws:
        for index, step in enumerate(draw.steps, start=1):
            yield _update(draw.seed, index, step)


def _update(seed: int | None, index: int, step: Step) -> RateUpdate:
    found = step.critical
    rate, loss = found.least
    return RateUpdate(
        seed=seed,
        update=index,
        loss=number(found.loss),
        status=found.status,
        critical_rate=number(found.rate),
        least_rate=rate,
        least_loss=number(loss),
        rate=step.rate,
        passes=found.passes,
        rates=tuple(rate for rate, _ in found.seen),
        losses=tuple(number(loss) for _, loss in found.seen),
    )


def _along(draws: Sequence[Draw], answer: Answer | None) -> Iterator[RateAlong]:
    if answer is not None:
        for one in losses_along(draws, answer.critical):
            change = None if one.change is None else number(one.change)
            yield RateAlong(rate=one.rate, change=change, risen=one.risen)


def _answer(answer: Answer | None) -> RateAnswer | None:
    if answer is None:
        return None
    return RateAnswer(
        best_rate=answer.best,
        low=answer.low,
        high=answer.high,
        critical_rate=answer.critical,
        ceiling=answer.ceiling,
        warm_up_updates=answer.warm_up,
        warm_up_from=answer.first,
    )


def _start(parameters: int | None, evidence: Evidence | None) -> RateStart:
    if evidence is None:
        return RateStart(parameters=parameters, status=None, score=None, constant_loss=None)
    constant = number(evidence.constant)
    return RateStart(parameters=parameters, status=evidence.status, score=evidence.score, constant_loss=constant)


def _verdict(found: Conclusion) -> RateVerdict:
    return RateVerdict(
        status=found.status,
        reasons=tuple(one.text for one in found.reasons),
        causes=tuple(
            RateCause(code=one.code, layers=None, value=one.value, limit=one.limit, text=one.text)
            for one in found.reasons
        ),
    )
