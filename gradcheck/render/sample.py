"""Which layers a long table shows, and what they are called in it."""

from collections.abc import Sequence

from gradcheck.report import Record

#: A table of more layers than this is sampled.
ALL_UP_TO = 40

#: Rows that an even sample takes, beside the ends and the edges of regions.
EVENLY = 9


def shown_layers(depth: int, regions: Sequence[Record], all_layers: bool = False) -> list[int]:
    """Return the layers (from 1) that the table shows: the ends, each region's edges, an even sample between."""
    if all_layers or depth <= ALL_UP_TO:
        return list(range(1, depth + 1))
    ends = {1, 2, depth - 1, depth}
    even = {1 + round(step * (depth - 1) / EVENLY) for step in range(EVENLY + 1)}
    edges = {
        layer
        for region in regions
        for layer in (region.first_layer - 1, region.first_layer, region.last_layer, region.last_layer + 1)
        if 1 <= layer <= depth
    }
    return sorted(ends | even | edges)


def title(layer: Record) -> str:
    """Return a layer's number; of a transformer its block and flow point."""
    name = str(layer.name)
    return name.removeprefix("block ") if name.startswith("block ") else str(layer.index)
