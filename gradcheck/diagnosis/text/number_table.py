"""What number formats lose, in a few lines under the table of layers."""

from collections.abc import Iterator

from rich.console import RenderableType

from gradcheck.base.wording import as_percent
from gradcheck.diagnosis.number_formats import worst
from gradcheck.diagnosis.number_record import CastLayerRecord, FormatRecord
from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.shown_layers import title
from gradcheck.diagnosis.text.layer_table import end_of_name
from gradcheck.render.layout import aside, borderless, indented

#: What a cast does, and the heading of its column; the layer is named at which the first of them that happens is worst.
PARTS = {"to_zero": "to zero", "overflow": "overflow", "subnormal": "subnormal"}

#: Columns from which on all parts are shown: subnormal numbers have fewer digits, and aren't lost.
ROOM = 92

#: Characters of a layer's name at most.
LONGEST_NAME = 16

#: The tensors of a layer, and what they are called.
TENSORS = {
    "activations": "activations", "weights": "weights", "gradients": "gradients",
    "weight_gradients": "weight gradients",
}  # fmt: skip


def number_table(report: Report, width: int) -> Iterator[RenderableType]:
    """Yield a row for each tensor of which a format loses anything, at the layer that loses most of it."""
    record = report.number_formats
    if record is None:
        return
    yield ""
    yield aside("  In number formats: share of nonzero entries, at the layer that loses most")
    parts = {part: head for part, head in PARTS.items() if part != "subnormal" or width >= ROOM}
    words = ("format", "scale", "tensor", report.unit)
    table = borderless([*words[:-1], *parts.values(), words[-1]], left=words)
    for one in record.formats:
        for row in _rows(report, one, tuple(parts)):
            table.add_row(one.format, _scale(one), *row)
    yield indented(table)
    if record.updates_lost is not None:
        lost = f"{as_percent(record.updates_lost)} of plain SGD's updates at rate {record.lr:g}"
        yield aside(f"  weights kept in bf16 lose {lost} to rounding")
    if record.weights == "drawn":
        yield aside("  64 rows or more of each layer's weights are drawn, and stand for all")


def _rows(report: Report, one: FormatRecord, parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the cells of the tensors that lose anything, or a single row that says that none does."""
    rows = []
    for kind, called in TENSORS.items():
        found = {part: worst(one, kind, part) for part in parts}
        at = next((layer for share, layer in found.values() if share and layer is not None), None)
        if at is not None:
            rows.append((called, *(as_percent(share) for share, _ in found.values()), _name(report, at)))
    return rows or [("all", *(as_percent(0.0) for _ in parts), "")]


def _scale(one: FormatRecord) -> str:
    """Return what scales tensors before a cast, in short."""
    return one.scaling if one.loss_scale is None else "none" if one.loss_scale == 1 else f"loss {one.loss_scale:,}"


def _name(report: Report, layer: CastLayerRecord) -> str:
    name = layer.name if layer.layer is None else title(report, report.layers[layer.layer - 1])
    return end_of_name(name, LONGEST_NAME)
