"""What is measured at each layer: one table that the report, its schema and its readers share.

Definitions are those of the literature the flow rests on; magnitudes are computed as base-10 logarithms.
"""

from collections.abc import Callable
from typing import NamedTuple

from gradcheck.flow.gradient_flow import GradientFlow, PerLayer


class Quantity(NamedTuple):
    """A number that every hidden layer has.

    Attributes
    ----------
    values : callable
        GradientFlow ↦ one number a layer; of a magnitude, its base-10 logarithm.
    meaning : str
        The definition, in one sentence.
    magnitude : bool
        It is kept as a logarithm.
    show_log : bool
        The report carries the logarithm beside the number.
    """

    values: Callable[[GradientFlow], PerLayer]
    meaning: str
    magnitude: bool = False
    show_log: bool = False


def _field(name: str) -> Callable[[GradientFlow], PerLayer]:
    return lambda flow: flow.column(name)


def _magnitude(name: str, meaning: str, *, show_log: bool = False) -> Quantity:
    return Quantity(_field(f"log10_{name}"), meaning, magnitude=True, show_log=show_log)


QUANTITIES: dict[str, Quantity] = {
    "preactivation_std": _magnitude(
        "preactivation_std",
        "standard deviation over batch and units of z: the pre-activations x W + b, or at a transformer's flow point "
        "what the branch adds to the residual stream, or the stream",
    ),
    "activation_rms": _magnitude(
        "activation_rms", "root mean square of the layer's outputs over batch and units"
    ),
    "input_cosine": Quantity(
        _field("input_cosine"), "mean cosine between the layer's outputs for distinct examples; 1: all point one way"
    ),
    "effective_rank": Quantity(
        _field("effective_rank"),
        "exp of the entropy of the normalised squared singular values of the batch-centred outputs; "
        "1: the examples differ along one direction only",
    ),
    "dead_fraction": Quantity(
        _field("dead_fraction"),
        "share of units whose derivative is exactly 0 for the whole batch; null where there is no activation",
    ),
    "saturated_fraction": Quantity(
        _field("saturated_fraction"),
        "share of entries whose activation derivative is below 1 % of that activation's largest; null where there is "
        "no activation",
    ),
    "gradient_rms": _magnitude(
        "gradient_rms", "root mean square over batch and units of ∂loss/∂z", show_log=True
    ),
    "gradient_ratio": Quantity(
        lambda flow: flow.log10_gradient_ratio,
        "gradient_rms over that of the last hidden layer; small: vanishing, large: exploding",
        magnitude=True,
        show_log=True,
    ),
    "local_gain": Quantity(
        lambda flow: flow.log10_local_gain,
        "gradient_rms over that of the next layer: the chain rule's factor across one layer; null for the last",
        magnitude=True,
    ),
    "weight_norm": _magnitude(
        "weight_norm",
        "Frobenius norm of W, of a weightless layer its root mean square; null where a flow point has no weights",
    ),
    "weight_gradient_norm": _magnitude(
        "weight_gradient_norm", "Frobenius norm of ∂loss/∂W", show_log=True
    ),
}  # fmt: skip
