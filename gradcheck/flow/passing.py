"""A batch's way through a network and back, in segments where not all of it fits into memory."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gradcheck.engine.layered import Cotangents, Layered, LayerPass, backward, forward
from gradcheck.engine.linear import Linear
from gradcheck.engine.magnitude import Scaled, sum_of_squares
from gradcheck.engine.types import Array
from gradcheck.flow.layer_flow import LayerFlow

#: What is measured of a layer's pass, and what is held of it for the way back.
Measured = Callable[[LayerPass], LayerFlow]
Keep = Callable[[LayerPass], LayerPass]


class Forth(NamedTuple):
    """The forward pass, as far as it stays finite."""

    layers: list[LayerFlow]  # what is measured on the way forward
    starts: list[Array]  # the input of each segment, and the last output
    segments: list[range]
    passes: list[LayerPass]  # those of the last segment; none where something stopped it before
    obstacle: str  # what stopped it, if anything


def backward_passes(
    network: Layered, forth: Forth, delta: Scaled, keep: Keep
) -> Iterator[tuple[int, LayerPass, Cotangents[Scaled]]]:
    """Yield each layer's index, pass and what comes back to it, last to first.

    All but the last segment are passed anew; the passes of each are let go before the next one's are made.
    """
    passes = forth.passes
    for start, segment in zip(forth.starts[-2::-1], forth.segments[::-1], strict=True):
        passes += () if passes else map(keep, forward(network, start, segment))
        indices = range(segment.stop - 2, segment.start - 2, -1)
        for index, layer_pass, back in zip(indices, reversed(passes), backward(passes, delta), strict=True):
            yield index, layer_pass, back
            delta = back.at_x
        passes.clear()


def _segments(network: Layered, rows: int, itemsize: int, memory: int) -> list[range]:
    """Split the layers 1 … depth into runs of which all that is kept fits into `memory` bytes; the last is full."""
    segments, end, held = list[range](), network.depth + 1, 0
    for layer, numbers in reversed(list(enumerate(network.kept(rows), start=1))):
        need = itemsize * numbers
        if held and held + need > memory:
            segments.append(range(layer + 1, end))
            end, held = layer + 1, 0
        held += need
    return [range(1, end), *reversed(segments)]


def forward_passes(
    network: Layered, x: Array, memory: int, measured: Measured, keep: Keep, tick: Callable[[int], None]
) -> Forth:
    """Pass x forward as far as it stays finite; hold what `keep` makes of the last segment's passes."""
    layers, starts, passes = list[LayerFlow](), [x], list[LayerPass]()
    segments = _segments(network, len(x), x.itemsize, memory)
    for done, segment in enumerate(segments, start=1):
        for layer, layer_pass in zip(segment, forward(network, starts[-1], segment), strict=True):
            tick(layer)
            if not (is_finite(layer_pass.preactivation) and is_finite(layer_pass.output)):
                reached = segments[: done - 1]
                if layer > segment.start:
                    starts.append(x)
                    reached.append(range(segment.start, layer))
                return Forth(layers, starts, reached, passes, why_not_finite(*layer_pass.maps))
            layers.append(measured(layer_pass))
            if done == len(segments):  # all others are passed anew: their memory is free for the next layer's
                passes.append(keep(layer_pass))
            x = layer_pass.output
        starts.append(x)
    return Forth(layers, starts, segments, passes, "")


def is_finite(array: Array) -> bool:
    """Return whether every entry is finite."""
    return math.isfinite(sum_of_squares(array)) or bool(np.isfinite(array).all())


def why_not_finite(*maps: Linear) -> str:
    """Return why a finite input doesn't stay finite: ``nan`` if one is given, else ``overflow``.

    An overflow can show as nan too, by +inf − inf, depending on how the products are summed.
    """
    return "nan" if any(one.holds_nan for one in maps) else "overflow"
