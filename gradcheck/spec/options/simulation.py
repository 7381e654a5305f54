"""The options of ``simulate`` and of ``theory``."""

from typing import Annotated, TypedDict

from gradcheck.spec.names import ACTIVATIONS
from gradcheck.spec.options.measurement import DATA, DataOptions, DrawOptions, VerdictOptions
from gradcheck.spec.options.network import OF_NETWORKS, NetworkOptions
from gradcheck.spec.options.option import OUTPUT, Names, Number, Option, Whole, rows

#: Options of a network that is no transformer.
PLAIN = {
    "activation": OF_NETWORKS["activation"].but(help="Activation", range=Names(ACTIVATIONS)),
    "norm": OF_NETWORKS["norm"].but(help="Normalisation between linear map and activation"),
    "residual_scale": OF_NETWORKS["residual_scale"].but(
        help="Scale of the branch beside the skip connection.", parse=None
    ),
}


#: The heading of what trains the network for real.
TRIAL = "Trial"


class SimulateOptions(NetworkOptions, DataOptions, DrawOptions, VerdictOptions, total=False):
    """The options of ``simulate``."""

    suggest: Annotated[
        bool | None,
        Option("Simulate single changes that may fix it.", OUTPUT, default=False, usual="in text"),
    ]
    trial: Annotated[
        bool,
        Option(
            "Train it for real, at one rate after the other until it learns; no verdict changes.", TRIAL, default=False
        ),
    ]
    trial_seconds: Annotated[
        float,
        Option(
            "The time limit of all rates together.",
            TRIAL,
            "SECONDS",
            default=20.0,
            range=Number("it is a time in seconds", above=0),
        ),
    ]


class TheoryOptions(TypedDict, total=False):
    """The options of ``theory``."""

    # fmt: off
    depth: Annotated[int | None, OF_NETWORKS["depth"]]
    width: Annotated[int | tuple[int, ...] | None, OF_NETWORKS["width"]]
    activation: Annotated[str | None, PLAIN["activation"].but(usual="sigmoid")]
    init: Annotated[str | None, OF_NETWORKS["init"]]
    gain: Annotated[float | None, OF_NETWORKS["gain"]]
    weight_std: Annotated[float | None, OF_NETWORKS["weight_std"]]
    bias_std: Annotated[float | None, OF_NETWORKS["bias_std"]]
    norm: Annotated[str | None, PLAIN["norm"]]
    residual: Annotated[bool | None, OF_NETWORKS["residual"]]
    residual_scale: Annotated[float | None, PLAIN["residual_scale"]]
    batch_size: Annotated[int, Option(
        "Examples of the batch; only --norm batch asks for it.", DATA, "N", default=64,
        range=Whole(1, "the batch has at least one example"),
    )]
    phase_diagram: Annotated[bool, Option(
        "Draw order and chaos in the plane of sigma_w and sigma_b.", OUTPUT, default=False,
        flags=("--phase-diagram",),
    )]
    # fmt: on


OF_SIMULATIONS = rows(SimulateOptions)
