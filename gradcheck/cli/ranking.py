"""The options of ``gradcheck compare`` that are of no network."""

from pathlib import Path
from typing import Annotated, TypedDict

from gradcheck.cli.shown import BASELINE, TOLERANCE
from gradcheck.spec.options.measurement import VERDICT
from gradcheck.spec.options.option import ARGUMENT, Option, beginning
from gradcheck.spec.options.sweep import SWEEP, VARIED


class RankingOptions(TypedDict):
    """Which rows are shown, where they are measured, and what is held against them."""

    # fmt: off
    new: Annotated[Path | None, Option("A report to hold against --baseline.", ARGUMENT, "[NEW]")]
    top: Annotated[int | None, Option("Show the best N rows.", SWEEP, "N", usual="20 in text, else all")]
    group_by: Annotated[str | None, Option(
        "One line for each of its values: median and worst.", SWEEP, "OPTION",
        completion=beginning(*(name.replace("_", "-") for name in VARIED)),
    )]
    workers: Annotated[int | None, Option("Processes.", SWEEP, "N", usual="the cores")]
    scheduler: Annotated[str | None, Option(
        "Run on the Dask cluster of this scheduler: tcp://host:8786.", SWEEP, "ADDRESS",
    )]
    baseline: Annotated[Path | None, BASELINE]
    tolerance: Annotated[float, TOLERANCE]
    any_healthy: Annotated[bool, Option(
        "Exit with 1 if no combination is healthy.", VERDICT, default=False, flags=("--any-healthy",),
    )]
    # fmt: on
