"""``gradcheck compare``: the sweep, its rows as they finish, and the ranking."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from gradcheck.cli import INTERRUPTED, options
from gradcheck.cli.output import ClosedPipeError, show, silenced, write_now
from gradcheck.cli.progress import CountedProgress
from gradcheck.errors import OptionError, at_least
from gradcheck.spec.grid import PARSERS, Grid
from gradcheck.sweep.comparison import Comparison, compare
from gradcheck.sweep.workers import available, cluster, local

if TYPE_CHECKING:
    from gradcheck.sweep.rows import SweepRow

#: Format ↦ where it is made.
FORMATS = {
    "text": "gradcheck.sweep.text:as_text",
    "json": "gradcheck.sweep.formats:as_json",
    "jsonl": "gradcheck.sweep.formats:as_jsonl",
    "csv": "gradcheck.sweep.formats:as_csv",
    "markdown": "gradcheck.sweep.formats:as_markdown",
}

#: Options that all rows of a sweep share.
COMMON = ("labels", "shuffle", "seed", "seeds", "sort", "journal", *options.LIMITS)


def run_sweep(given: Mapping[str, Any], format_name: str, causes: Sequence[str]) -> int:
    """Measure the grid, print it, and return the exit code; an interrupt keeps what is finished."""
    grid = Grid.from_text({name: given[name] for name in PARSERS}, given["max_rows"])
    _check(given, grid)
    common = {name: given[name] for name in COMMON if given[name] is not None}
    comparison, code = None, 0
    try:
        with _executor(given, len(grid)) as (executor, window):
            comparison = compare(grid, executor=executor, window=window, **common)
            _measure(comparison, given, format_name)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except ClosedPipeError:
        return 0
    if comparison is not None:
        _print(comparison, given, format_name)
    return code or (_exit_code(comparison.finished, causes, given["any_healthy"]) if comparison else 0)


def _check(given: Mapping[str, Any], grid: Grid) -> None:
    """Refuse, before any work, what the result couldn't be shown by."""
    if given["top"] is not None:
        at_least("top", given["top"], 1, "the best row is the least to show")
    group = given["group_by"]
    if group is not None and group.replace("-", "_") not in grid.values:
        there = ", ".join(name.replace("_", "-") for name in grid.values) or "none"
        raise OptionError("group_by", f"{group} is not among the options of this sweep; allowed: {there}")


def _executor(given: Mapping[str, Any], rows: int) -> AbstractContextManager[tuple[Executor | None, int]]:
    """Return where the rows are measured: a cluster, or processes on this machine."""
    if given["scheduler"] is None:
        return local(min(available(given["workers"]), rows))
    if given["workers"] is not None:
        raise OptionError("workers", "are this machine's; with --scheduler the cluster has its own: drop one")
    return cluster(given["scheduler"])


def _measure(comparison: Comparison, given: Mapping[str, Any], format_name: str) -> None:
    """Measure all rows; show each as it finishes where that makes sense."""
    streamed = given["output"] is None and not silenced(given["quiet"], format_name, None)
    lines = streamed and format_name == "jsonl"
    screen = streamed and format_name == "text" and sys.stdout is not None and sys.stdout.isatty()
    with CountedProgress(len(comparison), given["quiet"]) as progress:
        for row in comparison:
            if lines or screen:
                progress.clear()
                write_now(_row(row, lines))
            progress()


def _row(row: "SweepRow", as_json: bool) -> str:
    if as_json:
        from gradcheck.render.documents import json_line

        return json_line(row)
    from gradcheck.sweep.text import one_line

    return one_line(row) + "\n"


def _print(comparison: Comparison, given: Mapping[str, Any], format_name: str) -> None:
    """Print the ranking; the rows of JSON Lines have been printed already, unless they go to a file."""
    streamed = format_name == "jsonl" and given["output"] is None
    if streamed or not comparison.finished:
        return
    group = given["group_by"] and given["group_by"].replace("-", "_")
    how = {} if format_name == "jsonl" else {"top": given["top"], "group_by": group}
    show(comparison, format_name, FORMATS, given["output"], quiet=given["quiet"], **how)


def _exit_code(rows: Iterable["SweepRow"], causes: Sequence[str], any_healthy: bool) -> int:
    """Return 1 if a row has one of the causes (``any``: an error too), or none is healthy where one has to be."""
    found = {name for row in rows for name in (row["status"], *(row["flags"] or ()), row["error"] and "error")}
    wanted = {*options.CAUSES, "error"} if "any" in causes else set(causes)
    return 1 if found & wanted or (any_healthy and "healthy" not in found) else 0
