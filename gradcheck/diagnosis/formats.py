"""A report as JSON, CSV and Markdown."""

import csv
import io
import json
from collections.abc import Iterator

from gradcheck.base.loose import Loose
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.shown_layers import title
from gradcheck.render.heading import what_was_run
from gradcheck.render.numbers import percent, power, significant
from gradcheck.render.style import escaped as escaped
from gradcheck.render.style import without_controls

HEADER = ("layer", "gradient", "ratio", "gain", "activation", "rank", "flag")


def as_json(report: Report) -> str:
    """Return an indented JSON document: strict (RFC 8259) and ASCII only, so that it survives every pipe."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"


def as_csv(report: Report) -> str:
    """Return the layers as comma-separated values with a header; an empty cell is a number that isn't finite."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(report.layers[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(report.layers)
    return text.getvalue()


def as_markdown(report: Report) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = report.verdict
    yield f"**{verdict.status}** - {escaped(without_controls(what_was_run(report.config)))}"
    yield ""
    yield from (f"- {escaped(reason)}" for reason in verdict.reasons)
    yield f"- plain SGD trains it with probability {percent(verdict.score)}"
    yield ""
    yield f"| {' | '.join([report.unit, *HEADER[1:]])} |"
    yield "|" + " ---: |" * 6 + " --- |"
    for layer in report.layers:
        yield f"| {' | '.join(cells(layer))} |"
    if report.suggestions:
        yield ""
        yield "Changes that bring it back, each simulated:"
        yield ""
        for one in report.suggestions:
            yield f"- {_code(one.command)}: healthy, trains with probability {percent(one.score)}"


def cells(layer: Loose) -> tuple[str, ...]:
    """Return a layer's cells as text, in the order of ``HEADER``."""
    return (
        title(layer),
        power(layer.log10_gradient_rms, layer.gradient_rms),
        power(layer.log10_gradient_ratio, layer.gradient_ratio),
        significant(layer.local_gain),
        significant(layer.activation_rms),
        significant(layer.effective_rank),
        layer.flag,
    )


def _code(text: str) -> str:
    """Return a command as code, whatever its file names hold."""
    text = without_controls(text)
    return f"`` {text} ``" if "`" in text else f"`{text}`"
