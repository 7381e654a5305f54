"""What would bring the network back, and the next command to type."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.command_line import command_line, options
from gradcheck.render.numbers import percent
from gradcheck.render.style import INDENT, without_controls
from gradcheck.report import Record, Report


def advice(report: Report) -> Iterator[RenderableType]:
    """Yield the last lines of the text."""
    if report.suggestions:
        yield ""
        yield Text("  What would bring it back (each simulated)")
        yield Padding(_table(report.suggestions), (0, 0, 0, 2 * INDENT))
    elif report.suggestions is not None and report.verdict.status != "healthy" and not report.config.weights:
        yield ""
        yield Text("  No single change that was simulated brings it back; try two together.")
    yield ""
    yield Text("  " + without_controls(next_command(report)), style="dim", no_wrap=True)  # whole, to be copied


def _table(suggestions: tuple[Record, ...]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    for suggestion in suggestions:
        table.add_row(
            Text(" ".join(options(suggestion.changes)), style="bold"),
            f"span {suggestion.gradient_span:.1f}",
            f"trains: {percent(suggestion.score)}",
        )
    return table


def next_command(report: Report) -> str:
    """Return the command that one would type next."""
    if report.suggestions:
        return str(report.suggestions[0].command)
    this = command_line(report.command, report.config)
    if report.verdict.status == "healthy":
        return f"{this} --seeds 5" if report.config.seeds == 1 else f"{this} --fail-on any"
    return f"{this} --all-layers" if report.suggestions is not None or report.config.weights else f"{this} --suggest"
