"""Where a read-out's classes lie when a loss chooses among them: a view cuts them up where a transpose was meant."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Node, is_log_softmax, shape_of, signed
from gradcheck.torch.probing.loss.losses import BETWEEN, axis_of

#: Read-outs, and the axis in which their classes lie.
READOUTS = {"AddmmBackward0": -1, "MmBackward0": -1, "LinearBackward0": -1, "ConvolutionBackward0": 1}

#: What gives numbers another shape, in their order.
VIEWS = ("View", "UnsafeView", "ReshapeAlias")

#: Of more numbers their places aren't followed.
MOST = 10**7

#: A row holds each class once, or is cut out of several: so many of them suffice to tell.
ROWS = 1000


def find_cut_classes(between: Sequence[Node]) -> Iterator[Cause]:
    """Yield that the rows a cross-entropy chooses in aren't those of a read-out's classes."""
    for node in between:
        if is_log_softmax(node) and node._saved_result.numel() <= MOST:
            end, passed = _way_to_readout(node)
            axis, shape = READOUTS.get("" if end is None else end.name()), made_shape(end)
            if axis is None or len(shape) < 2 or shape[axis] != node._saved_result.shape[axis_of(node)]:
                continue
            if shape[axis] > 1 and _is_cut(shape, axis, passed, axis_of(node)):
                first = passed[0]
                before = made_shape(first) if first.name().startswith(VIEWS) else shape
                sizes = {"given": "x".join(map(str, before)), "made": "x".join(map(str, node._saved_result.shape))}
                yield Cause("axes-viewed", None, shape[axis], details=sizes)
                return


def _way_to_readout(softmax: Node) -> tuple[Node | None, list[Node]]:
    """Return the node that a softmax's numbers come from, and those that gave them another shape, the first first."""
    passed: list[Node] = []
    node = softmax.next_functions[0][0]
    while node is not None and node.name().startswith(BETWEEN):
        passed.insert(0, node)
        node = node.next_functions[0][0]
    return node, passed


def _is_cut(shape: tuple[int, ...], axis: int, passed: Sequence[Node], chosen: int) -> bool:
    """Whether the numbers along the axis that is chosen in are of one class twice, as a view has cut them so.

    Where axes are moved alone, to choose in another one is meant, as among the rows of a matrix of pairs.
    """
    steps = zip(passed, pairwise([shape, *map(made_shape, passed)]), strict=True)
    if not any(node.name().startswith(VIEWS) and before != after for node, (before, after) in steps):
        return False
    view = [1] * len(shape)
    view[axis] = shape[axis]
    classes = torch.arange(shape[axis]).view(view).expand(shape)
    for node in passed:
        classes = moved(classes, node)
    rows = classes.movedim(chosen, -1).reshape(-1, shape[axis])[:ROWS].sort(1).values
    return bool((rows != torch.arange(shape[axis])).any())


def moved(numbers: Tensor, node: Node) -> Tensor:
    """Return numbers as a node of the graph moves them: by a permutation, or else in their order to another shape."""
    name = node.name().partition("Backward")[0]
    if name == "Permute":
        return numbers.permute(list(map(signed, node._saved_dims)))
    if name == "Transpose":
        return numbers.transpose(signed(node._saved_dim0), signed(node._saved_dim1))
    if name == "T":
        return numbers.t()
    return numbers.reshape(made_shape(node))


def has_foreign_rows(shape: tuple[int, ...], passed: Sequence[Node]) -> bool:
    """Whether the rows of what is made of a shape, with a row for each example, hold numbers of other examples."""
    if math.prod(shape) > MOST:
        return False
    numbers = torch.arange(shape[0]).view(-1, *[1] * (len(shape) - 1)).expand(shape)
    for node in passed:
        numbers = moved(numbers, node)
    return len(numbers) == shape[0] and bool((numbers.flatten(1) != torch.arange(shape[0])[:, None]).any())


def made_shape(node: Node | None, place: int = 0) -> tuple[int, ...]:
    """Return the shape of what a node made, of several things, as a split makes them, the one in this place."""
    return () if node is None else tuple(shape_of(node, place) or ())
