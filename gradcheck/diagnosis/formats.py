"""A report as CSV and Markdown."""

from collections.abc import Iterator

from gradcheck.diagnosis.chances import said_of_training
from gradcheck.diagnosis.label import in_a_line
from gradcheck.diagnosis.report import LayerRecord, Report
from gradcheck.diagnosis.shown_layers import title
from gradcheck.diagnosis.suggestions import said_order
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.heading import what_was_run
from gradcheck.render.numbers import percent, power, significant
from gradcheck.render.style import escaped, without_controls

HEADER = ("layer", "gradient", "ratio", "gain", "activation", "rank", "flag")


def as_csv(report: Report) -> str:
    """Return the layers as comma-separated values with a header; an empty cell is a number that isn't finite."""
    return records_as_csv(report.layers)


def as_markdown(report: Report) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = report.verdict
    status = in_a_line(verdict.status, [cause.code for cause in verdict.causes])
    yield f"**{status}** - {escaped(what_was_run(report.config))}"
    yield ""
    yield from (f"- {escaped(reason)}" for reason in verdict.reasons)
    yield from (f"- {said}" for said in said_of_training(report))
    yield ""
    header = [report.unit, *HEADER[1:]]
    yield from markdown_table(
        header, (map(escaped, cells(report, layer)) for layer in report.layers), right=header[:-1]
    )
    if report.suggestions:
        yield ""
        yield f"Changes that fix it, each simulated ({said_order(report.suggestions)}):"
        yield ""
        for one in report.suggestions:
            heals = f"healthy, trains with probability {percent(one.score)}"
            if report.command == "probe":
                yield f"- {heals}:\n\n```python\n{one.command}\n```\n"
            else:
                yield f"- {_code(one.command)}: {heals}"


def cells(report: Report, layer: LayerRecord) -> tuple[str, ...]:
    """Return a layer's cells as text, in the order of ``HEADER``."""
    return (
        title(report, layer),
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
