"""The options of ``simulate`` and of ``theory``."""

from collections.abc import Sequence
from typing import Annotated

from gradcheck.spec.names import ACTIVATIONS
from gradcheck.spec.number_formats import NUMBER_FORMAT, RATE
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

    number_format: Annotated[str | Sequence[str] | None, NUMBER_FORMAT]
    lr: Annotated[float | None, RATE]
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


class TheoryOptions(NetworkOptions, total=False):
    """The options of ``theory``."""

    # fmt: off
    batch_size: Annotated[int, Option(
        "Examples of the batch; only --norm batch asks for it.", DATA, "N", default=64,
        range=Whole(1, "the batch has at least one example"),
    )]
    phase_diagram: Annotated[bool, Option(
        "Draw order and chaos in the plane of sigma_w and sigma_b; of a transformer, where tokens become alike "
        "and where attention looks at one.", OUTPUT, default=False,
        flags=("--phase-diagram",),
    )]
    # fmt: on


OF_SIMULATIONS = rows(SimulateOptions)
