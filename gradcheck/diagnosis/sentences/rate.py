"""The learning rate in a sentence. Loads no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.base.wording import counted
from gradcheck.diagnosis.sentences.code import Code
from gradcheck.render.numbers import significant

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.diagnosis.rate_record import LearningRateRecord
    from gradcheck.flow.gradient_flow import GradientFlow


def rate_sentence(rate: LearningRateRecord) -> str:
    """Return the best rate, its band and its ceiling, and the warm-up; or why there is none."""
    if rate.best_rate is None:
        return f"no learning rate is found for {rate.optimizer}: {rate.reasons[0]}"
    best, low, high, ceiling = map(significant, (rate.best_rate, rate.low, rate.high, rate.ceiling))
    said = f"the best learning rate of {rate.optimizer} is about {best}, between {low} and {high}"
    warm = f"; warm up over {counted(rate.warm_up_updates, 'update')}" if rate.warm_up_updates else ""
    fails = f"training fails above about {ceiling}"
    if rate.status in ("too-high", "too-low"):  # the first reason judges the rate that was asked about
        fails = rate.reasons[0] if rate.status == "too-high" else f"{fails}; {rate.reasons[0]}"
    return "; ".join([f"{said}; {fails}{warm}", *rate.doubts])


def _of_record(cause: Cause, flow: GradientFlow) -> str:
    return rate_sentence(cause.details["rate"])


OF_RATES = {
    "learning-rate": Code(
        "the learning rate that --rate has found; value: the best one, limit: where training fails", _of_record
    ),
    "no-rate": Code("--rate has found no learning rate that lowers the loss", _of_record),
}
