"""``gradcheck compare``."""

from collections.abc import Mapping, Sequence

import typer

from gradcheck.cli.options import command, completed_lists
from gradcheck.cli.ranking import RankingOptions
from gradcheck.cli.shown import AS_JSON, CAUSES, FAIL_ON, FILE, PLOT, QUIET, SATURATED, Shown, format_of
from gradcheck.errors import GradcheckError, OptionError
from gradcheck.spec.options.option import Names, Option
from gradcheck.spec.options.sweep import VARIED, CompareOptions

# fmt: off
#: The options of a network, each with several values.
GRID = {
    name: Option(
        f"{row.varied[0]}, as in {row.varied[1]}", row.group, "LIST", (), varied=row.varied, name=name,
        type=Sequence[str], completion=completed_lists(row),
    )
    for name, row in VARIED.items()
    if row.varied
}
# fmt: on

#: What only a sweep has.
OF_SWEEPS = ("top", "group_by", "any_healthy", "workers", "scheduler", "journal", "sort", "max_rows")

SWEEP_FORMAT = format_of(
    ("text", "json", "jsonl", "csv", "markdown", "html", "github", "junit"),
    "Output format; jsonl prints each row as it finishes; with --baseline text, json, markdown, github, junit",
)
SWEEP_FAIL_ON = FAIL_ON.but(
    help="Exit with 1 if a row's verdict or flag is this (repeatable)", range=Names((*CAUSES, SATURATED, "regression"))
)


@command(GRID, CompareOptions, RankingOptions, shown=(SWEEP_FORMAT, AS_JSON, FILE, PLOT, SWEEP_FAIL_ON, QUIET))
def compare(grid: Mapping[str, Sequence[str]], options: CompareOptions, ranking: RankingOptions, shown: Shown) -> None:
    """Which of these initialisations, activations, norms, depths keeps the gradient alive? Ranked.

    Simulates every combination. Each network option takes a comma list, a range first:last:step, or of numbers
    first:last:6log, and may be repeated; with --baseline it holds one network against an earlier report instead.
    """
    given = {name: ",".join(lists) for name, lists in grid.items() if lists}
    if ranking["baseline"] is not None:
        for name in OF_SWEEPS:
            if name in shown.typed:
                raise OptionError(name, "is of a sweep, and --baseline holds one network against a report: drop one")
        from gradcheck.cli.baseline import run_baseline

        raise typer.Exit(run_baseline(ranking["baseline"], given, options, ranking, shown))
    if ranking["new"] is not None:
        problem = f"NEW {ranking['new']} needs an earlier report: --baseline OLD.json; several values of an option are "
        raise GradcheckError(f"{problem}joined by commas without spaces, as in --depth 10,50")
    for name, problem in (("tolerance", "needs"), ("fail_on", "regression needs")):
        if name in shown.typed and (name != "fail_on" or "regression" in shown.causes):
            raise OptionError(name, f"{problem} an earlier report: --baseline OLD.json")
    from gradcheck.cli.sweep import run_sweep

    raise typer.Exit(run_sweep(given, options, ranking, shown))
