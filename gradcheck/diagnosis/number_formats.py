"""From what number formats lose to a report's record of it, and to remarks."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.number_record import (
    CastLayerRecord,
    FormatRecord,
    NumberFormatsRecord,
    SharesRecord,
    UpdateRecord,
)
from gradcheck.flow.number_formats import KINDS, Case, Tally

#: A format is remarked on where it loses more than this share of a layer's tensor.
WORTH_NAMING = 0.01

#: The same of what overflows: one infinity spoils a step; in a block it is the largest number instead.
OVERFLOWS = {"loss": 0.0, "tensor": 0.0, "block": WORTH_NAMING}

#: Updates are remarked on where rounding loses more than this share of a layer's.
MOST_UPDATES = 0.5


class Place(NamedTuple):
    """A layer of a report, and what the tally knows it by."""

    key: Hashable
    layer: int | None  # its index
    name: str


def numbers_record(tally: Tally, places: Sequence[Place]) -> NumberFormatsRecord:
    """Return what formats lose, layer by layer."""
    return NumberFormatsRecord(
        lr=tally.rate,
        weights="drawn" if tally.drawn else "all",
        formats=tuple(_format(tally, case, places) for case in tally.cases),
        updates_lost=tally.all_lost,
        updates=tuple(UpdateRecord(layer=one.layer, name=one.name, lost=tally.lost(one.key)) for one in places),
    )


def _format(tally: Tally, case: Case, places: Sequence[Place]) -> FormatRecord:
    form = case.form
    return FormatRecord(
        format=case.format,
        scaling=case.scaling,
        loss_scale=2 ** tally.loss_shift(case) if case.shifts else None,
        largest=form.largest,
        smallest_normal=form.smallest_normal,
        smallest_subnormal=form.smallest_subnormal,
        layers=tuple(_layer(tally, case, one) for one in places),
    )


def _layer(tally: Tally, case: Case, place: Place) -> CastLayerRecord:
    found = {kind: tally.shares(place.key, case, kind) for kind in KINDS}
    shares = {kind: None if one is None else SharesRecord(**one._asdict()) for kind, one in found.items()}
    return CastLayerRecord(layer=place.layer, name=place.name, **shares)


def number_causes(record: NumberFormatsRecord) -> Iterator[Cause]:
    """Yield what formats lose where that is much, and name those that lose little; none changes a verdict."""
    fitting = dict[str, list[str]]()
    for one in record.formats:
        found = list(_losses(one))
        yield from found
        if not found:
            fitting.setdefault(one.format, []).append(scaled(one))
    if fitting:
        names = [f"{name} ({' or '.join(ways)})" for name, ways in fitting.items()]
        yield Cause("format-fits", None, WORTH_NAMING, details={"names": names})
    lost = [one for one in record.updates if (one.lost or 0.0) > MOST_UPDATES]
    if lost:
        worst = max(lost, key=lambda one: one.lost or 0.0)
        details = {"name": worst.name, "lr": record.lr, "layers": len(lost)}
        yield Cause("updates-lost", _ends(worst.layer), worst.lost, MOST_UPDATES, details)


def scaled(one: FormatRecord) -> str:
    """Return what scales tensors before a cast, in words."""
    if one.scaling == "loss":
        return "as it is" if one.loss_scale == 1 else f"loss scale {one.loss_scale:,}"
    return "each tensor scaled" if one.scaling == "tensor" else "each block scaled"


def worst(one: FormatRecord, kind: str, part: str) -> tuple[float, CastLayerRecord | None]:
    """Return the largest share that a format loses of one kind of tensors, and at which layer; 0 and None of none."""
    found = ((layer[kind][part], layer) for layer in one.layers if layer[kind] is not None)
    return max(found, key=lambda pair: pair[0], default=(0.0, None))


def _losses(one: FormatRecord) -> Iterator[Cause]:
    """Yield where a format loses most to zero, and where most overflows."""
    for code, part, limit in (
        ("format-overflow", "overflow", OVERFLOWS[one.scaling]),
        ("format-underflow", "to_zero", WORTH_NAMING),
    ):
        of_kinds = {kind: worst(one, kind, part) for kind in KINDS}
        kind, (share, layer) = max(of_kinds.items(), key=lambda item: item[1][0])
        if share > limit and layer is not None:
            what = f"{one.format} ({scaled(one)})", kind.replace("_", " ")
            details = {"name": layer.name, "what": what, "saturates": one.scaling == "block"}
            yield Cause(code, _ends(layer.layer), share, limit, details)


def _ends(layer: int | None) -> tuple[int, int] | None:
    return None if layer is None else (layer, layer)
