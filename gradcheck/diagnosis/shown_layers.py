"""Which layers a long table shows, and what they are called in it."""

from collections.abc import Iterable, Sequence

from gradcheck.diagnosis.report import LayerRecord, RegionRecord, Report

#: A table of more layers than this is sampled.
ALL_UP_TO = 40

#: Rows that an even sample takes, beside the ends and the edges of regions.
EVENLY = 9


def shown_layers(depth: int, regions: Sequence[RegionRecord], all_layers: bool = False) -> list[int]:
    """Return the layers (from 1) that the table shows: the ends, regions' edges, an even sample between."""
    if all_layers or depth <= ALL_UP_TO:
        return list(range(1, depth + 1))
    ends = {1, 2, depth - 1, depth}
    even = {1 + round(step * (depth - 1) / EVENLY) for step in range(EVENLY + 1)}
    edges = _edges(regions)
    if len(edges) > ALL_UP_TO:  # flags that alternate: the outermost regions of each kind
        first = {region.flag: region for region in reversed(regions)}
        last = {region.flag: region for region in regions}
        edges = _edges([*first.values(), *last.values()])
    return sorted(layer for layer in ends | even | edges if 1 <= layer <= depth)


def _edges(regions: Iterable[RegionRecord]) -> set[int]:
    """Return the layers on both sides of each region's ends."""
    ends = ((region.first_layer, region.last_layer) for region in regions)
    return {layer for first, last in ends for layer in (first - 1, first, last, last + 1)}


def sampled(report: Report) -> bool:
    """Whether the table leaves layers out unless --all-layers is given."""
    return len(report.layers) > ALL_UP_TO


def of_several_kinds(report: Report) -> bool:
    """Whether the layers' gradients can be compared only with those of their kind."""
    return len({layer.kind for layer in report.layers}) > 1


def plotted_field(report: Report) -> str:
    """Return which logarithm the picture shows: the gradient; of layers of several kinds its ratio within the kind."""
    return "log10_gradient_ratio" if of_several_kinds(report) else "log10_gradient_rms"


def title(report: Report, layer: LayerRecord) -> str:
    """Return a layer's number; of a transformer its block and flow point, of a user's own model its name."""
    if layer.kind is not None:
        return layer.name
    if not report.points:
        return str(layer.index)
    block, point = divmod(layer.index - 1, len(report.points))
    return f"{block + 1} {report.points[point]}"
