"""The ways through a graph of operations: what is reached, and what every way goes through."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

#: An operation of a framework's graph.
Node = Any


class Paths:
    """A graph of operations, from the loss back."""

    def __init__(self, inputs: dict[Node, list[Node | None]] | None = None) -> None:
        # node ↦ the nodes that its inputs come from, in their order; None where no gradient is wanted
        self.inputs: dict[Node, list[Node | None]] = {} if inputs is None else inputs

    def reached(
        self, roots: Iterable[Node], inputs: Callable[[Node], Iterable[Node | None]] | None = None
    ) -> list[Node]:
        """Return every node that the gradient reaches from `roots`, each once, going only to these inputs of a node."""
        inputs = self.inputs.__getitem__ if inputs is None else inputs
        found = dict.fromkeys(roots)
        waiting = [*found]
        while waiting:
            for one in inputs(waiting.pop()):
                if one is not None and one not in found:
                    found[one] = None
                    waiting.append(one)
        return [*found]


def ends_beyond(graph: Paths, root: Node, marked: set[Node]) -> tuple[list[Node], dict[Node, int]]:
    """Return the ends, and for each node that the gradient reaches at which of them its signal arrives, a bit for each.

    An end is a marked node behind which there is no other on the way to `root`.
    """
    left = Counter(one for node in graph.reached([root]) for one in graph.inputs[node] if one is not None)
    found, ends, ready = defaultdict[Node, int](int), list[Node](), [root]
    while ready:  # in topological order
        node = ready.pop()
        if node in marked and not found[node]:
            found[node] = 1 << len(ends)
            ends.append(node)
        for one in graph.inputs[node]:
            if one is not None:
                found[one] |= found[node]
                left[one] -= 1
                if not left[one]:
                    ready.append(one)
    return ends, found


def bottlenecks(graph: Paths, root: Node, sources: set[Node]) -> set[Node]:
    """Return the nodes that every path from `root` to the sources goes through.

    Notes
    -----
    Nodes are taken in topological order; one that takes all edges that are open at that moment has no path around it.
    """
    parents: dict[Node | None, list[Node]] = defaultdict(list)
    for node in graph.reached([root]):
        for following in graph.inputs[node]:
            parents[following].append(node)
    leading = set(graph.reached(sources, parents.__getitem__))
    followers = {
        node: [] if node in sources else [one for one in graph.inputs[node] if one in leading] for node in leading
    }
    left = Counter(one for following in followers.values() for one in following)
    taken, found, open_edges = Counter(left), set[Node](), 0
    ready = [root] if root in leading else []
    while ready:
        node = ready.pop()
        open_edges -= taken[node]
        if not open_edges and not ready:
            found.add(node)
        for following in followers[node]:
            open_edges += 1
            left[following] -= 1
            if not left[following]:
                ready.append(following)
    return found
