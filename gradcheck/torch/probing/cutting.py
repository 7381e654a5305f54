"""Where values leave the autograd graph: functions that were given a graph and returned something without one."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gradcheck.torch.graph import Node, nodes
from gradcheck.torch.probing.tracing import tensors

#: Functions that copy values out of the graph, as one types them.
COPIES = {
    "detach": "detach()", "detach_": "detach_()", "data": ".data", "item": ".item()", "tolist": ".tolist()",
    "numpy": ".numpy()", "array": "NumPy", "float": "float()", "int": "int()", "bool": "bool()",
    "tensor": "torch.tensor(…)", "as_tensor": "torch.as_tensor(…)",
}  # fmt: skip

#: Sums and differences, by the names of their functions without underscores.
SUMS = ("add", "radd", "iadd", "sub", "rsub", "isub")

#: Methods of a tensor that make whole numbers or truth values of it; Python's own int() is ``__int__``.
CASTS = ("int", "bool")

#: Functions that return a number of Python's or an array, no tensor.
NUMBERS = (bool, int, float, complex, list, np.ndarray, np.generic)


class Cut(NamedTuple):
    """A function that cut values off."""

    function: str  # as one types it
    kind: str  # ``copy``, ``no-grad``, or ``choice``: it has no derivative
    sources: tuple[Node, ...] = ()  # of the graph that it was given


class CutWatch(TorchFunctionMode):  # type: ignore[misc]
    """Follows what has left the graph, to whatever is made of it."""

    def __init__(self) -> None:
        super().__init__()
        self._cuts: dict[int, Cut] = {}
        self._kept: list[Tensor] = []  # so that an id isn't given to another
        self._number: Cut | None = None  # by which a number was made last
        self._terms: list[tuple[Node, Cut]] = []  # sums of single numbers, and what cut one of these off
        self.drops_all = False  # whether a function drops everything

    def __torch_function__(
        self,
        function: Any,  # noqa: ANN401
        types: object,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run a function; what it returns carries the cut of what it was given."""
        result = function(*arguments, **(keywords or {}))
        made = tensors(result)
        if not made and not isinstance(result, NUMBERS):  # a shape, a node of the graph
            return result
        self.drops_all = self.drops_all or _drops_all(function, arguments, keywords or {})
        given = tensors([arguments, keywords])
        graded = tuple(one.grad_fn for one in given if one.requires_grad)
        before = next((self._cuts[id(one)] for one in given if id(one) in self._cuts), None)
        if not graded and before is None:
            return result
        if graded and isinstance(result, Tensor) and result.numel() == 1 and _is_sum(function):
            of_each = [self._cuts.get(id(one)) for one in given if not one.requires_grad]
            self._terms += [(result.grad_fn, cut) for cut in of_each if cut is not None]
        for one in made:
            new = graded and not one.requires_grad and not one.is_sparse
            if (cut := _cut(function, graded) if new else before) is not None:
                self._cuts[id(one)] = cut
                self._kept.append(one)
        if isinstance(result, NUMBERS):
            self._number = before or _cut(function, graded)
        return result

    def of(self, value: object) -> Cut | None:
        """Return what cut a value off; of a number what made the last one; None where that isn't known."""
        return self._cuts.get(id(value), self._number) if isinstance(value, Tensor) else self._number

    def reaching(self, values: Iterable[Tensor]) -> Iterator[Cut]:
        """Yield every cut whose values some tensors were made of."""
        yield from {cut.function: cut for one in values if (cut := self._cuts.get(id(one)))}.values()

    def terms_of(self, value: Tensor) -> list[Cut]:
        """Return what cut off terms of a loss that is a sum of single numbers."""
        within = set(nodes([value.grad_fn]))
        return [cut for node, cut in self._terms if node in within and cut.kind != "choice"]


def _is_sum(function: Any) -> bool:  # noqa: ANN401
    return getattr(function, "__name__", "").strip("_") in SUMS


def _drops_all(function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:  # noqa: ANN401
    """Whether a function is a dropout in training whose share is 1."""
    if "dropout" not in getattr(function, "__name__", ""):
        return False
    given = dict(zip(("input", "p", "training"), arguments, strict=False)) | keywords
    share, training = given.get("p"), given.get("training")
    return share is not None and share >= 1 and training is not False


def _cut(function: Any, graded: tuple[Node, ...]) -> Cut:  # noqa: ANN401
    name = getattr(function, "__name__", "")
    name = getattr(getattr(function, "__self__", None), "__name__", name) if name == "__get__" else name
    cast, name = name in CASTS, name.strip("_")
    if not torch.is_grad_enabled() and name not in COPIES:
        where = "inference_mode()" if torch.is_inference_mode_enabled() else "no_grad()"
        return Cut(where, "no-grad", graded)
    return Cut(COPIES.get(name, name), "copy" if name in COPIES and not cast else "choice", graded)


def variables_of(cut: Cut) -> set[Tensor]:
    """Return the leaves of the graph that were cut off."""
    roots = [one for one in cut.sources if one is not None]
    return {node.variable for node in nodes(roots) if hasattr(node, "variable")}
