"""A pass in numbers: how far the outputs of its examples are apart, and whether its loss is zero at best."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gradcheck.torch.graph import Node
from gradcheck.torch.layers import is_finite, main_tensor
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.losses import LOSSES

#: Losses that are zero at best and never below, by their node in the graph.
FROM_ZERO = (
    "NllLoss", "MseLoss", "SmoothL1Loss", "HuberLoss", "BinaryCrossEntropy", "SoftMarginLoss", "CtcLoss",
    "Abs", "Sigmoid", "Softmax", "Relu", "Softplus",
)  # fmt: skip

#: What leaves numbers that are zero at best what they are.
KEEPS = ("Mean", "Sum", "Sqrt", "View", "ToCopy", "Squeeze", "Select", "Stack", "Cat", "Clone", "Alias")


class Values(NamedTuple):
    """What a pass's output and loss are as numbers."""

    spread: float = math.nan  # root mean square of the outputs, centred over the examples
    never_negative: bool = False  # the loss is zero at best


def values_of(loss: str, output: object, value: Tensor | None) -> Values:
    """Return the numbers of an output and of the loss that was made of it: its name, and its value if it has one."""
    from_zero = loss in LOSSES or (value is not None and is_never_negative(value.grad_fn))
    return Values(measure_spread(output), from_zero)


def measure_spread(output: object) -> float:
    """Return the root mean square of the outputs, centred over the examples; nan for a single example."""
    tensor = main_tensor(output)
    if tensor is None or tensor.dim() == 0 or len(tensor) < 2:
        return math.nan
    real = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
    return float(real.float().var(0, unbiased=False).mean().sqrt())


def is_never_negative(node: Node | None) -> bool:
    """Whether a loss is zero at best, by the graph that made it: cross-entropy, squares, and sums of such."""
    if node is None:
        return False
    name, inputs = node.name(), [one for one, _ in node.next_functions if one is not None]
    if name.startswith(FROM_ZERO):
        return True
    if name.startswith("Pow"):
        return node._saved_exponent % 2 == 0 if isinstance(node._saved_exponent, int | float) else False
    if name.startswith(("Mul", "Div")):
        factors = [getattr(node, saved, None) for saved in ("_saved_self", "_saved_other")]
        known = [one for one in factors if isinstance(one, Tensor) and one.numel() == 1 and not one.is_complex()]
        return len(inputs) == 1 and any(float(one) > 0 for one in known) and is_never_negative(inputs[0])
    if name.startswith("Add"):  # a number that is added may be negative
        return len(inputs) == 2 and all(map(is_never_negative, inputs))
    return name.startswith(KEEPS) and bool(inputs) and all(map(is_never_negative, inputs))


def rms_of_inputs(inputs: Sequence[Tensor], record: Recording) -> float:
    """Return the largest root mean square of the inputs that are floats; nan without any that is finite.

    What the first layer is given takes the place of an input as large: it may have been scaled on its way, or be made
    of whole numbers, as pixels are.
    """
    count, given = record.given
    own = float(10**given) if math.isfinite(given) else math.nan
    sizes = [
        own if one.numel() == count else float(one.detach().abs().double().square().mean().sqrt())
        for one in inputs
        if is_finite(one)
    ]
    return max((size for size in sizes or [own] if math.isfinite(size)), default=math.nan)
