"""The learning rate beside a diagnosis: what ``probe --rate`` adds to its report."""

from gradcheck.diagnosis.rate_record import LearningRateRecord
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.reporting import with_rate
from gradcheck.learning_rate.conclusions import EVEN_CHANCE
from gradcheck.learning_rate.report import RateReport
from gradcheck.learning_rate.runs import DOUBLINGS
from gradcheck.torch.learning_rate.model_search import ModelSearch
from gradcheck.torch.learning_rate.rate import evidence_of, rate_report

#: What a search answers in numbers.
NUMBERS = ("best_rate", "low", "high", "critical_rate", "ceiling", "warm_up_updates")


def add_rate(report: Report, search: ModelSearch, lr: float | None) -> Report:
    """Return the report of a probe with the rate that a search of the same model finds, and what that says of `lr`."""
    found = search.found(doublings=DOUBLINGS if report.verdict.score >= EVEN_CHANCE else 0)
    evidence = None if found.progressed else evidence_of(report, found)
    return with_rate(report, _record(rate_report(search, found, evidence, lr)))


def _record(found: RateReport) -> LearningRateRecord:
    answer = found.answer
    numbers = dict.fromkeys(NUMBERS) if answer is None else {name: getattr(answer, name) for name in NUMBERS}
    return LearningRateRecord(
        optimizer=found.config["optimizer"],
        status=found.verdict.status,
        updates=found.config["updates"],
        passes=found.backward_passes,
        forward_passes=found.forward_passes,
        reasons=found.verdict.reasons,
        doubts=tuple(one.text for one in found.verdict.causes if one.code in ("starts-far", "plateau")),
        **numbers,
    )
