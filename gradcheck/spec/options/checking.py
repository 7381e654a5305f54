"""The options of ``verify``."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

from gradcheck.spec.options.measurement import OF_DRAWS
from gradcheck.spec.options.option import Option, beginning

CHECKS = "Checks"

#: What is checked, in the order of the checks.
KINDS = (
    "activation", "norm", "map", "loss", "block", "cell", "attention", "branch", "sublayer", "network", "training",
)  # fmt: skip


class VerifyOptions(TypedDict, total=False):
    """The options of ``verify``."""

    # fmt: off
    only: Annotated[Sequence[str] | str | None, Option(
        "Run the checks of this name or kind alone (repeatable).", CHECKS, "NAME", default=(), usual="all",
        completion=beginning(*KINDS),
    )]
    seed: Annotated[int, OF_DRAWS["seed"].but(help="Seed of the random inputs and directions.", group=CHECKS)]
    dtype: Annotated[str, OF_DRAWS["dtype"].but(group=CHECKS)]
    # fmt: on
