"""What number formats lose, in a few lines under the table of layers."""

from collections.abc import Iterator

from rich.console import RenderableType

from gradcheck.base.wording import as_percent
from gradcheck.diagnosis.number_formats import scaled, worst
from gradcheck.diagnosis.number_record import FormatRecord
from gradcheck.diagnosis.report import Report
from gradcheck.render.layout import aside, borderless, indented

#: What a cast does, and the heading of its column; the layer is named at which the first of them that happens is worst.
PARTS = {"to_zero": "to zero", "overflow": "overflow", "subnormal": "subnormal"}

#: The tensors of a layer, and what they are called.
TENSORS = {
    "activations": "activations", "weights": "weights", "gradients": "gradients",
    "weight_gradients": "weight gradients",
}  # fmt: skip


def number_table(report: Report) -> Iterator[RenderableType]:
    """Yield a row for each tensor of which a format loses anything, at the layer that loses most of it."""
    record = report.number_formats
    if record is None:
        return
    yield ""
    yield aside("  Number formats: share of the entries that aren't zero, at the layer that loses most")
    words = ("format", "scale", "tensor", "most at")
    table = borderless([*words[:-1], *PARTS.values(), words[-1]], left=words)
    for one in record.formats:
        for row in _rows(one):
            table.add_row(one.format, scaled(one), *row)
    yield indented(table)
    if record.updates_lost is not None:
        lost = f"{as_percent(record.updates_lost)} of all updates by plain SGD at rate {record.lr:g}"
        yield aside(f"  bf16 weights: {lost} are lost to rounding")
    if record.weights == "drawn":
        yield aside("  of weightless layers, 256 rows or more of the weights are drawn and stand for all")


def _rows(one: FormatRecord) -> list[tuple[str, ...]]:
    """Return the cells of the tensors that lose anything, or a single row that says that none does."""
    rows = []
    for kind, called in TENSORS.items():
        found = {part: worst(one, kind, part) for part in PARTS}
        at = next((layer.name for share, layer in found.values() if share and layer is not None), "")
        if at:
            rows.append((called, *(as_percent(share) for share, _ in found.values()), at))
    return rows or [("all", *(as_percent(0.0) for _ in PARTS), "")]
