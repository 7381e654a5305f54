"""A pass in numbers: how far the outputs of its examples are apart, and whether its loss is zero at best."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck.probing.first_loss import FAR_TOO_LARGE, FirstLoss
from gradcheck.spec.probing import LOSSES
from gradcheck.torch.graph import Node, is_derivative
from gradcheck.torch.layers import EMBEDDINGS, is_finite, main_tensor
from gradcheck.torch.probing.hooks import Recording

#: What is never negative, by its node in the graph; and what is never positive.
FROM_ZERO = (
    "NllLoss", "MseLoss", "SmoothL1Loss", "HuberLoss", "BinaryCrossEntropy", "SoftMarginLoss", "CtcLoss",
    "MultiMarginLoss", "MultilabelMarginLoss",
    "Abs", "Sigmoid", "Softmax", "Relu", "Softplus", "LinalgVectorNorm", "NormBackward", "Cdist", "EuclideanDist",
    "ExpBackward", "VarBackward", "StdBackward",
)  # fmt: skip
TO_ZERO = ("LogSoftmax", "LogSigmoid")

#: What leaves numbers on their side of zero.
KEEPS = (
    "Mean", "Sum", "Sqrt", "View", "ToCopy", "Squeeze", "Unsqueeze", "Expand", "Select", "Slice", "Index", "Gather",
    "Stack", "Cat", "Where", "Clone", "Alias", "Amax", "Amin", "MaxBackward", "MinBackward", "Median", "Maximum",
    "Minimum", "Permute", "Transpose", "TBackward", "Reshape", "Unbind", "Split", "Cumsum", "Log1P",
)  # fmt: skip

#: What lies on a side that those of its inputs decide.
DECIDED = ("Neg", "PowBackward0", "Mul", "Div", "Add", "Sub", *KEEPS)


class Values(NamedTuple):
    """What a pass's output and loss are as numbers."""

    spread: float = math.nan  # root mean square of the outputs, centred over the examples
    never_negative: bool = False  # the loss is zero at best
    numbers: int = 1  # how many the outputs have


def values_of(loss: str, output: object, value: Tensor | None, first: FirstLoss) -> Values:
    """Return the numbers of an output and of the loss that was made of it: its name, and its value if it has one.

    One that is held against huge targets is made of differences.
    """
    from_zero = loss in LOSSES or (value is not None and is_never_negative(value.grad_fn)) or first.has_huge_targets
    tensor = main_tensor(output)
    return Values(measure_spread(output), from_zero, 1 if tensor is None else max(1, tensor.numel()))


def measure_spread(output: object) -> float:
    """Return the root mean square of the outputs, centred over the examples; nan for a single example."""
    tensor = main_tensor(output)
    if tensor is None or tensor.dim() == 0 or len(tensor) < 2:
        return math.nan
    real = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
    return float(real.float().var(0, unbiased=False).mean().sqrt())


def is_never_negative(node: Node | None) -> bool:
    """Whether a loss is zero at best, by the graph that made it: cross-entropy, squares, and sums of such."""
    return side_of_zero(node) > 0


def side_of_zero(root: Node | None) -> int:
    """Return 1 for numbers that are never negative, by the graph that made them; -1 for never positive; else 0."""
    sides: dict[Node, int] = {}
    waiting = [root]
    while waiting:  # not by recursion: a sum of a thousand terms is a thousand nodes deep
        node = waiting[-1]
        unknown = [one for one in _deciding(node) if one not in sides]
        waiting.extend(unknown)
        if not unknown:
            sides[waiting.pop()] = _side(node, sides)
    return sides[root]


def _deciding(node: Node | None) -> list[Node]:
    """Return the inputs whose side decides on which side a node's result lies."""
    if node is None or not node.name().startswith(DECIDED):
        return []
    return [one for one, _ in node.next_functions if one is not None]


def _side(node: Node | None, sides: Mapping[Node, int]) -> int:
    """Return on which side of zero a node's result lies, by those of its inputs."""
    if node is None or is_derivative(node.name()):
        return 0
    name, inputs = node.name(), [sides[one] for one in _deciding(node)]
    if name.startswith(FROM_ZERO) or _is_clamped_above_zero(name, node):
        return 1
    if name.startswith(TO_ZERO):
        return -1
    if name.startswith("Neg"):
        return -inputs[0]
    if name == "PowBackward0":
        return 1 if node._saved_exponent % 2 == 0 else max(0, inputs[0])
    if name.startswith(("Mul", "Div")):
        if len(inputs) == 2 and node.next_functions[0] == node.next_functions[1] and name.startswith("Mul"):
            return 1  # a square
        constant = [_side_of(node, place) for place, (one, _) in enumerate(node.next_functions) if one is None]
        return math.prod([*constant, *inputs])
    if name.startswith(("Add", "Sub")):  # a number that is added may be on the other side
        first, second = inputs if len(inputs) == 2 else (0, 0)
        return first if first == (second if name.startswith("Add") else -second) else 0
    same = len(set(inputs)) == 1 and not _has_other_values(name, node)
    return inputs[0] if same else 0


def _is_clamped_above_zero(name: str, node: Node) -> bool:
    """Whether a node's result is clamped at zero, or above, as a margin's loss is."""
    least = getattr(node, "_saved_min", None) if name.startswith("Clamp") else None
    return isinstance(least, int | float) and least >= 0


def _side_of(node: Node, place: int) -> int:
    """Return on which side of zero the constant factor of a product, or of a quotient, lies."""
    saved = getattr(node, ("_saved_self", "_saved_other")[place], None)
    if not isinstance(saved, Tensor) or saved.is_complex():
        return 0
    return 1 if bool((saved >= 0).all()) else -1 if bool((saved <= 0).all()) else 0


def _has_other_values(name: str, node: Node) -> bool:
    """Whether a choice or a stack also holds values that no graph made."""
    chooses = name.startswith(("Where", "Stack", "Cat", "Maximum", "Minimum"))
    return chooses and any(one is None for one, _ in node.next_functions)


def rms_of_inputs(inputs: Sequence[Tensor], record: Recording) -> float:
    """Return the largest root mean square of the inputs that are floats; nan without any that is finite.

    What an embedding makes of words is an input, too, where it is far too large.

    What the first layer is given takes the place of an input as large, or of a smaller one if there is no other: it may
    have been scaled on its way and cut into patches that overlap, or be made of whole numbers, as pixels are.
    """
    count, given = record.given
    own = float(10**given) if math.isfinite(given) else math.nan
    sizes = [
        own
        if one.numel() == count or (len(inputs) == 1 and one.numel() < count)
        else float(one.detach().abs().double().square().mean().sqrt())
        for one in inputs
        if is_finite(one)
    ]
    embedded = [10**call.log10_rms for call in record.calls if isinstance(call.layer.module, EMBEDDINGS)]
    huge = [size for size in embedded if size > FAR_TOO_LARGE]  # they take the place of inputs of a usual size
    return max((size for size in [*(sizes or [own]), *huge] if math.isfinite(size)), default=math.nan)
