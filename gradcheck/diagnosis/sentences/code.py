"""One kind of cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gradcheck.diagnosis.causes import Cause
    from gradcheck.flow.gradient_flow import GradientFlow


#: Why something is as it is after steps of training that was not so before.
TRAINED = "training has made the weights large: take a smaller rate"


class Code(NamedTuple):
    """One kind of cause."""

    meaning: str  # what its layers and its value are
    # with the fields that ``sentence`` fills, or (cause, flow) ↦ the sentence; the flow has the layers' names
    sentence: str | Callable[[Cause, GradientFlow], str]
