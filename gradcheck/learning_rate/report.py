"""The report of a search: plain data with one dict form, strict JSON values throughout."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Frozen, Record, item, number
from gradcheck.learning_rate.answer import Answer, answer_of
from gradcheck.learning_rate.conclusions import CODES, VERDICTS, Conclusion, Evidence, Reason, conclude
from gradcheck.learning_rate.rules import Rule, rule_of
from gradcheck.learning_rate.runs import Draw, Run
from gradcheck.learning_rate.search import Status

#: Optimizers as they are called.
CALLED = {"sgd": "SGD", "momentum": "SGD with momentum 0.9", "adam": "Adam", "adamw": "AdamW"}


class RateRun(Record):
    """A short run at a constant rate."""

    seed: int | None = item("of the draw; null: a model of your own")
    rate: float
    status: Literal["falls", "rises", "fades", "diverged"] = item(
        "falls; rises: the loss in the end isn't below the first one, or that of the same batches untrained; fades: "
        "most layers' gradients are lost, and no more is learnt than a constant answer; diverged: given up"
    )
    loss: float | None = item("in the end, the mean of the last two fifths; of a run that diverged null")
    updates: int = item("that were looked at", minimum=1)
    losses: tuple[float | None, ...] = item("of each batch, before its update; null: not finite")


class RateDraw(Record):
    """One network, and the search along its first update."""

    seed: int | None
    status: Status = item(
        "found; the loss changes at no rate, rises at every rate, falls at every rate; isn't finite at rate 0"
    )
    first_loss: float | None = item("null: not finite")
    critical_rate: float | None = item("from which on the first update raises the loss of its batch; null: none")
    least_rate: float = item("that of the least loss along it; 0: none is below the first")
    best_rate: float | None = item("of this draw; null: none")
    shorter_updates: int = item("of shorter runs that were made again, as none had learnt", minimum=0)
    rates: tuple[float, ...] = item("those looked at along the first update")
    losses: tuple[float | None, ...] = item("at each of them; null: not finite")


class RateAnswer(Record):
    """The rate, and what goes with it."""

    best_rate: float = item("the best constant rate")
    low: float = item("of the band in which the best rate is")
    high: float = item("of that band")
    ceiling: float = item("above it training fails")
    ceiling_shown: bool = item("a run has shown it; false: it follows from the best rate by the rule")
    critical_rate: float = item("from which on the first update raises the loss of its batch; the least of the draws")
    warm_up_updates: int = item("as long as a run near the best rate is above its first loss; 0: none", minimum=0)
    warm_up_peak: float | None = item("how many times the first loss that run's largest is; null: not finite")


class RateRule(Record):
    """How the answer was made, and what that was checked on."""

    start_over_least: float = item("the first run's rate over that of the least loss along the first update")
    best_over_runs: float = item("the best rate over that of the short runs")
    ceiling_over_best: float
    band: float = item("the factor, up or down, of the band of one draw")
    within: float = item("share of the networks whose best rate was in it")
    networks: int = item("that were trained at rates √2 apart", minimum=0)


class RateStart(Record):
    """The network before its first update."""

    parameters: int | None = item(minimum=1)
    multiplications: int | None = item("of a forward pass of one batch, roughly; null: not counted", minimum=0)
    status: str | None = item("simulate's verdict; null: not asked")
    score: float | None = item("the probability that plain SGD trains it; null: not asked")
    constant_loss: float | None = item("of the best answer that is the same for all examples; null: not known")


class RateCure(Record):
    """A change of a network that doesn't train after which a rate helps."""

    changes: Frozen[Any] = item("options and their new values: what heals it by simulate")
    command: str = item("the search of the changed network")
    best_rate: float = item("of it, with the same optimizer")
    low: float
    high: float


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

    table = "runs"
    text = "gradcheck.learning_rate.text:as_text"
    figure = "gradcheck.learning_rate.plot:plot"
    page = "gradcheck.learning_rate.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value")
    start: RateStart
    answer: RateAnswer | None = item("null: no rate helps")
    cure: RateCure | None = item("of a network that simulate calls ill; null: none is known, or needed")
    verdict: RateVerdict
    rule: RateRule
    draws: tuple[RateDraw, ...]
    runs: tuple[RateRun, ...] = item("of all draws, each from the lowest rate to the highest")
    forward_passes: int = item("of the searches", minimum=0)
    backward_passes: int = item("forward and back, of searches and runs", minimum=0)

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
    cure: RateCure | None = None,
    multiplications: int | None = None,
) -> RateReport:
    """Lay out what the runs of all draws have shown.

    The config has every option with its resolved value, ``optimizer`` and ``updates`` among them, and the ``lr`` to
    judge or None. The rule is the optimizer's, if no other is named. Remarks come after the reasons.
    """
    optimizer = config["optimizer"]
    ruled = rule_of(rule or optimizer, config["updates"])
    found = conclude(draws, ruled, CALLED.get(optimizer, optimizer), config["lr"], evidence)
    checked = any(one.code == "checked" for one in found.reasons)  # what a factor is of
    remarks = [one for one in remarks if checked or one.code != "short-runs"]
    found = found._replace(reasons=(*found.reasons, *remarks))
    return RateReport(
        command="rate",
        config=Frozen(config),
        start=_start(parameters, multiplications, evidence),
        answer=_answer(found.answer),
        cure=cure,
        verdict=_verdict(found),
        rule=RateRule(
            start_over_least=ruled.start,
            best_over_runs=ruled.best,
            ceiling_over_best=ruled.ceiling,
            band=ruled.band,
            within=ruled.within,
            networks=ruled.networks,
        ),
        draws=tuple(_draw(one, ruled) for one in draws),
        runs=tuple(_run(draw.seed, one) for draw in draws for one in draw.runs),
        forward_passes=sum(one.start.passes for one in draws),
        backward_passes=sum(map(_backward_passes, draws)),
    )


def _backward_passes(draw: Draw) -> int:
    """Count those of its search, its runs, and of the batches that were looked at without any update."""
    untrained = sum(map(len, {one.untrained for one in draw.shorter + draw.runs}))
    return 1 + untrained + sum(len(run.losses) for run in draw.shorter + draw.runs)


def _draw(draw: Draw, rule: Rule) -> RateDraw:
    rate, _ = draw.start.least
    answer = answer_of([draw], rule)
    return RateDraw(
        seed=draw.seed,
        status=draw.start.status,
        first_loss=number(draw.start.loss),
        critical_rate=number(draw.start.rate),
        least_rate=rate,
        best_rate=None if answer is None else answer.best,
        shorter_updates=sum(len(one.losses) for one in draw.shorter),
        rates=tuple(rate for rate, _ in draw.start.seen),
        losses=tuple(number(loss) for _, loss in draw.start.seen),
    )


def _run(seed: int | None, run: Run) -> RateRun:
    return RateRun(
        seed=seed,
        rate=run.rate,
        status="diverged" if run.diverged else "fades" if run.fades else "falls" if run.falls else "rises",
        loss=None if run.diverged else number(run.end),
        updates=len(run.losses),
        losses=tuple(map(number, run.losses)),
    )


def _answer(answer: Answer | None) -> RateAnswer | None:
    if answer is None:
        return None
    return RateAnswer(
        best_rate=answer.best,
        low=answer.low,
        high=answer.high,
        ceiling=answer.ceiling,
        ceiling_shown=answer.shown,
        critical_rate=answer.critical,
        warm_up_updates=answer.warm_up,
        warm_up_peak=number(answer.peak),
    )


def _start(parameters: int | None, multiplications: int | None, evidence: Evidence | None) -> RateStart:
    return RateStart(
        parameters=parameters,
        multiplications=multiplications,
        status=evidence and evidence.status,
        score=evidence and evidence.score,
        constant_loss=evidence and number(evidence.constant),
    )


def _verdict(found: Conclusion) -> RateVerdict:
    return RateVerdict(
        status=found.status,
        reasons=tuple(one.text for one in found.reasons),
        causes=tuple(
            RateCause(code=one.code, layers=None, value=one.value, limit=one.limit, text=one.text)
            for one in found.reasons
        ),
    )
