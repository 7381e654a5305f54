"""The diagnosis of a log as a page for a browser: norms, loss and findings along the steps, layers as a heat map."""

import math
from collections.abc import Iterator

import numpy as np

from gradcheck.logs.curves import LayerCurves
from gradcheck.logs.findings.finding import NOTE
from gradcheck.logs.findings.phrases import step_text
from gradcheck.logs.report import LogFinding, LogReport
from gradcheck.logs.series import Numbers, logarithms
from gradcheck.logs.text import DECADES, heading, label, next_command, other_runs, taken, where
from gradcheck.logs.what_was_read import numbered
from gradcheck.pages.columns import Columns, columns_of, rounded, thinned
from gradcheck.pages.page import Axis, Cell, Chart, HeatMap, HtmlPage, Limit, Line, Note, Span, Table, tone_of
from gradcheck.pages.writing import written
from gradcheck.render.heading import SEPARATOR

#: Layers of the heat map at most.
MOST_LAYERS = 1000

#: Findings that are marked in the charts.
MARKED = 8

#: Layers that a finding names.
NAMED = 8

#: What the table says of a threshold.
THRESHOLDS: Columns = {
    "percentile": ("number", lambda one: one.percentile, "of the norms"),
    "as threshold": ("number", lambda one: one.norm, ""),
    "clips": ("share", lambda one: one.clipped_fraction, "share of the steps that it would have clipped"),
    "rate left": ("share", lambda one: one.kept, "mean part of the gradient that it would have left"),
}

#: What the table says of an adaptive rule.
REPLAYS: Columns = {
    "rule": ("text", lambda one: one.rule, ""),
    "lowest limit": ("number", lambda one: one.lowest, ""),
    "highest limit": ("number", lambda one: one.highest, ""),
    "clips": ("share", lambda one: one.clipped_fraction, "share of the steps that it would have clipped"),
    "rate left": ("share", lambda one: one.kept, "mean part of the gradient that it would have left"),
}

#: What the table says of a layer.
LAYERS: Columns = {
    "layer": ("text", lambda one: one[0], ""),
    "first": ("power", lambda one: one[1], "gradient norm in the first part of the run"),
    "lowest": ("power", lambda one: one[2], ""),
    "highest": ("power", lambda one: one[3], ""),
    "last": ("power", lambda one: one[4], "gradient norm in the last part of the run"),
}


def as_html(report: LogReport) -> str:
    """Return the diagnosis of a log as one HTML file."""
    against = [f"against {report.against.file}: {report.against.message}"] if report.against else []
    read = [f"read as {taken(report)}"] if report.log.columns else []
    status = report.verdict.status
    page = HtmlPage(
        command=report.command,
        heading=heading(report),
        label=label(report),
        tone=tone_of(status),
        reasons=(where(report), *report.verdict.reasons, *other_runs(report), *against, *read),
        warnings=report.warnings,
        charts=tuple(_charts(report)),
        notes_title="What was found, and what to try",
        notes=tuple(_note(one, numbered(report.log, one.first_step)) for one in report.findings),
        tables=tuple(_tables(report)),
        commands=(next_command(report),),
    )
    return written(page)


def _note(finding: LogFinding, by: str) -> Note:
    first, last = step_text(finding.first_step), step_text(finding.last_step)
    steps = f"{by} {first}" if finding.last_step == finding.first_step else f"{by}s {first} to {last}"
    more = len(finding.layers) - NAMED
    named = ", ".join(finding.layers[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
    return Note(
        label=finding.kind, tone="grey" if finding.severity == NOTE else tone_of(finding.kind),
        heading=SEPARATOR.join(filter(None, (steps, named))), text=finding.message, advice=finding.advice,
    )  # fmt: skip


def _charts(report: LogReport) -> Iterator[Chart | HeatMap]:
    """Yield norm, loss and layers, all over the same steps."""
    curves, by = report.curves, numbered(report.log)
    marked = tuple(_span(one) for one in report.findings[:MARKED] if one.first_step is not None)
    if curves.norms and len(curves.norms[0]):
        limit = curves.clip_limit
        yield Chart(
            title="Gradient norm", about="Of all layers together, before clipping, on a log scale",
            x=Axis(label=by), y=Axis(label="gradient norm", log=True), spans=marked, group="steps", wide=True,
            lines=(_line("gradient norm", curves.norms, log=True),),
            limits=(Limit(value=math.log10(limit), label=f"clipped at {limit:g}"),) if limit else (),
        )  # fmt: skip
    if curves.losses and len(curves.losses[0]):
        courses = [(one.name, one.losses) for one in curves.players] or [("loss", curves.losses)]
        log = _spans_decades(np.concatenate([course for _, (_, course) in courses]))
        yield Chart(
            title="Loss", about=f"As logged{', on a log scale' * log}", x=Axis(label=by),
            y=Axis(label="loss", log=log), lines=tuple(_line(*one, log) for one in courses), spans=marked,
            group="steps", wide=True,
        )  # fmt: skip
    if curves.layers:
        yield _heat_map(report, curves.layers)


def _span(finding: LogFinding) -> Span:
    first = finding.first_step or 0
    last = first if finding.last_step is None else finding.last_step
    tone = "grey" if finding.severity == NOTE else tone_of(finding.kind)
    return Span(start=first, end=last, label=finding.kind, tone=tone)


def _line(name: str, course: tuple[Numbers, Numbers], log: bool) -> Line:
    steps, values = course
    with np.errstate(all="ignore"):
        x, y = thinned(steps, (logarithms(values) if log else values).tolist())
    return Line(name=name, x=x, y=y)


def _spans_decades(losses: Numbers) -> bool:
    """Whether a loss is drawn on a log scale: it is above zero, and spans a large factor."""
    finite = losses[np.isfinite(losses)]
    return bool(len(finite) and finite.min() > 0 and finite.max() / DECADES > finite.min())


def _heat_map(report: LogReport, layers: LayerCurves) -> HeatMap:
    """Return the layers' norms in equal parts of the steps; where a part has no row, those before it."""
    names, first, last = layers.names, report.log.first_step or 0, report.log.last_step or 0
    starts = np.array(layers.step, dtype=float)
    parts = np.linspace(first, last, len(starts), endpoint=False)
    levels = layers.log10_norm[:MOST_LAYERS, np.searchsorted(starts, parts, side="right").clip(1) - 1]
    left_out = f"; the first {MOST_LAYERS:,} of {len(names):,}" if len(names) > MOST_LAYERS else ""
    return HeatMap(
        title="Layers",
        about=f"Each layer's gradient norm over the steps, the highest of each part of the run{left_out}",
        x=Axis(label=numbered(report.log)),
        y=Axis(label="layer", names=names[:MOST_LAYERS]),
        value=Axis(label="gradient norm", log=True),
        first=first,
        last=max(last, first + 1),
        cells=tuple(tuple(map(_cell, line)) for line in levels.tolist()),
        group="steps",
    )


def _cell(level: float) -> Cell:
    return "0" if level == -np.inf else "not finite" if level == np.inf else rounded(level, 3)


def _tables(report: LogReport) -> Iterator[Table]:
    layers = report.curves.layers
    if layers:
        rows = list(map(_ends, layers.names, layers.log10_norm.tolist()))
        yield Table(name="layers", title="The layers", columns=columns_of(rows, LAYERS))
    if report.thresholds:
        until = report.thresholds[0].until_step
        by = numbered(report.log, until)
        before = "" if until is None else f": percentiles of the {by}s before {step_text(until)}, shares of all {by}s"
        title = f"What a threshold of the global norm would have done{before}"
        yield Table(name="thresholds", title=title, columns=columns_of(report.thresholds, THRESHOLDS))
    if report.replays:
        yield Table(
            name="rules", title="What adaptive rules would have done", columns=columns_of(report.replays, REPLAYS)
        )


def _ends(name: str, levels: list[float]) -> tuple[Cell, ...]:
    """Return a layer's name, its first norm, lowest, highest and last."""
    known = [one for one in levels if one == one]
    return (name, *map(_cell, (levels[0], min(known, default=np.nan), max(known, default=np.nan), levels[-1])))
