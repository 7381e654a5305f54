"""What number formats lose, on a page for a browser: charts along the layers, and a table."""

from collections.abc import Iterator
from typing import NamedTuple

from gradcheck.diagnosis.number_formats import scaled
from gradcheck.diagnosis.number_record import FormatRecord, NumberFormatsRecord, SharesRecord
from gradcheck.flow.number_formats import KINDS
from gradcheck.pages.columns import Columns, columns_of, rounded
from gradcheck.pages.page import Axis, Chart, Line, Table


class Cast(NamedTuple):
    """One tensor of a layer in a format."""

    format: FormatRecord
    name: str  # of the layer
    kind: str
    shares: SharesRecord


#: What the table says of a tensor.
CAST: Columns = {
    "format": ("text", lambda one: one.format.format, ""),
    "scale": ("text", lambda one: scaled(one.format), "what multiplies it before the cast"),
    "layer": ("text", lambda one: one.name, ""),
    "tensor": ("text", lambda one: one.kind.replace("_", " "), ""),
    "to zero": ("share", lambda one: one.shares.to_zero, "share of the entries that aren't zero"),
    "subnormal": ("share", lambda one: one.shares.subnormal, "share that has fewer digits"),
    "overflow": ("share", lambda one: one.shares.overflow, "share beyond the largest number"),
    "log2 scale": ("whole", lambda one: one.shares.log2_scale, "the power of two that multiplies it"),
}


def number_charts(record: NumberFormatsRecord | None, x: Axis) -> Iterator[Chart]:
    """Yield what each format that loses anything rounds to zero, along the layers, and which updates are lost."""
    if record is None:
        return
    for one in record.formats:
        lines = tuple(_lines(one))
        if any(height for line in lines for height in line.y):
            about = f"Share of the entries that aren't zero, {scaled(one)}"
            yield Chart(title=f"Rounds to zero in {one.format}", about=about, x=x, y=Axis(label="share"), lines=lines)
    lost = tuple(rounded(one.lost) for one in record.updates)
    if any(lost):
        about = f"Share that rounding of bf16 weights loses, of plain SGD at rate {record.lr:g}"
        line = Line(name="lost", x=tuple(range(1, len(lost) + 1)), y=lost)
        yield Chart(title="Updates lost", about=about, x=x, y=Axis(label="share"), lines=(line,))


def _lines(one: FormatRecord) -> Iterator[Line]:
    places = tuple(range(1, len(one.layers) + 1))
    for kind in KINDS:
        heights = (None if layer[kind] is None else rounded(layer[kind].to_zero) for layer in one.layers)
        yield Line(name=kind.replace("_", " "), x=places, y=tuple(heights))


def number_tables(record: NumberFormatsRecord | None) -> Iterator[Table]:
    """Yield every tensor of every layer in every format."""
    if record is not None:
        casts = (
            Cast(one, layer.name, kind, layer[kind])
            for one in record.formats
            for layer in one.layers
            for kind in KINDS
            if layer[kind] is not None
        )
        yield Table(name="numbers", title="Number formats", columns=columns_of(casts, CAST))
