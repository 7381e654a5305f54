"""Theory as JSON, CSV and Markdown."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping

from gradcheck.mean_field.report import QUANTITIES, TheoryReport
from gradcheck.mean_field.text import heading, label, sentences
from gradcheck.mean_field.unknown import ENDLESS
from gradcheck.render.style import escaped


def as_json(report: TheoryReport) -> str:
    """Return the report as an indented JSON document, ASCII only."""
    return json.dumps(report.to_dict(), indent=2, allow_nan=False) + "\n"


def as_csv(report: TheoryReport) -> str:
    """Return one line a layer, or with a phase diagram one line a point; an empty cell is a number that isn't known.

    Where theory doesn't know the layers, there is the fixed point's line instead.
    """
    if report.diagram is not None:
        plane = report.diagram
        rows = [
            {"sigma_w": sigma_w, "sigma_b": sigma_b, "chi": chi}
            for sigma_b, line in zip(plane.sigma_b, plane.chi, strict=True)
            for sigma_w, chi in zip(plane.sigma_w, line, strict=True)
        ]
    else:
        rows = [dict(layer) for layer in report.layers] or [dict(report.fixed_point)]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(report: TheoryReport) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: TheoryReport) -> Iterator[str]:
    yield f"**{label(report)}** - {escaped(heading(report))}"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in sentences(report))
    yield ""
    yield "| quantity | value | meaning |"
    yield "| --- | ---: | --- |"
    for name, meaning in QUANTITIES.items():
        value = report.fixed_point[name]
        if value is None:
            reason = report.reasons.get(name) or report.reasons["fixed_point"]
            shown, told = "inf" if reason.code == ENDLESS else "-", f"{meaning} ({reason})"
        else:
            shown, told = f"{value:.6g}", meaning
        yield f"| {name} | {shown} | {escaped(told)} |"
    for note in report.notes:
        yield from ("", escaped(note))


#: Format ↦ what writes it.
FORMATS: Mapping[str, Callable[[TheoryReport], str]] = {"json": as_json, "csv": as_csv, "markdown": as_markdown}
