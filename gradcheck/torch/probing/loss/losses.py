"""The loss of the model's output and the targets: by name, by default, or the user's own."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gradcheck.base.wording import the_loss
from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import GradcheckError, OptionError, one_of
from gradcheck.probing.evidence import SHARP
from gradcheck.probing.limits import IGNORED
from gradcheck.spec.options.option import canonical
from gradcheck.spec.probing import LOSSES
from gradcheck.torch.graph import Node, is_derivative, nodes, signed
from gradcheck.torch.layers import main_tensor

#: (output, targets) ↦ a scalar.
LossFunction = Callable[[Any, Any], Tensor]

#: What the loss that a model returns is called.
OWN = "the model's own"

#: The last function of a model whose outputs aren't logits.
SQUASHED = ("SoftmaxBackward", "Sigmoid", "Tanh", "Relu")

#: Function at a model's end ↦ the code of its fault, and the functions that a loss applies to logits.
TWICE = {
    "Softmax": ("softmax-twice", ("LogSoftmax", "Softmax", "Logsumexp")),
    "Sigmoid": ("sigmoid-twice", ("BinaryCrossEntropyWithLogits", "LogSigmoid", "Sigmoid")),
}

#: Functions that leave probabilities what they are: another shape, a bound to keep their logarithm finite.
BETWEEN = (
    "View", "UnsafeView", "ReshapeAlias", "Permute", "Transpose", "TBackward", "Unsqueeze", "Squeeze", "Clone",
    "ToCopy", "Contiguous", "Clamp", "Hardtanh",
)  # fmt: skip

#: The same where they add or multiply a constant, such as 1e-8.
WITH_A_NUMBER = ("AddBackward", "SubBackward", "MulBackward", "DivBackward")

#: What makes other numbers of probabilities: a softmax of their logarithm is what they were, and a matrix has a row for
#: each of a mixture's parts.
MADE_ANEW = ("LogBackward", "AddmmBackward", "MmBackward", "BmmBackward", "ConvolutionBackward")


class Loss(NamedTuple):
    """A loss and its name."""

    name: str
    function: LossFunction
    by_default: bool = False


class ForwardResult(NamedTuple):
    """What a forward pass comes to."""

    loss: Loss
    output: object
    targets: object
    value: Tensor | None  # of the loss; None where the signal isn't finite


def choose_loss(loss: str | LossFunction | None, output: object, targets: object) -> Loss:
    """Return the loss that was asked for; or cross-entropy where the output looks like logits, else mean square."""
    if isinstance(loss, type):
        raise OptionError("loss", f"is the class {loss.__name__}; give one of it, as in {loss.__name__}()")
    if callable(loss):
        return Loss(getattr(loss, "__qualname__", type(loss).__name__), loss)
    by_default = loss is None
    if loss is None:
        if targets is None and _own_loss(output) is not None:
            return Loss(OWN, lambda output, targets: _own_loss(output))
        loss = "cross-entropy" if _like_logits(output, targets) else "mean-square"
    loss = one_of("loss", canonical(loss, LOSSES), LOSSES, beside=", or a function of (output, targets)")
    return Loss(loss, {"cross-entropy": _cross_entropy, "mean-square": _mean_square}[loss], by_default)


def loss_and_targets(
    loss: str | LossFunction | None, output: object, given: object, generator: torch.Generator
) -> tuple[Loss, Any]:
    """Return the loss that was asked for, and the targets: those given, or drawn."""
    chosen = choose_loss(loss, output, given)
    return chosen, draw_targets(chosen.name, output, generator) if given is None else given


def cannot_compute(chosen: Loss, targets: object) -> str:
    """Return the beginning of the error for a loss of the user's own that fails: without targets that may be why."""
    without = " was given no targets (a --batch of inputs and targets has them) and" if targets is None else ""
    return f"{the_loss(chosen.name)}{without} can't be computed: "


def _own_loss(output: object) -> Tensor | None:
    """Return the loss that a model returns: by its name, or a single number, on its own or before the others."""
    first = output[0] if isinstance(output, tuple | list) and output else output
    if isinstance(first, Tensor):
        return first if first.is_floating_point() and first.dim() == 0 else None
    loss = output.get("loss") if isinstance(output, dict) else getattr(output, "loss", None)
    return loss if isinstance(loss, Tensor) and loss.dim() == 0 else None


def _like_logits(output: object, targets: object) -> bool:
    """Whether targets are classes or their probabilities, or the output could be logits: two or more, not squashed."""
    tensor = main_tensor(output)
    if tensor is None or tensor.is_complex() or tensor.dim() < 2 or tensor.shape[class_axis(tensor)] < 2:
        return False
    if isinstance(targets, Tensor) and targets.is_floating_point() and targets.shape == tensor.shape:
        return _squash(tensor.grad_fn) is None and sum_to_one(targets, class_axis(tensor))
    if isinstance(targets, Tensor):
        return not targets.is_floating_point() and targets.dtype != torch.bool and targets.dim() < tensor.dim()
    squashed = tensor.grad_fn is not None and tensor.grad_fn.name().startswith(SQUASHED)
    return targets is None and not squashed and _squash(tensor.grad_fn) is None


def sum_to_one(targets: Tensor, axis: int) -> bool:
    """Whether targets are each class's probability: none is negative, and an example's sum to one."""
    total = targets.double().sum(axis)
    return bool((targets >= 0).all()) and torch.allclose(total, torch.ones_like(total), atol=1e-3)


def class_axis(output: Tensor) -> int:
    """Return the axis of the classes: after the batch in an image, else the last."""
    return 1 if output.dim() > 3 else output.dim() - 1


def draw_targets(loss: str, output: object, generator: torch.Generator) -> Tensor | None:
    """Draw targets of a loss known by name: classes, or standard normal numbers; of others None."""
    tensor = main_tensor(output)
    if tensor is None or loss not in LOSSES:
        return None
    if loss == "mean-square":
        return torch.randn(tensor.shape, generator=generator).to(tensor)
    axis = class_axis(tensor)
    shape = [size for index, size in enumerate(tensor.shape) if index != axis]
    return torch.randint(tensor.shape[axis], shape, generator=generator).to(tensor.device)


def _main(output: object) -> Tensor:
    tensor = main_tensor(output)
    if tensor is None or tensor.is_complex():
        what = "complex numbers" if tensor is not None else f"{type(output).__name__}, not a tensor of floats"
        raise GradcheckError(f"the model returns {what}: give a --loss of it")
    return tensor


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _check_tensor(targets: object) -> None:
    if not isinstance(targets, Tensor):
        raise GradcheckError(f"the targets are {type(targets).__name__}, not a tensor: give one, or a --loss of them")


def _check_classes(targets: Tensor, classes: int) -> None:
    given = targets[targets != IGNORED]
    if given.numel() and not (int(given.min()) >= 0 and int(given.max()) < classes):
        between = f"{int(given.min())} to {int(given.max())}"
        raise GradcheckError(f"the targets are {between}, and the output has classes 0 to {classes - 1}")


def _cross_entropy(output: object, targets: Tensor) -> Tensor:
    _check_tensor(targets)
    logits = _main(output)
    axis = class_axis(logits)
    if targets.is_floating_point() and targets.shape == logits.shape:
        axis = axis if sum_to_one(targets, axis) else 1  # as PyTorch has it
        return functional.cross_entropy(logits.movedim(axis, 1), targets.movedim(axis, 1))
    if logits.movedim(axis, -1).shape[:-1] != targets.shape:
        if logits.shape[:1] + logits.shape[2:] == targets.shape:
            axis = 1  # as PyTorch has it
        elif logits.shape[:-1] == targets.shape:
            axis = logits.dim() - 1
    rows = logits.movedim(axis, -1).reshape(-1, logits.shape[axis])
    if not targets.is_floating_point():
        _check_classes(targets, rows.shape[-1])
        targets = targets.long()
    return functional.cross_entropy(rows, targets.reshape(-1))


def _mean_square(output: object, targets: Tensor) -> Tensor:
    _check_tensor(targets)
    tensor = _main(output)
    if targets.numel() != tensor.numel():
        shapes = f"the output is {_shape(tensor)} and the targets {_shape(targets)}"
        raise GradcheckError(f"{shapes}: give as many, or a --loss of both")
    return functional.mse_loss(tensor, targets.reshape(tensor.shape).to(tensor.dtype))


def find_squashed_twice(chosen: Loss, output: object, value: Tensor | None) -> tuple[Cause, ...]:
    """Find probabilities that a loss takes for logits, and those for which mean square was chosen."""
    tensor = main_tensor(output)
    end = None if tensor is None else _squash(tensor.grad_fn)
    if tensor is None or value is None:
        return ()
    if end is None:
        return tuple(_squashed_within(chosen, value.grad_fn, tensor.grad_fn, own=tensor.dim() == 0))
    squash = next(name for name in TWICE if end.name().startswith(name))
    code, again = TWICE[squash]
    between = nodes([value.grad_fn], lambda node: () if node is end else node.next_functions) if value.grad_fn else ()
    if any(node is not end and node.name().startswith(again) and end in _taken(node) for node in between):
        room = _room_left(end) if squash == "Softmax" else None
        return (Cause(code, None, room, room and SHARP, {"loss": chosen.name}),)
    if chosen.by_default and chosen.name == "mean-square":
        return (Cause("loss-of-probabilities", details={"function": squash.lower(), "returned": _container(output)}),)
    return ()


def _taken(node: Node) -> Iterator[Node]:
    """Yield what a loss's function is given, back to a logarithm, a layer, or a product with others of the model's."""

    def inputs(one: Node) -> Sequence[tuple[Node | None, int]]:
        graded = [before for before, _ in one.next_functions if before is not None]
        weighs = one.name().startswith("MulBackward") and len(graded) > 1
        return () if weighs or one.name().startswith(MADE_ANEW) else one.next_functions

    return nodes([node], inputs)


def _squashed_within(chosen: Loss, loss: Node | None, output: Node | None, *, own: bool) -> Iterator[Cause]:
    """Yield that a loss applies a softmax or sigmoid to what the model gives, and another one to that.

    Where the loss is the model's own, the model itself may have two in a row that are meant: functions of losses count.
    """
    within = nodes([loss], lambda node: () if node is output and not own else node.next_functions) if loss else ()
    for node in (one for one in within if not is_derivative(one.name())):
        applied = [squash for squash, (_, again) in TWICE.items() if node.name().startswith(again)]
        if own and node.name().startswith(tuple(TWICE)):
            continue
        end = made_by(node.next_functions[0][0]) if applied else None  # a factor between makes a choice of it
        if end is not None and end.name().startswith(tuple(applied)) and _along_one_axis(end, node):
            yield Cause(TWICE[applied[0]][0], details={"loss": chosen.name, "within": True})
            return


def _along_one_axis(first: Node, second: Node) -> bool:
    """Whether two softmaxes choose among the same; of sigmoids each is of a single number."""
    if not first.name().startswith("Softmax"):
        return not is_derivative(first.name())
    if is_over_examples(first):
        return False
    one = first._saved_result.shape[axis_of(first)]
    if second.name().startswith("Logsumexp"):  # as a distribution of logits has it
        return len(second._saved_dim) == 1 and bool(one == second._saved_self.shape[signed(second._saved_dim[0])] > 1)
    return bool(one == second._saved_result.shape[axis_of(second)] > 1)


def _container(output: object) -> str:
    """Return what holds the output's tensors: ``tuple``, ``dict`` or a class's name; empty of a tensor by itself."""
    return "" if isinstance(output, Tensor) else type(output).__name__


def _room_left(end: Node) -> float:
    """Return the slope that a softmax has left on average, as a share of that of equal probabilities."""
    axis = axis_of(end)
    probabilities = end._saved_result.detach().double()
    return float((1 - probabilities.square().sum(axis)).mean() / (1 - 1 / probabilities.shape[axis]))


def _squash(node: Node | None) -> Node | None:
    """Return the node of the softmax or sigmoid that a node's numbers come from, whatever their shape is since."""
    node = made_by(node, *WITH_A_NUMBER)
    if node is None or is_derivative(node.name()) or not node.name().startswith(tuple(TWICE)):
        return None
    # a softmax over one unit has a cause of its own
    return node if node.name().startswith("Sigmoid") or node._saved_result.shape[axis_of(node)] > 1 else None


def made_by(node: Node | None, *also: str) -> Node | None:
    """Return the function that a node's numbers come from, through what keeps them, and what else is named."""
    while node is not None and node.name().startswith((*BETWEEN, *also)):
        inputs = [one for one, _ in node.next_functions if one is not None]
        if len(inputs) != 1:
            return node
        node = inputs[0]
    return node


def axis_of(softmax: Node) -> int:
    """Return the axis of a softmax, which its node keeps without its sign."""
    return signed(softmax._saved_dim)


def is_over_examples(node: Node) -> bool:
    """Whether a node is a softmax over the rows of one row an example."""
    if "oftmax" not in node.name():
        return False
    shape = node._saved_result.shape
    return len(shape) == 2 and axis_of(node) % 2 == 0 and 1 < shape[0] != shape[1] > 1
