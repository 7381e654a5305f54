"""The diagnosis of a log as text: the verdict, two curves, the findings and what to try, thresholds for clipping."""

import math
from collections.abc import Iterator, Sequence
from shlex import join

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gradcheck.base.wording import as_percent
from gradcheck.logs.curves import Curve
from gradcheck.logs.findings.clips import usual_text, usual_threshold
from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.findings.phrases import counted, factor_text, step_text
from gradcheck.logs.readers.in_memory import FORMAT
from gradcheck.logs.report import LogFinding, LogReport
from gradcheck.logs.what_was_read import numbered
from gradcheck.logs.words import LOSS, words
from gradcheck.render.bars import Scale, columns, common_scale, sparkline
from gradcheck.render.heading import SEPARATOR
from gradcheck.render.layout import Prose, aside, beside, borderless, indented, printed, to_copy, verdict_block
from gradcheck.render.numbers import significant
from gradcheck.render.page import PLAIN_PAGE, Page
from gradcheck.render.style import INDENT, LOG_STYLES, without_controls

#: Most columns of a curve.
WIDEST = 100

#: A loss that spans a larger factor is drawn on a log scale.
DECADES = 1000

#: Findings that list their layers in the order in which they moved.
MOVING = ("exploding", "nonfinite", "vanishing", "collapsed")

#: Findings that are of no step.
OF_THE_WHOLE = ("not-learning", "huge")

#: Layers that a finding names.
NAMED = 4

#: Other runs that are listed.
MOST_RUNS = 10

#: What a quantity is called in text.
QUANTITIES = {"loss": "loss", "grad_norm": "gradient norm", "step": "step"}

#: Longer names of layers are cut off.
LONGEST = 40


def as_text(report: LogReport, page: Page = PLAIN_PAGE) -> str:
    """Return the diagnosis of a log as text for a page."""
    return printed(_parts(report, page), page)


def _parts(report: LogReport, page: Page) -> Iterator[RenderableType]:
    yield aside(heading(report))
    yield ""
    yield verdict(report)
    yield from (indented(Text(without_controls(line))) for line in other_runs(report))
    if report.against:
        yield ""
        yield indented(Text(without_controls(f"against {report.against.file}: {report.against.message}")))
    if report.log.columns:
        yield indented(aside(taken(report)))
    yield from curves(report, page)
    for finding in report.findings:
        yield ""
        yield indented(_finding(finding, numbered(report.log, finding.first_step)))
    if report.thresholds:
        yield ""
        yield indented(_thresholds(report))
    yield ""
    yield to_copy(next_command(report))


def heading(report: LogReport) -> str:
    """Return what was read in one line."""
    log = report.log
    parts = [report.config.file, f"{log.format}, {counted(log.rows, 'row')}"]
    if log.first_step is not None:
        parts.append(f"{numbered(log)}s {step_text(log.first_step)} to {step_text(log.last_step)}")
    if log.layers:
        parts.append(counted(log.layers, "layer"))
    if log.rows_per_sample > 1:
        parts.append(f"{log.rows_per_sample:,} rows merged into one")
    return SEPARATOR.join(parts)


def taken(report: LogReport) -> str:
    """Return what was taken for what, and how many of the rows that there are."""
    log = report.log
    parts = [f"{QUANTITIES[one.quantity]} ← {_name(one.name)}" for one in log.columns]
    if log.rows_found > log.rows:
        parts.append(f"{log.rows:,} of {counted(log.rows_found, 'row')}")
    if log.validation:
        more = f" and {len(log.validation) - 1} more" if len(log.validation) > 1 else ""
        parts.append(f"not judged: {_name(log.validation[0])}{more}")
    return SEPARATOR.join(parts)


def other_runs(report: LogReport) -> Iterator[str]:
    """Yield a line for each of the other runs, the last one first; the one that is judged has the rest of the text."""
    if report.runs:
        yield f"judged: {report.runs[-1].name}, the last one"
    for run in report.runs[-2::-1][:MOST_RUNS]:
        status = f"{run.judged} ok" if run.status == "healthy" else run.status  # not the run
        what = f"{status}: {run.message}" if run.message else status
        yield f"{run.name}, {counted(run.rows, 'row')} to {numbered(report.log)} {step_text(run.last_step)}: {what}"


def verdict(report: LogReport) -> RenderableType:
    """Return the verdict in one word; beside it where it begins, and in which layer."""
    status = report.verdict.status
    others = list(dict.fromkeys(one.kind for one in report.findings if one.kind != status))
    notes = "but for a note:" if len(others) == 1 else "but for notes:"
    before = {"healthy": notes, "too-short": "but"}.get(status, "also")
    more = [f"{before} {', '.join(others)}"] if others else []
    return verdict_block(label(report), LOG_STYLES[status], [where(report), *more])


def label(report: LogReport) -> str:
    """Return the verdict in a word or two: never of the whole run that it is healthy, only of what was judged."""
    status = report.verdict.status
    if status != "healthy":
        return status.replace("-", " ") if status == "too-short" else status
    return "gradients ok" if report.curves.grad_norm.value else "loss ok"


def where(report: LogReport) -> str:
    """Return where the verdict begins."""
    one = report.verdict
    if one.status == "healthy":
        held_out = next((name for name in report.log.validation if LOSS.intersection(words(name))), "")
        what = "gradients" if report.curves.grad_norm.value else f"{'training ' * bool(held_out)}loss"
        others = f"; {_name(held_out)} is not judged" if held_out else ""
        return f"nothing in the {what} of this run is out of the ordinary{others}"
    if one.status == "too-short":
        return one.reasons[0]
    worst = report.findings[0]
    if "place" in worst.numbers:
        return "in lines beside those that are judged"
    whole = (worst.first_step, worst.last_step) == (report.log.first_step, report.log.last_step)
    if worst.kind in OF_THE_WHOLE and whole:
        return "in the whole log"
    by, first = numbered(report.log, one.first_step), step_text(one.first_step)
    when = f"at {by} {first}" if worst.last_step == worst.first_step else f"from {by} {first} on"
    if worst.numbers.get("log10_growth") is not None:
        when += f", after it grew {factor_text(float(worst.numbers['log10_growth'] or 0))}-fold"
    if not one.layer:
        return when
    if worst.kind in MOVING:
        return f"{when}, layer {_name(one.layer)} first"
    return f"{when}, {'most in' if worst.kind == 'spikes' else 'in'} {_layers(worst)[0]}"


def latest(report: LogReport) -> RenderableType:
    """Return a table of the newest numbers."""
    table = borderless((numbered(report.log), "gradient norm", "loss", "findings"))
    ends = (report.curves[name].value[-1:] or [None] for name in ("grad_norm", "loss"))
    table.add_row(step_text(report.log.last_step), *(significant(end[0], 3) for end in ends), str(len(report.findings)))
    return indented(table)


def curves(report: LogReport, page: Page) -> Iterator[RenderableType]:
    """Yield the norm, on a log scale, and the loss over the steps."""
    room, style = min(WIDEST, page.width - 2 * INDENT), LOG_STYLES[report.verdict.status]
    for title, values, scale in _titled_curves(report):
        line = sparkline(_highest(values, room), room, page.glyphs, scale)
        yield from ("", Text(f"  {title}", style="dim"), Text(f"  {line}", style=style, no_wrap=True))
    steps = report.curves.grad_norm.step or report.curves.loss.step
    if len(steps) > 1:
        first, last = step_text(steps[0]), step_text(report.log.last_step)
        used = len(columns(len(steps), room))
        yield Text(f"  {first}{last.rjust(max(len(last) + 1, used - len(first)))}", style="dim", no_wrap=True)


def _titled_curves(report: LogReport) -> Iterator[tuple[str, Sequence[float | None], Scale]]:
    """Yield the title of each curve, its values and their scale."""
    norms = report.curves.grad_norm.value
    logarithms = [None if one is None else math.log10(one) if one > 0 else -math.inf for one in norms]
    known = [one for one in logarithms if one is not None and math.isfinite(one)]
    if known:
        extent = f"{min(known):z.1f} … {max(known):z.1f}".replace("-", "−")
        yield f"gradient norm, log10 {extent}", logarithms, common_scale(known)
    for name, losses in loss_courses(report):
        known = [one for one in losses.value if one is not None]
        if known:
            extent, values = f"{significant(min(known), 3)} … {significant(max(known), 3)}", losses.value
            if min(known) > 0 and max(known) / DECADES > min(known):
                values, extent = tuple(one and math.log10(one) for one in values), f"{extent}, on a log scale"
            yield f"{name} {extent}", _shares(values), Scale(0.0, 1.0)


def loss_courses(report: LogReport) -> list[tuple[str, Curve]]:
    """Return the loss with its name; of two networks that play against each other those of both."""
    return [(one.name, one.loss) for one in report.curves.players] or [("loss", report.curves.loss)]


def _shares(values: Sequence[float | None]) -> list[float | None]:
    """Return where each value is between the lowest and the highest, 0 to 1; halves, as differences may overflow."""
    known = [one / 2 for one in values if one is not None]
    low, range_ = min(known), max(known) - min(known)
    return [None if one is None else (one / 2 - low) / range_ if range_ else 0.5 for one in values]


def _highest(values: Sequence[float | None], room: int) -> list[float | None]:
    """Return the highest of each column; None where one isn't finite."""
    parts = [values[part.start : part.stop] for part in columns(len(values), room)]
    return [None if None in part else max(one for one in part if one is not None) for part in parts]


def _finding(finding: LogFinding, by: str) -> Table:
    """Return a finding: its kind and steps, its message, and what to try."""
    table = beside()
    style = "dim" if finding.severity == NOTE else LOG_STYLES[finding.kind]
    first, last = step_text(finding.first_step), step_text(finding.last_step)
    steps = f"{by} {first}" if finding.last_step == finding.first_step else f"{by}s {first} to {last}"
    table.add_row(Text(finding.kind, style=style), Text(SEPARATOR.join([steps, *_layers(finding)]), style="bold"))
    table.add_row("", Prose(without_controls(finding.message)))
    for advice in finding.advice:
        table.add_row(Text("try", style="dim", justify="right"), Prose(advice))
    return table


def _layers(finding: LogFinding) -> list[str]:
    """Return the first layers of a finding in words."""
    names = [_name(name) for name in finding.layers[:NAMED]]
    more = len(finding.layers) - len(names)
    return [", ".join(names) + (f" and {more:,} more" if more else "")] if names else []


def _name(layer: str) -> str:
    """Return a layer's name, short enough for a line."""
    name = without_controls(layer)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _thresholds(report: LogReport) -> Table:
    """Return what thresholds of the global norm would do: percentiles of the norm, and the adaptive rules."""
    until = report.thresholds[0].until_step
    first = "the norm's" if until is None else f"the norm's until {numbered(report.log, until)} {step_text(until)}"
    clips = "clips" if until is None else "clips of all"
    table = borderless((first, "as threshold", clips, "rate left"), left=(first,))
    for one in report.thresholds:
        cells = (significant(one.norm, 3), as_percent(one.clipped_fraction), as_percent(one.kept))
        table.add_row(f"{one.percentile:g}th percentile", *cells)
    for rule in report.replays:
        ranged = "-" if rule.lowest is None else f"{significant(rule.lowest, 2)} … {significant(rule.highest, 2)}"
        table.add_row(rule.rule, ranged, as_percent(rule.clipped_fraction), as_percent(rule.kept))
    return table


def next_command(report: LogReport) -> str:
    """Return the command to type next."""
    file, status = report.config.file, report.verdict.status
    if status == "vanishing" and "ordinary_until" in report.findings[0].numbers:
        return "gradcheck probe models:build --batch models:batch --rate"
    if status == "vanishing":
        return "gradcheck compare --activation sigmoid,tanh,relu,gelu --init xavier,he --depth 20 --norm none,layer"
    if status == "nonfinite" and "sound_after" in report.findings[0].numbers:
        return "gradcheck probe models:build --batch models:batch"
    clipped = status in ("exploding", "spikes", "always-clipped") and report.thresholds
    if not clipped and status != "healthy":
        return f"gradcheck explain {status}"
    if file == "-" or report.log.format == FORMAT:  # nothing that could be named
        return "gradcheck clip-demo --clip none --clip suggest"
    if status == "healthy":
        return join(["gradcheck", "diagnose", file, "--fail-on", "any"])
    usual = usual_threshold(status, report.thresholds) or report.thresholds[-1]
    return join(["gradcheck", "diagnose", file, "--max-norm", usual_text(usual)])
