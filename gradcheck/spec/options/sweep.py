"""The options of ``compare``."""

from pathlib import Path
from typing import Annotated

from gradcheck.spec.names import ORDERS
from gradcheck.spec.options.measurement import OF_DATA, OF_DRAWS, VerdictOptions
from gradcheck.spec.options.network import OF_NETWORKS
from gradcheck.spec.options.option import Names, Option, Whole

SWEEP = "Sweep"

#: A sweep of more rows than this is more likely a slip than a wish.
MAX_ROWS = 100_000

#: Options that can have several values.
VARIED = {
    **OF_NETWORKS,
    **{name: OF_DATA[name] for name in ("data", "batch_size")},
    **{name: OF_DRAWS[name] for name in ("dtype", "layers")},
}


class CompareOptions(VerdictOptions, total=False):
    """The options of ``compare`` beside its grid: what all rows share, and how they are ranked."""

    # fmt: off
    labels: Annotated[bool, OF_DATA["labels"]]
    shuffle: Annotated[bool, OF_DATA["shuffle"]]
    seed: Annotated[int, OF_DRAWS["seed"]]
    seeds: Annotated[int, Option(
        "Draws of each combination.", OF_DRAWS["seeds"].group, "R", default=3, usual="3; the baseline's",
        range=Whole(1, "one draw is the least; 3 show how much draws differ"),
    )]
    sort: Annotated[str, Option("What the rows are ranked by", SWEEP, "NAME", default="score", range=Names(ORDERS))]
    journal: Annotated[Path | str | None, Option(
        "Keep each finished row there; started again, compute only what is missing.", SWEEP, "FILE",
    )]
    max_rows: Annotated[int, Option(
        "Refuse a larger grid.", SWEEP, "N", default=MAX_ROWS, range=Whole(1, "a sweep has at least one row"),
    )]
    # fmt: on
