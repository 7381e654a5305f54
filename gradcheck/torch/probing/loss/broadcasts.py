"""Shapes that are broadcast in a loss: each output meets what belongs to other examples."""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Node, shape_of
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.probing.batches import tensors_in
from gradcheck.torch.probing.lost import as_plain
from gradcheck.torch.probing.tracing import floats

#: What takes a part of an output, as o[:, 0].
PARTS = ("Select", "Slice")

#: Differences, and losses of these.
DIFFERENCES = ("SubBackward", "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss")

#: What leaves a mean or sum a single number up to a factor, or leaves its addends one up to theirs.
SCALES = ("Neg", "MulBackward", "DivBackward", "View", "Squeeze", "Clone", "ToCopy")


#: The shapes of two things, and of what both make.
Crossed = tuple[torch.Size, torch.Size, torch.Size]


class Side(NamedTuple):
    """What an operation of two tensors was given on one side."""

    node: Node  # None of a constant
    shape: torch.Size | None  # None where that isn't known


def find_broadcast(output: object, targets: object, between: list[Node]) -> Iterator[Cause]:
    """Yield that (64, 1) and (64,) make (64, 64), of outputs and targets or of numbers made of these."""
    found, product = None, False
    main = main_tensor(output)
    if main is not None and main.dim() and isinstance(targets, Tensor):
        found = _of_parts(main, targets, between)
    elif not isinstance(targets, Tensor):
        found = _of_several(output, targets, between)
    if found is None:
        examples = len(main) if main is not None and main.dim() else 0
        found, product = next((one for node in between if (one := _of_product(node, examples)) is not None), None), True
    if found is not None:
        shapes = ["x".join(map(str, shape)) for shape in found]
        details = dict(zip(("output", "targets", "wide"), shapes, strict=True)) | ({"product": True} if product else {})
        yield Cause("broadcast", None, found[2].numel(), details=details)


def _of_several(output: object, targets: object, between: list[Node]) -> Crossed | None:
    """Return the same of several outputs or targets: of one and another that have a number for each example."""
    made = [one for one in floats(as_plain(output)) if one.dim() and one.grad_fn is not None]
    aims = [*tensors_in(targets)]
    pairs = ((one, aim) for one in made for aim in aims if one.numel() == aim.numel() > 1)
    return next((found for pair in pairs if (found := _of_parts(*pair, between)) is not None), None)


def _of_parts(output: Tensor, targets: Tensor, between: list[Node]) -> Crossed | None:
    """Return the shapes of an output, or of one number of each of its rows, of the targets, and of what both make."""
    compared = {one for node in between if node.name().startswith(DIFFERENCES) for one, _ in node.next_functions}
    for node in between:
        graded = [(one, place) for one, place in node.next_functions if one is not None]
        if len(graded) != 1 or (given := shape_of(*graded[0])) is None:
            continue
        difference = node in compared or node.name().startswith("SubBackward")
        column = difference and given.numel() == len(output) == targets.numel()
        if given != output.shape and not (column and _is_part(graded[0][0], output)):
            continue
        wide = shape_of(node, 0)
        if wide is None or not wide.numel() > max(given.numel(), targets.numel()):
            continue
        with suppress(RuntimeError):
            if torch.broadcast_shapes(given, targets.shape) == wide:
                return given, targets.shape, wide
    return None


def _is_part(node: Node, output: Tensor) -> bool:
    """Whether a node took a part of an output, whose shape nobody changed by hand."""
    taken = False
    while node is not None and node is not output.grad_fn and node.name().startswith(PARTS):
        node, taken = node.next_functions[0][0], True
    return taken and node is output.grad_fn


def _of_product(node: Node, examples: int) -> Crossed | None:
    """Return the shapes of two columns and of all pairs, where the mean or sum of a product is taken over these.

    That is the product of both means, which nobody takes so many products for. Columns that both have a graph count
    where they are as long as there are examples.
    """
    if not node.name().startswith(("MeanBackward0", "SumBackward0")):
        return None
    node = node.next_functions[0][0]
    while node is not None and node.name().startswith(SCALES):
        sides = sorted(_sides(node), key=lambda side: side.node is None)
        graded = [side.node for side in sides if side.node is not None]
        wide = shape_of(node, 0)
        if len(sides) == 2 and wide is not None and (len(graded) == 1 or wide[:1] == (examples,)):
            first, second = (side.shape for side in sides)
            if first is not None and second is not None and _are_crossed(first, second, wide):
                return first, second, wide
        node = graded[0] if len(graded) == 1 else None
    return None


def _sides(node: Node) -> list[Side]:
    """Return what a node was given; of a product also the shape of a constant."""
    saved = (getattr(node, f"_saved_{name}", None) for name in ("self", "other"))
    kept = [one.shape if isinstance(one, Tensor) else None for one in saved]
    return [
        Side(one, shape_of(one, place) if one is not None else kept[at])
        for at, (one, place) in enumerate(node.next_functions)
    ]


def _are_crossed(first: torch.Size, second: torch.Size, wide: torch.Size) -> bool:
    """Whether (n,) and (n, 1) have made (n, n)."""
    count = first.numel()
    shapes = {tuple(first), tuple(second)}
    return count > 1 and shapes == {(count,), (count, 1)} and tuple(wide) == (count, count)
