"""Outputs and targets that don't fit each other: ranges, shapes, and what the loss takes its inputs for."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.limits import UNREACHED
from gradcheck.torch.graph import Graph, Node, is_derivative, is_log_softmax, nodes
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.modules import all_modules
from gradcheck.torch.probing.loss.axes import find_cut_classes
from gradcheck.torch.probing.loss.bounds import depends_on_inputs, range_of
from gradcheck.torch.probing.loss.broadcasts import PARTS, find_broadcast
from gradcheck.torch.probing.loss.floors import find_floor
from gradcheck.torch.probing.loss.losses import BETWEEN, WITH_A_NUMBER, axis_of, is_over_examples, made_by
from gradcheck.torch.probing.loss.rectified import find_rectified

#: Losses of differences, whose nodes keep the targets.
DIFFERENCES = ("MseLoss", "SmoothL1Loss", "HuberLoss")

#: Losses that are zero at best, and have no bound on the other side.
BOUNDLESS = (*DIFFERENCES, "L1Loss", "NllLoss", "BinaryCrossEntropy", "CtcLoss")

#: What leaves a single loss its sign.
SIGNED = ("Mean", "Sum", "View", "Squeeze", "ToCopy", "Clone")

#: Log-probabilities are those of a distribution up to this.
NORMALISED = 1e-2


class Compared(NamedTuple):
    """What a loss of differences compares with its targets."""

    node: Node  # of the graph, at what the targets are compared with
    aim: Tensor


def find_mismatch(
    output: object, targets: object, value: Tensor | None, end: Node, *, drawn: bool = False
) -> Iterator[Cause]:
    """Yield what doesn't fit between the read-out, given by its node, and the loss.

    Of targets that were drawn nobody can say whether the model is to reach them.
    """
    if value is None or value.grad_fn is None:
        return
    between = [
        node
        for node in nodes([value.grad_fn], lambda node: () if node is end else node.next_functions)
        if not is_derivative(node.name())
    ]
    tensor = main_tensor(output)
    yield from find_broadcast(output, targets, between)
    if tensor is not None and not drawn:
        yield from _out_of_reach(tensor, between, end)
    if not drawn:
        yield from find_floor(between)
    yield from find_cut_classes(between)
    yield from find_rectified(between)
    if isinstance(targets, Tensor):
        yield from _of_divergence(targets, between)
    if tensor is not None and _is_over_examples(tensor):
        yield Cause("softmax-over-batch", None, tensor.shape[0])
    else:
        yield from _of_labels(between)


def find_negated(value: Tensor | None) -> Iterator[Cause]:
    """Yield that a loss is minus one that is zero at best: each step makes that larger, without bound."""
    node, sign = None if value is None else value.grad_fn, 1.0
    while node is not None and not node.name().startswith(BOUNDLESS):
        graded = [one for one, _ in node.next_functions if one is not None]
        if node.name().startswith("Neg"):
            sign = -sign
        elif node.name().startswith(("MulBackward", "DivBackward")):
            factor = getattr(node, "_saved_other", None)  # that of a number on either side
            if not isinstance(factor, Tensor) or factor.numel() != 1:
                return
            sign *= float(factor)
        elif not node.name().startswith(SIGNED):
            return
        node = graded[0] if len(graded) == 1 else None
    if node is not None and sign < 0:
        yield Cause("loss-negated", details={"loss": node.name().partition("Backward")[0]})


def _out_of_reach(output: Tensor, between: list[Node], end: Node) -> Iterator[Cause]:
    """Yield that the function at the model's end can't give what the targets are."""
    compared = next((found for node in between if (found := _compared(node, output)) is not None), None)
    if compared is None:
        return
    node = compared.node
    while node is not None and node is not end and node.name().startswith((*BETWEEN, *PARTS)) and not range_of(node):
        node = node.next_functions[0][0]
    if node is None or (bounds := range_of(node)) is None:
        return
    aim = compared.aim.detach().double()
    missed = (aim - aim.clamp(*bounds)).square()
    if float(missed.mean()) > UNREACHED * float(aim.var(correction=0)):
        share = float((missed > 0).double().mean())
        details = {"function": _name(node), "low": float(aim.min()), "high": float(aim.max()), "bounds": bounds}
        yield Cause("out-of-reach", None, share, UNREACHED, details)


def _compared(node: Node, output: Tensor) -> Compared | None:
    """Return what a node compares with constants, if it does: a loss of differences, or a difference of its own."""
    graded = [(place, one) for place, (one, _) in enumerate(node.next_functions) if one is not None]
    if node.name().startswith(DIFFERENCES) and len(graded) == 1 and graded[0][0] < 2:
        place, before = graded[0]
        aim = node._saved_self if place else node._saved_target
        return Compared(before, aim) if aim.is_floating_point() else None
    if not node.name().startswith(("Pow", "Abs", "Mul")) or not graded:  # these keep the difference that they got
        return None
    before, difference = graded[0][1], getattr(node, "_saved_self", None)
    sides = [one for one, _ in before.next_functions] if before.name().startswith("Sub") else []
    if len(sides) != 2 or (sides[0] is None) == (sides[1] is None) or not isinstance(difference, Tensor):
        return None
    return _of_difference(sides, difference, output)


def _of_difference(sides: list[Node], difference: Tensor, output: Tensor) -> Compared | None:
    """Return what the output, or a function of it that keeps its value, is compared with: that minus the difference."""
    place = 0 if sides[1] is None else 1
    node = sides[place]
    function = node
    while function is not None and function is not output.grad_fn and function.name().startswith(BETWEEN):
        function = function.next_functions[0][0]
    result = output.detach() if function is output.grad_fn else getattr(function, "_saved_result", None)
    if not isinstance(result, Tensor) or result.numel() != difference.numel() or difference.is_complex():
        return None
    there = result.reshape(difference.shape)
    return Compared(node, there - difference if place == 0 else there + difference)


def _name(node: Node) -> str:
    return str(node.name().partition("Backward")[0].lower())


def _of_labels(between: list[Node]) -> Iterator[Cause]:
    """Yield what a loss of labels is given in place of what it takes."""
    for node in between:
        name = node.name()
        if name.startswith("BinaryCrossEntropy"):
            target = node._saved_target.detach()
            low, high = float(target.min()), float(target.max())
            if low < 0 or high > 1:
                yield Cause("labels-outside", None, high if high > 1 else low, details={"low": low, "high": high})
        elif name.startswith("NllLoss"):
            yield from _of_nll(node)
        elif name.startswith("CtcLoss"):
            yield from _not_log(node._saved_log_probs.detach().double(), -1, {"loss": "ctc_loss"})
        elif name.startswith("GatherBackward") and node._saved_dim in (1, 2**64 - 1):  # a class of each example
            function = made_by(node.next_functions[0][0], "LogBackward", *WITH_A_NUMBER)
            if function is not None and is_over_examples(function):
                yield Cause("softmax-over-batch", None, function._saved_result.shape[0])


def _of_nll(node: Node) -> Iterator[Cause]:
    given = node._saved_self.detach().double()
    axis = 1 if given.dim() > 1 else 0
    function = made_by(node.next_functions[0][0], "LogBackward", *WITH_A_NUMBER)
    functions = [function]
    if function is not None and is_log_softmax(function):  # the loss's, or one before it
        functions.append(made_by(function.next_functions[0][0], *WITH_A_NUMBER))
    softmaxes = [one for one in functions if one is not None and _is_softmax(one)]
    if any(is_over_examples(one) and one._saved_result.shape == given.shape for one in softmaxes):
        yield Cause("softmax-over-batch", None, given.shape[0])
    elif not_log := tuple(_not_log(given, axis, {})):
        along = (one for softmax in softmaxes for one in _along_another(softmax, given.shape))
        yield from [next(along, *not_log)] if all(map(axis_of, softmaxes)) else along


def _not_log(given: Tensor, axis: int, details: dict[str, Any]) -> Iterator[Cause]:
    """Yield that what a loss takes for log-probabilities of classes along an axis is something else."""
    if bool((given.logsumexp(axis).abs() > NORMALISED).double().mean() > 0.5):
        probabilities = bool((given >= 0).all()) and bool(((given.sum(axis) - 1).abs() < NORMALISED).all())
        yield Cause("nll-not-log", details={"given": "probabilities" if probabilities else "scores", **details})


def _along_another(softmax: Node, shape: torch.Size) -> Iterator[Cause]:
    """Yield that a logarithm of a softmax is over another axis than the classes of what nll_loss is given.

    That is of (examples, classes, …), or has a row of classes for each position.
    """
    made = softmax._saved_result.shape
    classes = 1 if made == shape else len(made) - 1 if made[-1] == shape[1] and len(shape) == 2 else None
    own = axis_of(softmax) % len(made)
    classes = None if own == 0 and len(made) == 2 else classes  # all pairs, whose rows and columns are both chosen in
    if is_log_softmax(softmax) and classes is not None and own != classes and made[own] > 1:
        yield Cause("softmax-over-batch", None, made[own], details={"axis": own, "classes": classes} if own else {})


def _of_divergence(targets: Tensor, between: list[Node]) -> Iterator[Cause]:
    """Yield that kl_div, which is the sum of t (log t - input), is given a softmax as its input."""
    for node in between:
        sides = [one for one, _ in node.next_functions] if node.name().startswith("SubBackward") else []
        if len(sides) != 2 or sides[0] is not None or not sides[1].name().startswith("MulBackward"):
            continue
        factors = [getattr(sides[1], name, None) for name in ("_saved_self", "_saved_other")]
        weighted = any(isinstance(one, Tensor) and torch.equal(one, targets) for one in factors)
        given = made_by(next((one for one, _ in sides[1].next_functions if one is not None), None))
        if weighted and given is not None and given.name().startswith("SoftmaxBackward"):
            yield Cause("nll-not-log", details={"given": "probabilities", "loss": "kl_div"})
            return


def _is_softmax(node: Node) -> bool:
    return is_log_softmax(node) or node.name() == "SoftmaxBackward0"


def _is_over_examples(output: Tensor) -> bool:
    """Whether an output, one row an example, is a softmax over the rows."""
    node = made_by(output.grad_fn)
    if node is None or not _is_softmax(node):
        return False
    return is_over_examples(node) and output.shape == node._saved_result.shape


def find_mixed_examples(
    model: nn.Module, output: object, value: Tensor | None, graph: Graph, examples: int
) -> Iterator[Cause]:
    """Yield that a softmax within the model is taken over the examples.

    Not where examples may lie in another axis: of a recurrence over the first, of all pairs, of one bag.
    """
    tensor = main_tensor(output)
    if value is None or value.grad_fn is None or tensor is None or examples == 1 or tensor.shape[:1] != (examples,):
        return
    if any(getattr(one, "batch_first", True) is False for one in all_modules(model)):
        return
    for node in (one for one, name in graph.names.items() if name == "SoftmaxBackward0"):
        shape = node._saved_result.shape
        over_first = shape[:1] == (examples,) and axis_of(node) % len(shape) == 0
        several = examples not in shape[1:] and math.prod(shape[1:]) > 1 and shape != tensor.shape
        if over_first and several and depends_on_inputs(node) and node in graph.reached([value.grad_fn]):
            yield Cause("softmax-over-batch", None, examples, details={"within": True})
            return
