"""What is measured at each layer: one table, in the order of the report.

Definitions are those of the literature the flow rests on; magnitudes are computed as base-10 logarithms.
"""

from collections.abc import Callable
from typing import NamedTuple

from gradcheck.flow.gradient_flow import GradientFlow, PerLayer


class Quantity(NamedTuple):
    """A number that every hidden layer has; ``gradcheck.diagnosis.report`` says what it means."""

    # GradientFlow ↦ one number a layer; of a magnitude, its base-10 logarithm
    values: Callable[[GradientFlow], PerLayer]
    magnitude: bool = False  # it is kept as a logarithm
    show_log: bool = False  # the report carries the logarithm beside the number
    of_weights: bool = False  # of the weights, not of the signal
    signed: bool = False  # it can be negative, so that several draws have no geometric mean


def _field(name: str) -> Callable[[GradientFlow], PerLayer]:
    return lambda flow: flow.column(name)


def _magnitude(name: str, *, show_log: bool = False, of_weights: bool = False) -> Quantity:
    return Quantity(_field(f"log10_{name}"), magnitude=True, show_log=show_log, of_weights=of_weights)


QUANTITIES: dict[str, Quantity] = {
    "preactivation_std": _magnitude("preactivation_std"),
    "activation_rms": _magnitude("activation_rms"),
    "input_cosine": Quantity(_field("input_cosine"), signed=True),
    "effective_rank": Quantity(_field("effective_rank")),
    "dead_fraction": Quantity(_field("dead_fraction")),
    "saturated_fraction": Quantity(_field("saturated_fraction")),
    "gradient_rms": _magnitude("gradient_rms", show_log=True),
    "gradient_ratio": Quantity(lambda flow: flow.log10_gradient_ratio, magnitude=True, show_log=True),
    "local_gain": Quantity(lambda flow: flow.log10_local_gain, magnitude=True),
    "weight_norm": _magnitude("weight_norm", of_weights=True),
    "weight_gradient_norm": _magnitude("weight_gradient_norm", show_log=True, of_weights=True),
}
