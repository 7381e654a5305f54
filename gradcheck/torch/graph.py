"""The autograd graph as a map: which activation follows which layer, its value and its slope.

Activations may be modules, functions, methods or in place: each leaves a node in the graph, which keeps what its
derivative needs, and which is that derivative when it is called.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gradcheck.engine.activations import ACTIVATIONS
from gradcheck.probing.paths import Paths

#: A node of the graph; PyTorch has no public type for it that all versions share.
Node = Any

#: Nodes that pass on what they get, entry by entry or pooled: a norm, another shape, dropout.
TRANSPARENT = (
    "NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "FusedRmsNorm", "View", "UnsafeView",
    "ReshapeAlias", "Permute", "Transpose", "Unsqueeze", "Squeeze", "Clone", "NativeDropout", "ToCopy", "Split",
    "Slice", "Select", "Unbind", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AsStrided",
)  # fmt: skip

#: Nodes that do so where only one of their inputs depends on the model.
WITH_CONSTANTS = ("Mul", "Div", "Add", "Sub")

#: Parts of the names of nodes that make scores into weights.
SOFTMAXES = ("softmax", "sparsemax", "entmax")

#: Nodes of a whole attention, whose first inputs are queries and keys.
FUSED_ATTENTION = ("ScaledDotProduct", "FlexAttention", "FlashAttn")


class Elementwise(NamedTuple):
    """An activation function as the graph knows it: node ↦ φ(z), and node ↦ the largest |φ'|."""

    output: Callable[[Node], Tensor]
    steepest: Callable[[Node], float]


def _kept(steepest: float = 1.0) -> Elementwise:
    """Return an activation whose node keeps its output."""
    return Elementwise(lambda node: node._saved_result, lambda node: steepest)


def _recomputed(function: Callable[..., Tensor], *arguments: str, steepest: float = 1.0) -> Elementwise:
    """Return an activation whose node keeps its input, and some arguments."""
    names = [f"_saved_{name}" for name in ("self", *arguments)]
    return Elementwise(lambda node: function(*(getattr(node, name) for name in names)), lambda node: steepest)


def _elu(node: Node) -> Tensor:
    z, scale = node._saved_self, node._saved_scale
    below: Tensor = scale * node._saved_alpha * torch.expm1(node._saved_input_scale * z.clamp(max=0))
    return torch.where(z > 0, scale * z, below)


def _elu_steepest(node: Node) -> float:
    return float(node._saved_scale) * max(1.0, float(node._saved_alpha))


#: By the name of the node.
ELEMENTWISE: dict[str, Elementwise] = {
    "ReluBackward0": _kept(),
    "SigmoidBackward0": _kept(ACTIVATIONS["sigmoid"].steepest),
    "TanhBackward0": _kept(),
    "GeluBackward0": Elementwise(
        lambda node: functional.gelu(node._saved_self, approximate=node._saved_approximate),
        lambda node: ACTIVATIONS["gelu"].steepest,
    ),
    "SiluBackward0": _recomputed(functional.silu, steepest=ACTIVATIONS["silu"].steepest),
    "MishBackward0": _recomputed(functional.mish, steepest=ACTIVATIONS["mish"].steepest),
    "LeakyReluBackward0": _recomputed(functional.leaky_relu, "negative_slope"),
    "LeakyReluBackward1": _kept(),
    "EluBackward0": Elementwise(_elu, _elu_steepest),
    "EluBackward1": Elementwise(lambda node: node._saved_result, _elu_steepest),
    "CeluBackward0": _recomputed(functional.celu, "alpha"),
    "SoftplusBackward0": _recomputed(functional.softplus, "beta", "threshold"),
    "HardtanhBackward0": _recomputed(functional.hardtanh, "min_val", "max_val"),
    "HardswishBackward0": _recomputed(functional.hardswish, steepest=1.5),
    "HardsigmoidBackward0": _recomputed(functional.hardsigmoid, steepest=1 / 6),
    "LogSigmoidBackward0": _recomputed(functional.logsigmoid),
    "ClampBackward1": _recomputed(torch.clamp, "min", "max"),
    "ClampMinBackward0": _recomputed(torch.clamp_min, "min"),
    "PreluKernelBackward0": Elementwise(
        lambda node: torch.where(node._saved_self > 0, 1, node._saved_weight) * node._saved_self,
        lambda node: max(1.0, float(node._saved_weight.detach().abs().max())),
    ),
}  # fmt: skip


class Activity(NamedTuple):
    """An activation function at work: φ(z), φ'(z), and the largest |φ'| there is."""

    output: Tensor
    slope: Tensor
    steepest: float


def in_backward() -> bool:
    """Whether this is inside of a backward pass, where checkpoints and reversible layers run modules once more."""
    return int(torch._C._current_graph_task_id()) != -1


def signed(axis: int) -> int:
    """Return an axis that a node keeps without its sign."""
    return (axis + 2**63) % 2**64 - 2**63


def shape_of(node: Node, place: int) -> torch.Size | None:
    """Return the shape of what a node of the graph made."""
    known = getattr(node, "_input_metadata", ())
    return torch.Size(known[place].shape) if len(known) > place else None


def nodes(
    roots: Iterable[Node | None], inputs: Callable[[Node], Sequence[Any]] = lambda node: node.next_functions
) -> Iterator[Node]:
    """Yield every node that the gradient can reach from `roots`, each once, going only to these inputs of a node.

    None among the roots, of what has no graph, is left out.
    """
    waiting = [one for one in roots if one is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        yield node
        for following, _ in inputs(node):
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


class Graph(Paths):
    """What the gradient can reach from some nodes, read once: to ask PyTorch takes longer than what is done with it."""

    def __init__(self, roots: Iterable[Node | None]) -> None:
        super().__init__()
        self.names: dict[Node, str] = {}
        waiting = [one for one in roots if one is not None]
        while waiting:
            node = waiting.pop()
            if node not in self.inputs:
                self.names[node] = node.name()
                self.inputs[node] = [one for one, _ in node.next_functions]
                waiting.extend(one for one in self.inputs[node] if one is not None)


def has_sums(root: Node | None) -> bool:
    """Whether two signals of layers are added before a node: neither is a constant, a parameter or an input."""
    return any(
        node.name().startswith("AddBackward")
        and all(one is not None and not hasattr(one, "variable") for one, _ in node.next_functions)
        for node in nodes([root] if root is not None else [])
    )


def activity(node: Node) -> Activity | None:
    """Return the values of an activation's node; None where it isn't one, or no longer keeps its input."""
    kind = ELEMENTWISE.get(node.name())
    if kind is None:
        return None
    try:
        with torch.no_grad():
            output = kind.output(node)
            slope = node(torch.ones_like(output))
    except RuntimeError:  # what it kept was changed in place, or has been freed
        return None
    return Activity(output, slope[0] if isinstance(slope, tuple) else slope, kind.steepest(node))


def source(graph: Graph, node: Node | None, known: Callable[[Node], bool]) -> Node | None:
    """Return the first known node going back from `node`, as long as the path has no fork; or None."""
    while node is not None and not known(node):
        inputs = [following for following in graph.inputs[node] if following is not None]
        name = graph.names[node]
        passes_on = name.startswith(TRANSPARENT) or (name.startswith(WITH_CONSTANTS) and len(inputs) == 1)
        node = inputs[0] if passes_on and inputs else None
    return node


@cache
def is_derivative(name: str) -> bool:
    """Whether a node is a function's derivative, as of a gradient in the loss: it has another range, and keeps less."""
    return name.count("Backward") > 1


def is_log_softmax(node: Node) -> bool:
    """Whether a node is a logarithm of a softmax, which keeps its result; that of its derivative keeps none."""
    return bool(node.name() == "LogSoftmaxBackward0")


@cache
def is_softmax(name: str) -> bool:
    """Whether a node is a softmax over scores, of any kind: masked, sparse, of the user's own; no logarithm of one."""
    if is_derivative(name):
        return False
    name = name.lower()
    return any(one in name for one in SOFTMAXES) and "logsoftmax" not in name


@cache
def is_fused(name: str) -> bool:
    """Whether a node is a whole attention."""
    return name.startswith(FUSED_ATTENTION) and not is_derivative(name)


def reached_without_softmax(graph: Graph, root: Node) -> set[Node]:
    """Return the nodes that the gradient reaches without going through a softmax, as those of queries and keys do."""

    def inputs(node: Node) -> Sequence[Node | None]:
        name, following = graph.names[node], graph.inputs[node]
        if is_fused(name):
            return following[2:]  # values and mask
        return () if is_softmax(name) else following

    return set(graph.reached([root], inputs))
