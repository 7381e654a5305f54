"""A demonstration as text: the verdict, the runs side by side, the table, a conclusion for each."""

import math
from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.command_line import demo_command_line
from gradcheck.demo_report import DemoReport
from gradcheck.render.bars import Glyphs, Scale, columns, common_scale, sparkline
from gradcheck.render.heading import SEPARATOR, what_was_run
from gradcheck.render.numbers import power, significant
from gradcheck.render.style import INDENT, STYLES, without_controls
from gradcheck.render.terminal import PLAIN_TERMINAL, Terminal, printed
from gradcheck.report import Record

#: What the verdict is called on the screen; where only one side was tried, its best run's status takes its place.
LABELS = {
    "saved": "CLIPPING SAVES IT",
    "unneeded": "NOTHING TO SAVE",
    "ruined": "CLIPPING RUINS IT",
    "lost": "NO RULE SAVES IT",
}

#: Columns of a run's sparkline at most.
WIDEST = 56

#: What is above the lowest value of all runs by more than this is shown as if it were no higher.
DECADES = 6

#: Columns of the table: heading, and how a strategy fills it.
COLUMNS: dict[str, Callable[[Record], str]] = {
    "strategy": lambda one: str(one.rule),
    "accuracy": lambda one: "-" if one.final_accuracy is None else f"{100 * one.final_accuracy:.1f} %",
    "loss": lambda one: significant(one.final_loss),
    "diverged": lambda one: f"step {one.diverged_at_step}" if one.diverged else "no",
    "largest norm": lambda one: significant(one.largest_norm_before),
    "clipped to": lambda one: significant(one.largest_norm_after),
    "clipped": lambda one: _share(one.clipped_fraction),
    "cosine": lambda one: "-" if one.mean_cosine is None else f"{one.mean_cosine:.3f}",
    "rate lost": lambda one: _share(one.learning_rate_lost),
    "non-finite": lambda one: str(one.nonfinite_steps),
}

#: The narrowest terminal that a set of columns fits into.
LAYOUTS = (
    (112, tuple(COLUMNS)),
    (78, ("strategy", "accuracy", "diverged", "largest norm", "clipped", "cosine", "rate lost")),
    (56, ("strategy", "accuracy", "diverged", "clipped", "cosine")),
    (0, ("strategy", "accuracy", "clipped")),
)


def _share(value: float | None) -> str:
    """Return a share in per cent; none and all are said only where they are exact."""
    if value is None:
        return "-"
    percent = 100 * value
    return "<1 %" if 0 < percent < 0.5 else ">99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"


def demo_as_text(report: DemoReport, terminal: Terminal = PLAIN_TERMINAL) -> str:
    """Return a demonstration as text.

    Parameters
    ----------
    report : DemoReport
    terminal : Terminal
        Where it will be shown.
    """
    return printed(lambda glyphs: _parts(report, terminal.width, glyphs), terminal)


def _parts(report: DemoReport, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
    yield Text(without_controls(headline(report)), style="dim")
    if not report.strategies:
        return
    yield ""
    yield _verdict(report)
    yield ""
    yield Padding(_runs(report.strategies, width - INDENT, glyphs), (0, 0, 0, INDENT))
    yield ""
    yield Padding(_table(report.strategies, width), (0, 0, 0, INDENT))
    yield ""
    yield Padding(_conclusions(report.strategies), (0, 0, 0, INDENT))
    yield ""
    yield Text("  " + without_controls(next_command(report)), style="dim", no_wrap=True)  # whole, to be copied


def headline(report: DemoReport) -> str:
    """Return what was run in one line."""
    config = report.config
    steps = max((one.steps for one in report.strategies), default=0)
    training = f"SGD {config.lr:g}, momentum {config.momentum:g}, {config.epochs} epochs" + f" ({steps} steps)" * bool(
        steps
    )
    return what_was_run(config) + SEPARATOR + training


def _verdict(report: DemoReport) -> Padding:
    """The verdict in a few words, its reasons beside it."""
    verdict = report.verdict or Record()
    best = next(one for one in report.strategies if one.rule == verdict.best)
    label = LABELS.get(verdict.status, best.status.upper())
    good = verdict.status in ("saved", "unneeded") or (verdict.status not in LABELS and best.status == "learned")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    reasons = [*verdict.reasons, *_start(report), *([report.suggestion] if report.suggestion else [])]
    if not report.complete:
        reasons.append(f"interrupted: {len(report.strategies)} of {len(report.config.clip)} strategies are finished")
    for index, reason in enumerate(reasons):
        mark = Text(f" {label} ", style=f"reverse {'green' if good else 'red'}") if index == 0 else ""
        table.add_row(mark, Text(reason, style="bold" if index == 0 else ""))
    return Padding(table, (0, 0, 0, 1))


def _start(report: DemoReport) -> Iterator[str]:
    """Say what the gradient does before any training."""
    gain, span = report.start.mean_local_gain, report.start.gradient_span
    if gain is not None and span is not None:
        where = "step of time" if report.config.steps else "layer"
        yield f"before training, the gradient is multiplied by {gain:.3g} at each {where}: {span:.1f} decades in all"


def _runs(strategies: Sequence[Record], width: int, glyphs: Glyphs) -> Table:
    """Loss and gradient norm of all runs, each on one common log scale."""
    label = max(len(one.rule) for one in strategies)
    room = max(4, min(WIDEST, (width - label - 4) // 2))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    total = max(one.steps for one in strategies)
    scales = {}
    for name, title in (("loss", "loss"), ("gradient_norm", "gradient norm")):
        every = [value for one in strategies for value in _peaks(one.series[name], total, room)]
        whole = common_scale(every)
        scales[name] = scale = Scale(whole.low, min(whole.high, whole.low + DECADES))
        table.add_column(_titled(title, whole, scale, room), no_wrap=True)
    for one in strategies:
        style = STYLES[one.status]
        peaks = {name: _peaks(one.series[name], total, room) for name in scales}
        lines = (sparkline(peaks[name], len(peaks[name]), glyphs, scale) for name, scale in scales.items())
        table.add_row(Text(one.rule), *(Text(line, style=style) for line in lines))
    return table


def _titled(title: str, whole: Scale, scale: Scale, room: int) -> str:
    """Return what a column shows, and its range where that fits."""
    beyond = " and more" if scale.high < whole.high else ""
    ranged = f"{title}  {_short(scale.low)} … {_short(scale.high)}{beyond}"
    return ranged if len(ranged) <= room else title[:room]


def _short(logarithm: float) -> str:
    return significant(10**logarithm) if abs(logarithm) < 300 else power(logarithm)


def _peaks(values: Sequence[float | None], total: int, room: int) -> list[float | None]:
    """Return the logarithm of the largest value of each column; None where one is not finite.

    A run that was stopped ends in the column of its last step.
    """
    peaks: list[float | None] = []
    for part in columns(total, room):
        column = values[part.start : part.stop]
        if not column:
            break
        finite = [value for value in column if value is not None]
        largest = max(finite, default=math.nan)
        peaks.append(None if len(finite) < len(column) else math.log10(largest) if largest > 0 else -math.inf)
    return peaks


def _table(strategies: Sequence[Record], width: int) -> Table:
    names = next(names for least, names in LAYOUTS if width >= least)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
    for one in strategies:
        cells = (Text(COLUMNS[name](one), style=STYLES[one.status] if name == "accuracy" else "") for name in names)
        table.add_row(*cells)
    return table


def _conclusions(strategies: Sequence[Record]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in strategies:
        table.add_row(Text(one.rule, style=STYLES[one.status]), Text(one.conclusion))
    return table


def next_command(report: DemoReport) -> str:
    """Return the command that one would type next: the winner on another seed, or another learning rate."""
    config, verdict = report.config, report.verdict or Record()
    if not report.complete:
        return demo_command_line(config)
    if verdict.status == "unneeded":
        return demo_command_line(config, lr=float(f"{3 * config.lr:.2g}"))
    best = next(one for one in report.strategies if one.rule == verdict.best)
    if best.status in ("diverged", "stopped", "stuck"):
        return demo_command_line(config, lr=float(f"{config.lr / 10:.2g}"))
    if best.status == "learning":
        return demo_command_line(config, epochs=3 * config.epochs)
    return demo_command_line(config, clip=[verdict.best], seed=config.seed + 1)
