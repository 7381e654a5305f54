"""Theory as CSV and Markdown."""

from collections.abc import Iterator

from gradcheck.mean_field.report import OF_NETWORKS, QUANTITIES, AttentionDiagram, TheoryReport
from gradcheck.mean_field.text import heading, label, sentences
from gradcheck.mean_field.unknown import ENDLESS
from gradcheck.render.documents import markdown_table, records_as_csv
from gradcheck.render.style import escaped


def as_csv(report: TheoryReport) -> str:
    """Return one line a layer (a point of the phase diagram), or the fixed point's; an empty cell is not known."""
    if report.attention_diagram is not None:
        rows = list(_points_of_plane(report.attention_diagram))
    elif report.phase_diagram is not None:
        plane = report.phase_diagram
        rows = [
            {"sigma_w": sigma_w, "sigma_b": sigma_b, "chi": chi}
            for sigma_b, line in zip(plane.sigma_b, plane.chi, strict=True)
            for sigma_w, chi in zip(plane.sigma_w, line, strict=True)
        ]
    else:
        rows = [dict(layer) for layer in report.layers] or [dict(report.fixed_point)]
    return records_as_csv(rows)


def _points_of_plane(plane: AttentionDiagram) -> Iterator[dict[str, float | None]]:
    for scale, cosines, attended in zip(plane.residual_scale, plane.token_cosine, plane.attended, strict=True):
        for score, cosine, tokens in zip(plane.score_std, cosines, attended, strict=True):
            yield {"score_std": score, "residual_scale": scale, "token_cosine": cosine, "attended": tokens}


def as_markdown(report: TheoryReport) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: TheoryReport) -> Iterator[str]:
    yield f"**{label(report)}** - {escaped(heading(report))}"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in sentences(report))
    yield ""
    rows = _of_blocks(report) if report.points else (_row(report, *one) for one in QUANTITIES.items())
    yield from markdown_table(("quantity", "value", "meaning"), rows, right=("value",))
    for note in report.notes:
        yield from ("", escaped(note))


def _of_blocks(report: TheoryReport) -> Iterator[tuple[str, str, str]]:
    """Yield what is known of a transformer's blocks together, its value, and its meaning."""
    for name, meaning in OF_NETWORKS.items():
        value = report.network.get(name)
        yield name, "-" if value is None else f"{value:.6g}", escaped(meaning)


def _row(report: TheoryReport, name: str, meaning: str) -> tuple[str, str, str]:
    """Return a quantity of the fixed point, its value, and its meaning, or why theory doesn't know it."""
    value = report.fixed_point[name]
    if value is not None:
        return name, f"{value:.6g}", escaped(meaning)
    reason = report.reasons.get(name) or report.reasons["fixed_point"]
    return name, "inf" if reason.code == ENDLESS else "-", escaped(f"{meaning} ({reason})")
