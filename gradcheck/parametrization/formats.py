"""A transfer report for other programs: CSV with a line for each layer, quantity and step; Markdown."""

from collections.abc import Iterator
from typing import Any

from gradcheck.parametrization.cells import (
    SHOWN,
    TITLES,
    about_losses,
    heading,
    loss_cells,
    loss_titles,
    notes,
    rows_of,
    slope_in_words,
)
from gradcheck.parametrization.next_step import diverges, next_command
from gradcheck.parametrization.report import TransferReport
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped


def as_csv(report: TransferReport) -> str:
    """Return one line for each layer, quantity and step, with the sizes at all widths."""
    return records_as_csv(list(_records(report)))


def _records(report: TransferReport) -> Iterator[dict[str, Any]]:
    for one in report.layers:
        for step, slope, error, sizes in zip(one.steps, one.slopes, one.errors, one.sizes, strict=True):
            yield {
                "layer": one.layer, "kind": one.kind, "quantity": one.quantity, "step": step, "slope": slope,
                "slope_error": error, "course": one.course, "since": one.since,
                **{f"size_at_{scale}": size for scale, size in zip(report.scales, sizes, strict=True)},
            }  # fmt: skip


def as_markdown(report: TransferReport) -> str:
    """Return a report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: TransferReport) -> Iterator[str]:
    verdict, rows = report.verdict, rows_of(report)
    yield f"**{verdict.status}** - {escaped(heading(report))}"
    yield ""
    yield from (f"- {escaped(reason)}" for reason in (*verdict.reasons, verdict.learning_rate))
    yield from (f"- to change: {escaped(cause.advice)}" for cause in verdict.causes if cause.advice)
    yield ""
    if diverges(report) and report.losses:
        yield about_losses(report).capitalize() + ":"
        yield ""
        titles = loss_titles(report)
        yield from markdown_table(titles, map(loss_cells, report.losses), right=titles)
        yield ""
    names = [name for name in SHOWN if any(name in row.quantities for row in rows)]
    titles = [TITLES[name] for name in names]
    lines = (
        [
            escaped(row.layer),
            *(slope_in_words(row.quantities[name]) if name in row.quantities else "" for name in names),
            row.verdict,
        ]
        for row in rows
    )
    yield from markdown_table(["layer", *titles, "verdict"], lines, right=titles)
    yield ""
    for note in notes(report):
        yield escaped(note).capitalize() + "."
    yield ""
    yield f"    {next_command(report)}"
