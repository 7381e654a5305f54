"""A pass once more, watched operation by operation: where numbers stop being finite, and what depends on what."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gradcheck.torch.graph import Node, nodes
from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.hooks import Recording

#: Operations that write an infinity because they are told to, as masks do.
TOLD_TO = ("fill", "full", "scalar_tensor", "lift_fresh", "copy_", "constant_pad")

#: Operations whose result has nothing of their input's values, only its shape.
SHAPE_ONLY = ("empty", "zeros", "ones", "full", "rand", "new_", "sym_", "bernoulli")


#: An operation of the dispatcher; PyTorch has no public type for it.
Operation = Any


def _storage(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())


def tensors(values: object) -> list[Tensor]:
    """Return the tensors that an operation is given or returns; ``tree_leaves`` takes longer than most operations."""
    if isinstance(values, Tensor):
        return [values]
    if isinstance(values, dict):
        values = [*values.values()]
    return [found for one in values for found in tensors(one)] if isinstance(values, tuple | list) else []


def floats(values: object) -> list[Tensor]:
    """Return the tensors of floats, with values, in a user's lists, tuples, mappings and other trees."""
    return _floats(one for one in tree_leaves(values) if isinstance(one, Tensor))


def _floats(found: Iterable[Tensor]) -> list[Tensor]:
    strided = (one for one in found if one.layout is torch.strided)
    return [one for one in strided if (one.is_floating_point() or one.is_complex()) and not one.is_meta]


def operation(function: Operation) -> str:
    """Return the name of an operation of the dispatcher as one knows it: ``aten::_log_softmax`` is log_softmax."""
    return str(function._schema.name).partition("::")[2].strip("_").removesuffix("_forward")


class Origin(NamedTuple):
    """Where finite numbers became others."""

    operation: str
    is_nan: bool  # not merely infinite
    module: str  # the innermost one that was running; empty in the loss
    after: str  # the last layer that had ended
    in_loss: bool
    masked: int = 0  # targets, if all of them are ignored


class _Event(NamedTuple):
    """A result that isn't finite."""

    order: int
    origin: Origin | None  # None: a mask's, on purpose
    kept: Tensor  # so that its storage isn't given to another


class OperationWatch(TorchDispatchMode):  # type: ignore[misc]
    """Sees every operation of the dispatcher; what sees them isn't compiled, and PyTorch's compiler isn't loaded."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip it means to import it: a second of processor time


class NonfiniteWatch(OperationWatch):
    """Notes which operations make numbers that are not finite of numbers that are.

    A mask's −inf is none: it is written on purpose, and a softmax makes 0 of it.
    """

    def __init__(self, record: Recording) -> None:
        super().__init__()
        self.record = record
        self.in_loss = False
        self.events: dict[StorageWeakRef, _Event] = {}

    def __torch_dispatch__(
        self,
        function: Operation,
        types: object,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operation, and look at what it returns."""
        given, changes = _floats(tensors([arguments, keywords])), function._schema.is_mutable
        foreign = changes and any(_storage(one) not in self.events and not is_finite(one) for one in given)
        before = [self.events[one] for one in map(_storage, given) if one in self.events]
        result = function(*arguments, **(keywords or {}))
        for one in _floats(tensors(result)):
            if one.numel() and not is_finite(one) and (changes or _storage(one) not in self.events):
                foreign = foreign or (not changes and any(not is_finite(other) for other in given) and not before)
                self.events[_storage(one)] = self._event(function, arguments, one, before, foreign)
        return result

    def _event(
        self, function: Operation, arguments: Sequence[Any], result: Tensor, before: Sequence[_Event], foreign: bool
    ) -> _Event:
        name, order = operation(function), len(self.events)
        led = [one for one in before if one.origin is not None]
        if led:
            first = min(led, key=lambda one: one.order)
            return _Event(first.order, first.origin, result)
        real = result.detach()
        only_masks = not real.is_complex() and not bool(((real == math.inf) | real.isnan()).any())
        if name.startswith(TOLD_TO) or "fill" in name or (only_masks and (before or foreign)):
            return _Event(order, None, result)
        inside, calls = self.record.inside, self.record.calls
        module, after = inside[-1][0] if inside else "", calls[-1].layer.name if calls else ""
        ignored = _ignored(name, arguments)
        nan = bool(real.isnan().any())
        return _Event(order, Origin(name, nan, module, after, self.in_loss, ignored), result)

    def origin_of(self, tensor: Tensor | None) -> Origin | None:
        """Return where a tensor's numbers stopped being finite; None where that is not known."""
        event = None if tensor is None else self.events.get(_storage(tensor))
        return None if event is None else event.origin


def _ignored(name: str, arguments: Sequence[Any]) -> int:
    """Return how many targets a cross-entropy has, if it ignores them all; otherwise 0."""
    if not name.startswith("nll_loss") or len(arguments) < 5:
        return 0
    target, ignored = arguments[1], arguments[4]
    return int(target.numel()) if bool((target == ignored).all()) else 0


class BackwardOrigin(NamedTuple):
    """The node of the graph at which a finite gradient becomes another."""

    node: Node
    is_nan: bool


def find_backward_origin(root: Tensor, inputs: Sequence[Tensor]) -> BackwardOrigin | None:
    """Return the node at which the gradient of a finite loss stops being finite; None where all of it is finite."""
    found: list[BackwardOrigin] = []

    def listen(node: Node) -> Any:  # noqa: ANN401
        def note(left: tuple[Tensor | None, ...], arrived: tuple[Tensor | None, ...]) -> None:
            if found or not all(map(is_finite, floats(arrived))):
                return
            bad = [one for one in floats(left) if not is_finite(one)]
            if bad:
                found.append(BackwardOrigin(node, any(bool(one.isnan().any()) for one in bad)))

        return node.register_hook(note)

    handles = [listen(node) for node in list(nodes([root.grad_fn]))]
    try:
        torch.autograd.grad(root, inputs, allow_unused=True, retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


class Dependence(OperationWatch):
    """Follows the values of some parameters through a pass, through detach() and no_grad() too.

    Whole numbers and truth values end it: what is chosen by an index has no derivative.
    """

    def __init__(self, marked: Mapping[str, Iterable[Tensor]]) -> None:
        super().__init__()
        self.marks: dict[int, frozenset[str]] = {}  # by the storage's address
        self._held: list[StorageWeakRef] = []  # so that the address isn't given to another
        for name, several in marked.items():
            for one in several:
                self._mark(one, frozenset([name]))

    def __torch_dispatch__(
        self,
        function: Operation,
        types: object,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operation; its results carry the marks of its inputs."""
        marks = self.of(_floats(tensors([arguments, keywords])))
        result = function(*arguments, **(keywords or {}))
        if marks and not operation(function).startswith(SHAPE_ONLY):
            for one in _floats(tensors(result)):
                self._mark(one, self.of([one]) | marks)
        return result

    def _mark(self, tensor: Tensor, marks: frozenset[str]) -> None:
        self._held.append(_storage(tensor))
        self.marks[tensor.untyped_storage()._cdata] = marks

    def of(self, tensors: Iterable[Tensor]) -> frozenset[str]:
        """Return the marks that some tensors carry."""
        return frozenset().union(*(self.marks.get(one.untyped_storage()._cdata, ()) for one in tensors))
