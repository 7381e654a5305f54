"""Norms that are taken over a single number: nothing but their bias is left of what goes in."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Graph, Node
from gradcheck.torch.probing.hooks import Call, Recording

#: A norm's node ↦ how many numbers it is taken over. The norms over the examples refuse a single number themselves.
NUMBERS: dict[str, Callable[[Node], int]] = {
    "NativeGroupNorm": lambda node: int(node._saved_C) * int(node._saved_HxW) // int(node._saved_group),
    "NativeLayerNorm": lambda node: math.prod(node._saved_normalized_shape),
    "FusedRmsNorm": lambda node: math.prod(node._saved_normalized_shape),
}


NORMS = tuple(NUMBERS)


class NormsOfOne(NamedTuple):
    """Norms over a single number."""

    names: tuple[str, ...]  # of the layers that they are or that they follow
    over: str  # what the first of them is taken over
    whole: bool  # all of the signal goes through one of them


def find_norms_of_one(record: Recording, graph: Graph) -> NormsOfOne | None:
    """Return the norms of a graph that are taken over a single number; None where there are none."""
    calls = {call.node: call for call in record.calls if call.node is not None}
    found = [node for node, name in graph.names.items() if name.startswith(NORMS) and _numbers(node, name) == 1]
    named = [(node, call) for node in found if (call := _nearest(graph, node, calls)) is not None]
    if not named:
        return None
    over = "group" if "Group" in graph.names[named[0][0]] else "feature"
    names = dict.fromkeys(call.layer.name for _, call in reversed(named))  # the graph is read from its end
    return NormsOfOne(tuple(names), over, any(call.on_trunk for _, call in named))


def _numbers(node: Node, name: str) -> int:
    """Return how many numbers a norm is taken over; 0 where its node doesn't say."""
    try:
        return next(count(node) for start, count in NUMBERS.items() if name.startswith(start))
    except AttributeError:
        return 0


def _nearest(graph: Graph, node: Node, calls: dict[Node, Call]) -> Call | None:
    """Return the layer that a norm is, or that what it is given comes from."""
    return next((calls[one] for one in graph.reached([node]) if one in calls), None)


def causes_of(found: NormsOfOne | None) -> Iterator[Cause]:
    """Yield the norms over a single number, if there are any."""
    if found is not None:
        yield Cause("norm-of-one", None, len(found.names), details=found._asdict())
