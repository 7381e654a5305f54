"""A report as CSV and Markdown."""

from collections.abc import Iterator

from gradcheck.diagnosis.chances import said_of_training
from gradcheck.diagnosis.label import in_a_line
from gradcheck.diagnosis.regression import Move, Regression
from gradcheck.diagnosis.report import LayerRecord, Report
from gradcheck.diagnosis.shown_layers import title
from gradcheck.diagnosis.suggestions import said_order, starts_far
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


def regression_as_markdown(regression: Regression) -> str:
    """Return what moved since a baseline as GitHub-flavoured Markdown, every layer that moved."""
    return "\n".join(_moves(regression)) + "\n"


def _moves(regression: Regression) -> Iterator[str]:
    moved = [move for move in regression.layers if move.moved]
    count = f"{len(moved)} of {len(regression.layers)} {regression.unit}s"
    course = f"{regression.status_before} → {regression.status_after}"
    yield f"**{regression.outcome}** - {course}, {count} moved by more than {regression.tolerance:g} decades"
    for names, where in ((regression.only_before, "the baseline"), (regression.only_after, "the new report")):
        if names:
            yield f"\nonly in {where}: {', '.join(map(escaped, names))}"
    if moved:
        yield ""
        header = (regression.unit, "log10 gradient, baseline", "now", "moved")
        rows = ([escaped(one.name), *_numbers(one)] for one in moved)
        yield from markdown_table(header, rows, right=header[1:])


def _numbers(move: Move) -> list[str]:
    """Return a layer's gradient then and now, and how far it moved; a dash for what isn't finite."""
    numbers = ((move.before, ".2f"), (move.after, ".2f"), (move.change, "+.2f"))
    return ["-" if value is None else format(value, digits) for value, digits in numbers]


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
            heals = f"healthy, trains with probability {percent(one.score)}{starts_far(one)}"
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
