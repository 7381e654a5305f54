"""A demonstration as text: the verdict, the runs side by side, the table, a conclusion for each."""

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.render.bars import Glyphs, Scale, columns, common_scale, sparkline
from gradcheck.render.layout import Prose, aside, beside, borderless, indented, printed, to_copy, verdict_block
from gradcheck.render.numbers import power, significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT, STYLES
from gradcheck.spec.command_line import command_line
from gradcheck.spec.demonstration import demo_command_line
from gradcheck.spec.options.training import DEMO_ONLY
from gradcheck.training.cells import COLUMNS, heading, interrupted
from gradcheck.training.report import DemoReport, DemoStrategy, DemoVerdict

#: What the verdict is called on the screen, and its colour; where only one side was tried, those of its best run.
LABELS = {
    "saved": ("CLIPPING SAVES IT", "green"),
    "unneeded": ("NOTHING TO SAVE", "green"),
    "ruined": ("CLIPPING RUINS IT", "red"),
    "lost": ("NO RULE SAVES IT", "red"),
    "early": ("TOO EARLY TO SAY", "yellow"),
}

#: What clipping can do nothing about.
BEYOND_CLIPPING = ("vanishing", "collapsed", "dead")

#: Most columns of a run's sparkline.
WIDEST = 56

#: Decades above the lowest value of all runs beyond which all is drawn at the same height.
DECADES = 6

#: Sets of columns, the widest first: the table has the first that fits.
LAYOUTS = (
    tuple(COLUMNS),
    ("strategy", "accuracy", "diverged", "largest norm", "clipped", "cosine", "rate lost"),
    ("strategy", "accuracy", "diverged", "clipped", "cosine"),
    ("strategy", "accuracy", "clipped"),
)


def as_text(report: DemoReport, page: Page = PLAIN_PAGE) -> str:
    """Return a demonstration as text for a page."""
    return printed(_parts(report, page), page)


def _parts(report: DemoReport, page: Page) -> Iterator[RenderableType]:
    yield aside(heading(report))
    if report.verdict is None:
        return
    yield ""
    yield verdict_block(*label_of(report, report.verdict), [*reasons(report, report.verdict)])
    yield ""
    yield indented(_runs(report.strategies, page.width - INDENT, page.glyphs))
    yield ""
    yield indented(_table(report.strategies, page.width))
    yield ""
    yield indented(_conclusions(report.strategies))
    yield ""
    yield to_copy(next_command(report))


def label_of(report: DemoReport, verdict: DemoVerdict) -> tuple[str, str]:
    """Return the verdict in a few words, and its colour."""
    best = next(one for one in report.strategies if one.rule == verdict.best)
    return LABELS.get(verdict.status, (best.status.upper(), STYLES[best.status]))


def reasons(report: DemoReport, verdict: DemoVerdict) -> Iterator[str]:
    """Yield what stands beside the verdict."""
    yield from verdict.reasons
    yield from _start(report)
    if report.suggestion:
        yield report.suggestion
    if not report.complete:
        yield interrupted(len(report.strategies), len(report.config.clip))


def _start(report: DemoReport) -> Iterator[str]:
    """Say what the gradient does before any training."""
    gain, span = report.start.mean_local_gain, report.start.gradient_span
    if gain is not None and span is not None:
        where = "step of time" if report.config.steps else "layer"
        yield f"before training, the gradient is multiplied by {gain:.3g} at each {where}: {span:.1f} decades in all"
    if report.start.status in BEYOND_CLIPPING:
        yield f"the network is {report.start.status} before training: clipping does nothing against that"


def _runs(strategies: Sequence[DemoStrategy], width: int, glyphs: Glyphs) -> Table:
    """Loss and gradient norm of all runs, each on one common log scale."""
    label = max(len(one.rule) for one in strategies)
    room = max(4, min(WIDEST, (width - label - 4) // 2))
    table = borderless([""], left=("",))
    total = max(one.steps for one in strategies)
    scales = {}
    for name, title in (("loss", "loss"), ("gradient_norm", "gradient norm")):
        finite = [value for one in strategies for value in one.series[name] if value]
        whole = common_scale([math.log10(value) for value in finite])
        scales[name] = Scale(whole.low, min(whole.high, whole.low + DECADES))
        table.add_column(_titled(title, finite, scales[name], room), no_wrap=True)
    for one in strategies:
        style = STYLES[one.status]
        peaks = {name: _peaks(one.series[name], total, room) for name in scales}
        lines = (sparkline(peaks[name], len(peaks[name]), glyphs, scale) for name, scale in scales.items())
        table.add_row(Text(one.rule), *(Text(line, style=style) for line in lines))
    return table


def _titled(title: str, values: Sequence[float], scale: Scale, room: int) -> str:
    """Return what a column shows, and the range of its values where that fits."""
    if not values:
        return title[:room]
    highest = max(values)
    beyond = math.log10(highest) > scale.high
    top = f"{power(scale.high)} and more" if beyond else significant(highest)
    ranged = f"{title}  {significant(min(values))} … {top}"
    return ranged if len(ranged) <= room else title[:room]


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


def _table(strategies: Sequence[DemoStrategy], width: int) -> Table:
    names = next((names for names in LAYOUTS if _needed(names, strategies) <= width), LAYOUTS[-1])
    table = borderless(names, left=("strategy",))
    for one in strategies:
        cells = (Text(COLUMNS[name](one), style=STYLES[one.status] if name == "accuracy" else "") for name in names)
        table.add_row(*cells)
    return table


def _needed(names: Sequence[str], strategies: Sequence[DemoStrategy]) -> int:
    """Return how wide a table with these columns is."""
    widest = (max(len(name), *(len(COLUMNS[name](one)) for one in strategies)) for name in names)
    return INDENT + sum(width + 2 for width in widest) - 2


def _conclusions(strategies: Sequence[DemoStrategy]) -> Table:
    table = beside()
    for one in strategies:
        table.add_row(Text(one.rule, style=STYLES[one.status]), Prose(one.conclusion))
    return table


def next_command(report: DemoReport) -> str:
    """Return the command that one would type next: the winner on another seed, or another learning rate."""
    config, verdict = report.config.to_dict(), report.verdict
    if verdict is None or not report.complete:
        return demo_command_line(config)
    if verdict.status == "unneeded":
        return demo_command_line(config, lr=_rate(config["lr"], 3))
    best = next(one for one in report.strategies if one.rule == verdict.best)
    if best.status != "learned" and report.start.status in BEYOND_CLIPPING:
        return command_line("simulate", {name: value for name, value in config.items() if name not in DEMO_ONLY})
    if best.status in ("diverged", "stopped", "stuck"):
        return demo_command_line(config, lr=_rate(config["lr"], 0.1))
    if best.status == "learning":
        return demo_command_line(config, epochs=3 * config["epochs"])
    return demo_command_line(config, clip=[verdict.best], seed=config["seed"] + 1)


def _rate(rate: float, factor: float) -> float:
    """Return a learning rate times a factor as one would type it, if that is one."""
    changed = float(f"{rate * factor:.2g}")
    return changed if 0 < changed < math.inf else rate
