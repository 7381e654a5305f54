"""What the function at a model's end can give: its least and its largest value, and those of cosines."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gradcheck.torch.graph import Node, is_derivative, nodes, signed

#: The last function of a model, by its node ↦ the least and the largest value that it has.
RANGES: dict[str, Callable[[Node], tuple[float, float]]] = {
    "Relu": lambda node: (0.0, math.inf),
    "Sigmoid": lambda node: (0.0, 1.0),
    "Hardsigmoid": lambda node: (0.0, 1.0),
    "Softmax": lambda node: (0.0, 1.0),
    "Tanh": lambda node: (-1.0, 1.0),
    "Softplus": lambda node: (0.0, math.inf),
    "ExpBackward": lambda node: (0.0, math.inf),
    "Abs": lambda node: (0.0, math.inf),
    "LogSigmoid": lambda node: (-math.inf, 0.0),
    "LogSoftmax": lambda node: (-math.inf, 0.0),
    "Hardtanh": lambda node: (float(node._saved_min_val), float(node._saved_max_val)),
    "ClampBackward": lambda node: (_or(node._saved_min, -math.inf), _or(node._saved_max, math.inf)),
    "ClampMin": lambda node: (_or(node._saved_min, -math.inf), math.inf),
}

#: Vectors have one length where their lengths differ by no more than this share.
SAME_LENGTH = 1e-3

#: Of fewer vectors that may be chance.
SEVERAL = 3


def range_of(node: Node) -> tuple[float, float] | None:
    """Return the least and the largest value of a function at a model's end; None where it has neither."""
    name = node.name()
    if is_derivative(name):
        return None
    found = next((bounds for prefix, bounds in RANGES.items() if name.startswith(prefix)), None)
    try:
        return cosines(node) if found is None else found(node)
    except (AttributeError, RuntimeError, TypeError):  # bounds that are tensors, or have been freed
        return None


def _or(value: Any, default: float) -> float:  # noqa: ANN401
    return default if value is None else float(value)


def cosines(node: Node) -> tuple[float, float] | None:
    """Return the bounds of products of vectors that all have one length, as cosines are; None of any others."""
    name = node.name()
    if name.startswith(("MmBackward", "BmmBackward")):
        lengths = [_length(node._saved_self, -1), _length(node._saved_mat2, -2)]
    elif name.startswith("SumBackward1") and node.next_functions[0][0].name().startswith("MulBackward"):
        product, axes = node.next_functions[0][0], list(map(signed, node._saved_dim))
        if len(axes) != 1:
            return None
        lengths = [_length(product._saved_self, axes[0]), _length(product._saved_other, axes[0])]
    else:
        return None
    bound = math.prod(lengths)
    return (-bound, bound) if math.isfinite(bound) else None


def _length(vectors: Tensor | None, axis: int) -> float:
    """Return the length that all of some vectors have; nan where they have none in common, or aren't known."""
    if vectors is None or vectors.is_complex() or vectors.numel() == 0:
        return math.nan
    lengths = torch.linalg.vector_norm(vectors.detach().double(), dim=axis)
    low, high = float(lengths.min()), float(lengths.max())
    return high if lengths.numel() >= SEVERAL and high - low <= SAME_LENGTH * high else math.nan


def depends_on_inputs(node: Node) -> bool:
    """Whether a node of the graph was made of inputs, and not of parameters alone."""
    before = list(nodes([node]))
    leaves = [one.variable for one in before if hasattr(one, "variable")]
    given = any(not isinstance(one, nn.Parameter) for one in leaves)
    return given or any(one.name().startswith("Embedding") for one in before)
