"""Remarks on number formats. Loads no NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck.base.wording import as_percent, counted
from gradcheck.diagnosis.sentences.code import Code

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


def _underflow(cause: Cause, flow: GradientFlow) -> str:
    return f"{_losing(cause, flow)} round to zero"


def _overflow(cause: Cause, flow: GradientFlow) -> str:
    return (
        f"{_losing(cause, flow)} {'are cut off at' if cause.details['saturates'] else 'are beyond'} the largest number"
    )


def _losing(cause: Cause, flow: GradientFlow) -> str:
    how, kind = cause.details["what"]
    return f"{how}: {as_percent(cause.value)} of the {kind} at {_at(cause, flow)}"


def _at(cause: Cause, flow: GradientFlow) -> str:
    return flow.name(cause.layers[0]) if cause.layers else str(cause.details["name"])


def _fits(cause: Cause, flow: GradientFlow) -> str:
    return f"no layer loses more than {as_percent(cause.value)} of a tensor in {', '.join(cause.details['names'])}"


def _updates(cause: Cause, flow: GradientFlow) -> str:
    said = cause.details
    where = f"more than half at {counted(said['layers'], 'layer')}, {as_percent(cause.value)} at {_at(cause, flow)}"
    return (
        f"bf16 weights lose plain SGD's updates at rate {said['lr']:g} to rounding: {where}; "
        "keep a float32 copy, or round stochastically"
    )


OF_NUMBERS = {
    "format-overflow": Code(
        "entries are beyond a number format's largest number; value: the largest share of a layer's tensor", _overflow
    ),
    "format-underflow": Code(
        "entries round to zero in a number format; value: the largest share of a layer's tensor", _underflow
    ),
    "format-fits": Code("number formats that lose little; value: the share that no layer's tensor exceeds", _fits),
    "updates-lost": Code(
        "rounding of bf16 weights loses most updates of some layers; value: the largest share of a layer's", _updates
    ),
}
