"""A report as a page for a browser: the verdict, charts along the layers, the table, what would fix it."""

import math
from collections.abc import Iterator, Sequence

from gradcheck.diagnosis.chances import said_of_training
from gradcheck.diagnosis.label import in_a_line, label_of
from gradcheck.diagnosis.number_html import number_charts, number_tables
from gradcheck.diagnosis.report import LayerRecord, Report, SuggestionRecord
from gradcheck.diagnosis.shown_layers import of_several_kinds, title
from gradcheck.diagnosis.suggestions import said_order, starts_far
from gradcheck.diagnosis.text.advice import next_commands
from gradcheck.diagnosis.trial_record import NetworkTrialRecord
from gradcheck.pages.columns import Columns, columns_of, rounded, thinned, with_band
from gradcheck.pages.page import Axis, Cell, Chart, HtmlPage, Limit, Line, Note, Span, Table, tone, tone_of
from gradcheck.pages.writing import written
from gradcheck.render.heading import what_was_run
from gradcheck.render.numbers import log10, percent
from gradcheck.spec.command_line import options

#: Quantities that have a chart of their own: field, title, what it shows, whether on a log scale, and the threshold.
QUANTITIES = (
    ("activation_rms", "Activations", "Root mean square of the layer's outputs", True, ""),
    ("preactivation_std", "Pre-activations", "Standard deviation of what enters the activation", True, ""),
    (
        "effective_rank",
        "Effective rank",
        "In how many directions the examples differ; 1 is a collapse",
        True,
        "min_rank",
    ),
    ("saturated_fraction", "Saturated entries", "Share of entries with almost no slope", False, "saturated_above"),
    ("dead_fraction", "Dead units", "Share of units that are zero for the whole batch", False, "dead_above"),
    ("input_cosine", "Likeness of examples", "Mean cosine between the outputs of different examples", False, ""),
    ("weight_gradient_norm", "Gradient of the weights", "Frobenius norm of the gradient of W", True, ""),
)

#: The table of the layers.
LAYERS = "layers"


def as_html(report: Report) -> str:
    """Return the report as one HTML file."""
    return written(page_of(report))


def page_of(report: Report) -> HtmlPage:
    """Return what the page holds."""
    verdict, theory = report.verdict, report.prediction
    codes = [cause.code for cause in verdict.causes]
    says = [theory.says] if theory and theory.mean_local_gain is not None else []
    return HtmlPage(
        command=report.command,
        heading=what_was_run(report.config),
        label=in_a_line(verdict.status, codes),
        tone=tone(label_of(verdict.status, codes)[1]),
        reasons=(*verdict.reasons, *says, *said_of_training(report)),
        charts=(*_charts(report), *number_charts(report.number_formats, _axis(report))),
        notes_title=f"What would fix it, each tried{_order(report)}",
        notes=tuple(_suggestion(report, one) for one in report.suggestions or ()),
        tables=(*_tables(report), *number_tables(report.number_formats)),
        commands=tuple(next_commands(report)),
    )


def _charts(report: Report) -> Iterator[Chart]:
    """Yield the gradient along the layers, the loss of the steps taken, and a chart for each other quantity."""
    yield _gradient(report)
    losses = () if report.model is None or report.model.training is None else report.model.training.losses
    if losses:
        x, y = thinned(range(len(losses)), losses)
        yield Chart(
            title="Loss", about="Before each step of training, and after the last one", x=Axis(label="step"),
            y=Axis(label="loss"), lines=(Line(name="loss", x=x, y=y),), wide=True,
        )  # fmt: skip
    if report.trial is not None:
        yield _trial(report.trial)
    for field, name, about, log, limit in QUANTITIES:
        if any(layer.get(field) for layer in report.layers):  # neither unknown nor zero everywhere
            lines = tuple(_lines(report, field, log))
            value = report.config.get(limit) if limit else None
            limits = [] if value is None else [Limit(value=math.log10(value) if log else value, label=f"{value:g}")]
            yield Chart(
                title=name, about=about, x=_axis(report), y=Axis(label=name.lower(), log=log), lines=lines,
                limits=tuple(limits), table=LAYERS, group=LAYERS,
            )  # fmt: skip


def _trial(trial: NetworkTrialRecord) -> Chart:
    """Return the losses of a trial, a line for each rate that was tried."""
    return Chart(
        title="Trained for real",
        about="Loss of each batch before its step of SGD, at each learning rate that was tried, on a log scale",
        x=Axis(label="step"),
        y=Axis(label="loss", log=True),
        lines=tuple(
            Line(
                name=f"rate {one.rate:g}: {one.status}",
                x=tuple(range(1, one.steps + 1)),
                y=tuple(rounded(log10(loss)) for loss in one.losses),
            )
            for one in trial.rates
        ),
        limits=(Limit(value=math.log10(trial.goal), label=f"learns below {trial.goal:.3g}"),) if trial.goal > 0 else (),
        wide=True,
    )


def _axis(report: Report) -> Axis:
    named = report.points or report.layers[0].kind is not None
    names = tuple(title(report, layer) for layer in report.layers) if named else None
    return Axis(label="flow point" if report.points else report.unit, names=names)


def _gradient(report: Report) -> Chart:
    """Return the gradient along the layers on a log scale, with thresholds, regions, and what theory predicts."""
    config = report.config
    bounds = {"vanishing below": config.get("vanish_below"), "exploding above": config.get("explode_above")}
    limits = (Limit(value=math.log10(one), label=f"{said} {one:g}") for said, one in bounds.items() if one)
    of_what = "the last of its kind and role" if of_several_kinds(report) else f"the last {report.unit}'s"
    return Chart(
        title="Gradient",
        about=f"Root mean square of each {report.unit}'s gradient over that of {of_what}, on a log scale",
        x=_axis(report),
        y=Axis(label="gradient ratio", log=True),
        lines=(*_lines(report, "log10_gradient_ratio", log=False), *_predicted(report)),
        spans=tuple(
            Span(start=one.first_layer - 0.5, end=one.last_layer + 0.5, label=one.flag, tone=tone_of(one.flag))
            for one in report.regions
        ),
        limits=tuple(limits),
        table=LAYERS,
        group=LAYERS,
        wide=True,
    )


def _lines(report: Report, field: str, log: bool) -> Iterator[Line]:
    """Yield a quantity along the layers: a line for each flow point of a block, or each kind of layers."""
    for name, layers in _parts(report):
        low, high = (_values(layers, f"{field}_{end}", log) for end in ("low", "high"))
        banded = any(one is not None for one in low)
        yield Line(
            name=name, x=tuple(layer.index for layer in layers), y=_values(layers, field, log),
            low=low if banded else None, high=high if banded else None,
        )  # fmt: skip


def _parts(report: Report) -> Iterator[tuple[str, Sequence[LayerRecord]]]:
    """Yield the layers that one line joins, and what they are called."""
    if report.points:
        for place, point in enumerate(report.points):
            yield point, report.layers[place :: len(report.points)]
        return
    for kind in dict.fromkeys(layer.kind for layer in report.layers):
        yield kind or "measured", [layer for layer in report.layers if layer.kind == kind]


def _values(layers: Sequence[LayerRecord], field: str, log: bool) -> tuple[float | None, ...]:
    values = (layer.get(field) for layer in layers)
    return tuple(rounded(log10(one) if log else one) for one in values)


def _predicted(report: Report) -> Iterator[Line]:
    """Yield the gradient that theory predicts, with its band."""
    theory = report.prediction
    if theory is None or theory.log10_gradient_ratios is None or theory.log10_gradient_ratio_stds is None:
        return
    last, step = max(1, len(report.points)) - 1, max(1, len(report.points))  # of a block the stream, its last point
    y, low, high, said = with_band(
        theory.log10_gradient_ratios[last::step], theory.log10_gradient_ratio_stds[last::step]
    )
    x = tuple(layer.index for layer in report.layers[last::step])
    yield Line(name=said, x=x, y=y, low=low, high=high, dashed=True)


def _power(layer: LayerRecord, name: str) -> Cell:
    """Return the logarithm of a magnitude; a zero stands for itself."""
    return "0" if layer[name] == 0 else layer[f"log10_{name}"]


#: What the table says of a layer.
CELLS: Columns = {
    "gradient": ("power", lambda layer: _power(layer, "gradient_rms"), "root mean square of the gradient"),
    "ratio": ("power", lambda layer: _power(layer, "gradient_ratio"), "gradient over that of the last layer"),
    "gain": ("number", lambda layer: layer.local_gain, "gradient over that of the next layer"),
    "predicted gain": ("number", lambda layer: None, "the gain that mean-field theory predicts"),
    "pre-activation": ("number", lambda layer: layer.preactivation_std, "standard deviation"),
    "activation": ("number", lambda layer: layer.activation_rms, "root mean square of the outputs"),
    "rank": ("number", lambda layer: layer.effective_rank, "effective rank of the outputs"),
    "cosine": ("number", lambda layer: layer.input_cosine, "mean cosine between different examples"),
    "saturated": ("share", lambda layer: layer.saturated_fraction, "share of entries with almost no slope"),
    "dead": ("share", lambda layer: layer.dead_fraction, "share of units that are always zero"),
    "weight": ("number", lambda layer: layer.weight_norm, "Frobenius norm of W"),
    "weight gradient": ("power", lambda layer: _power(layer, "weight_gradient_norm"), "Frobenius norm"),
    "fan in": ("whole", lambda layer: layer.fan_in, ""),
    "fan out": ("whole", lambda layer: layer.fan_out, ""),
    "kind": ("text", lambda layer: layer.kind, "layers of one kind and role are compared"),
    "flag": ("flag", lambda layer: layer.flag, ""),
}


def _tables(report: Report) -> Iterator[Table]:
    """Yield the layers, and of a user's own model its recurrences."""
    gains = (report.prediction and report.prediction.local_gains) or (None,) * len(report.layers)
    theory = dict(zip((layer.index for layer in report.layers), gains, strict=False))
    own: Columns = {
        report.unit: ("text", lambda layer: title(report, layer), ""),
        **CELLS,
        "predicted gain": ("number", lambda layer: theory.get(layer.index), CELLS["predicted gain"][2]),
    }
    yield Table(name=LAYERS, title=f"The {report.unit}s", columns=columns_of(report.layers, own))
    recurrences = () if report.model is None else report.model.recurrences
    if recurrences:
        yield Table(name="recurrences", title="Recurrences, step by step", columns=columns_of(recurrences, RECURRENCE))


#: What the table says of a recurrence.
RECURRENCE: Columns = {
    "module": ("text", lambda one: f"{one.module} {one.part}".strip(), ""),
    "kind": ("text", lambda one: one.kind, ""),
    "steps": ("whole", lambda one: one.steps, ""),
    "first over last": (
        "power",
        lambda one: one.log10_gradient_ratio,
        "gradient at the first step over the last one's",
    ),
    "gain a step": ("number", lambda one: one.step_gain, "the factor of one step back"),
}


def _order(report: Report) -> str:
    """Return which change to try first, where there is any."""
    return f": {said_order(report.suggestions)}" if report.suggestions else ""


def _suggestion(report: Report, one: SuggestionRecord) -> Note:
    """Return a change that fixes it, with what was measured."""
    of_model = report.command == "probe"
    said = ", ".join(f"{name} {value}" for name, value in one.changes.items())
    span = "" if one.gradient_span is None else f"span {one.gradient_span:.1f} decades, "
    loss = "" if one.loss is None else f"loss {one.loss:.3g} after the same steps, "
    return Note(
        label=one.status,
        tone=tone_of(one.status),
        heading=said if of_model else " ".join(options(one.changes)),
        text=f"{loss}{span}trains: {percent(one.score)}{starts_far(one)}",
        code=one.command,
    )
