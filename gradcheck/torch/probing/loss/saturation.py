"""A softmax, sigmoid or tanh after the read-out that is so far out that the loss can't say where to go."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Node, nodes, signed
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.tracing import Operation, OperationWatch, operation

#: The share of the steepest slope below which one is flat.
FLAT = 1e-3

#: The share of entries, of a softmax's examples, that are flat from which on it is saturated.
MOSTLY = 0.5

#: The gradient is lost where this share is left of what the loss asks for.
UNHEARD = 1e-3

#: The smallest and the largest output of a function.
BOUNDS = {"softmax": (0.0, 1.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}

#: Output of a function ↦ its slope over the steepest; of a softmax over 1 − Σp² of equal probabilities, nearly.
SLOPES = {
    "softmax": lambda output, axis: 1 - output.square().sum(axis),
    "sigmoid": lambda output, axis: 4 * output * (1 - output),
    "tanh": lambda output, axis: 1 - output.square(),
}


class Saturated(NamedTuple):
    """What is saturated between the read-out and the loss."""

    function: str
    responses: tuple[Tensor, ...]  # |∂L/∂input| of each entry, of a softmax summed over each of its distributions


def _is_flat(function: str, output: Tensor, axis: int) -> bool:
    slopes = SLOPES[function](output.detach().double(), axis)
    return bool((slopes < FLAT).double().mean() >= MOSTLY)


def find_saturated(value: Tensor | None, end: Node) -> Saturated | None:
    """Return what is saturated between the read-out, given by its node, and the loss; None where nothing is."""
    if value is None or value.grad_fn is None:
        return None
    edges, names, axes = [], [], []
    for node in nodes([value.grad_fn], lambda one: () if one is end else one.next_functions):
        name = node.name().removesuffix("Backward0").lower()
        if node is end or name not in SLOPES:
            continue
        axis = signed(node._saved_dim) if name == "softmax" else -1
        if node.next_functions[0][0] is not None and _is_flat(name, node._saved_result, axis):
            edges.append(GradientEdge(*node.next_functions[0]))
            names.append(name)
            axes.append(axis)
    if not edges:
        return None
    try:
        found = torch.autograd.grad(value, edges, retain_graph=True, allow_unused=True)
    except RuntimeError:  # a checkpoint's inner graph
        return None
    if any(one is None for one in found):
        return None
    return Saturated(names[0], tuple(map(_summed, names, (one.detach().abs() for one in found), axes)))


def _summed(function: str, values: Tensor, axis: int) -> Tensor:
    """Return the sum of each distribution of a softmax, of other functions the values themselves."""
    return values.double().sum(axis) if function == "softmax" else values.double()


class Middle(OperationWatch):
    """Puts what is saturated after the read-out into its middle: the softmax, sigmoid or tanh of zeros."""

    def __init__(self, record: Recording, calls: int) -> None:
        super().__init__()
        self.record, self.calls = record, calls
        self.replaced: list[tuple[str, int, Tensor, Tensor]] = []  # function, axis, output as it is, in the middle

    def __torch_dispatch__(
        self, function: Operation, types: object, arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  # fmt: skip
        """Run an operation, on zeros where its result is saturated."""
        result, name = function(*arguments, **(keywords or {})), operation(function)
        if name not in SLOPES or len(self.record.calls) < self.calls:
            return result
        axis = arguments[1] if name == "softmax" else -1
        if not _is_flat(name, result, axis):
            return result
        middle = function(torch.zeros_like(arguments[0]), *arguments[1:], **(keywords or {}))
        self.replaced.append((name, axis, result, middle))
        return middle

    def asked_for(self, value: Tensor) -> list[Tensor]:
        """Return by how much the loss of the middle asks the outputs as they are to change, as `Saturated.responses`.

        Of each output what the loss's slope in the middle says, times the room that is left in the direction in which
        the loss falls: none where the output is right. The slope at the output itself would be none to go by: that of
        a logarithm is as much larger there as the sigmoid's is smaller.
        """
        slopes = torch.autograd.grad(value, [middle for *_, middle in self.replaced], materialize_grads=True)
        asked = []
        for (name, axis, output, _), slope in zip(self.replaced, slopes, strict=True):
            low, high = BOUNDS[name]
            room = torch.where(slope < 0, high - output.detach(), output.detach() - low)
            asked.append(_summed(name, slope.abs() * room, axis))
        return asked


def cause_of(found: Saturated, asked_for: list[Tensor]) -> Cause | None:
    """Return why the gradient is lost, if next to nothing of most of what the loss asks for comes through."""
    in_order = found.responses[::-1]  # the graph is walked from its end
    if [one.shape for one in in_order] != [one.shape for one in asked_for]:
        return None
    responses, asked = (torch.cat([one.flatten() for one in each]) for each in (in_order, asked_for))
    lost = float(asked[responses < UNHEARD * asked].sum() / asked.sum())
    return Cause("output-flat", None, lost, MOSTLY, {"function": found.function}) if lost > MOSTLY else None
