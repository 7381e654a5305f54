"""``gradcheck compare``: the sweep, its rows as they finish, and the ranking."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from gradcheck.cli import INTERRUPTED, refuse
from gradcheck.cli.output import ClosedPipeError, write_now
from gradcheck.cli.progress import CountedProgress
from gradcheck.cli.ranking import RankingOptions
from gradcheck.cli.shown import CAUSES, Shown
from gradcheck.errors import OptionError, at_least, did_you_mean
from gradcheck.spec.grid import Grid
from gradcheck.sweep.comparison import Comparison, compare
from gradcheck.sweep.workers import available, cluster, local

if TYPE_CHECKING:
    from gradcheck.spec.options.sweep import CompareOptions
    from gradcheck.sweep.rows import SweepRow

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.sweep.text:as_text",
    "json": "gradcheck.sweep.formats:as_json",
    "jsonl": "gradcheck.sweep.formats:as_jsonl",
    "csv": "gradcheck.sweep.formats:as_csv",
    "markdown": "gradcheck.sweep.formats:as_markdown",
    "html": "gradcheck.sweep.html:as_html",
}


def run_sweep(given: Mapping[str, str], options: "CompareOptions", ranking: RankingOptions, shown: Shown) -> int:
    """Measure the grid, print it, and return the exit code; an interrupt keeps what is finished."""
    if shown.format not in FORMATS:
        problem = (
            f"{shown.format} is of two reports, with --baseline OLD.json; of a sweep allowed: {', '.join(FORMATS)}"
        )
        raise OptionError("format", problem)
    grid = Grid.from_text(given, options["max_rows"])
    _check(ranking, grid)
    if options["seeds"] is None:
        del options["seeds"]
    comparison, code = None, 0
    try:
        with _executor(ranking, len(grid)) as (executor, window):
            comparison = compare(grid, executor=executor, window=window, **options)
            _measure(comparison, shown)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except ClosedPipeError:
        return 0
    if comparison is not None:
        if not code and (problem := _refused(comparison)):
            return refuse(problem)
        _print(comparison, ranking, shown)
        if comparison.lost and not code:
            code = _tell_lost(comparison)
    return code or (_exit_code(comparison.finished, shown.causes, ranking["any_healthy"]) if comparison else 0)


def _refused(comparison: Comparison) -> str:
    """Return what is wrong where no network of a sweep could be built; empty if one could."""
    errors = [row["error"] for row in comparison.finished]
    return "" if comparison.lost or None in errors or not errors else f"no network could be simulated: {errors[0]}"


def _tell_lost(comparison: Comparison) -> int:
    """Say that rows are missing for reasons that aren't theirs, and return the exit code."""
    lost, reason = comparison.lost, next(row["error"] for row in reversed(comparison.finished) if row["error"])
    return refuse(
        f"{lost} of {len(comparison)} rows have no result: {reason}; no journal keeps those, and the same command "
        "with --journal measures what is missing"
    )


def _check(ranking: RankingOptions, grid: Grid) -> None:
    """Refuse, before any work, what the result couldn't be shown by."""
    if ranking["top"] is not None:
        at_least("top", ranking["top"], 1, "the best row is the least to show")
    group = ranking["group_by"]
    if group is not None and group.replace("-", "_") not in grid.values:
        there = ", ".join(name.replace("_", "-") for name in grid.values) or "none"
        meant = did_you_mean(group, there.split(", "))
        raise OptionError("group_by", f"{group} is not among the options of this sweep; {meant}allowed: {there}")


def _executor(ranking: RankingOptions, rows: int) -> AbstractContextManager[tuple[Executor | None, int]]:
    """Return where the rows are measured: a cluster, or processes on this machine."""
    if ranking["scheduler"] is None:
        return local(min(available(ranking["workers"]), rows))
    if ranking["workers"] is not None:
        raise OptionError("workers", "are this machine's; with --scheduler the cluster has its own: drop one")
    return cluster(ranking["scheduler"])


def _measure(comparison: Comparison, shown: Shown) -> None:
    """Measure all rows; of JSON Lines each is shown as it finishes."""
    from gradcheck.render.documents import json_line

    lines = shown.output is None and shown.format == "jsonl"
    with CountedProgress(len(comparison), shown.quiet) as progress:
        for row in comparison:
            if lines:
                progress.clear()
                write_now(json_line(row))
            progress()


def _print(comparison: Comparison, ranking: RankingOptions, shown: Shown) -> None:
    """Print the ranking; the rows of JSON Lines have been printed already, unless they go to a file."""
    streamed = shown.format == "jsonl" and shown.output is None
    if not comparison.finished:
        return
    group = ranking["group_by"] and ranking["group_by"].replace("-", "_")
    how = {"top": ranking["top"], "group_by": group}
    shown.draw(comparison, **how)
    if not streamed:
        shown.show(comparison, FORMATS, drawn=True, **({} if shown.format == "jsonl" else how))


def _exit_code(rows: Iterable["SweepRow"], causes: Sequence[str], any_healthy: bool) -> int:
    """Return 1 if a row has one of the causes (``any``: an error too), or none is healthy where one has to be."""
    found = {name for row in rows for name in (row["status"], *(row["flags"] or ()), row["error"] and "error")}
    wanted = {*CAUSES, "error"} if "any" in causes else set(causes)
    return 1 if found & wanted or (any_healthy and "healthy" not in found) else 0
