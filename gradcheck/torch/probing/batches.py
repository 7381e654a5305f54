"""The batch: inputs as a model takes them, and targets."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.errors import OptionError
from gradcheck.probing.shapes import parse_shape
from gradcheck.torch.layers import EMBEDDINGS
from gradcheck.torch.probing.error_text import errors_in_one_line


class Batch(NamedTuple):
    """A model's inputs, by position and by name, and their targets: None where they will be drawn."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    targets: Any = None

    @property
    def examples(self) -> int:
        """How many examples it holds: the first axis of the first input."""
        for value in (*self.arguments, *self.keywords.values()):
            if isinstance(value, Tensor) and value.dim():
                return max(1, int(value.shape[0]))
        return 1

    def copied(self, *, with_gradient: bool) -> tuple["Batch", list[Tensor]]:
        """Return the batch with copies of its inputs, which a model may change in place, and the floats among them.

        With a gradient, these are the leaves that it can be asked for, and the copies are none; else the copies are.
        """
        floats: list[Tensor] = []

        def copy(value: object) -> object:
            if not isinstance(value, Tensor) or value.layout is not torch.strided:
                return _cloned(value)
            if not (value.is_floating_point() or value.is_complex()):
                return value.clone()
            floats.append(value.detach().requires_grad_(with_gradient))
            return floats[-1].clone()

        arguments = tuple(copy(value) for value in self.arguments)
        keywords = {name: copy(value) for name, value in self.keywords.items()}
        return Batch(arguments, keywords, _cloned(self.targets)), floats


def _cloned(value: Any) -> Any:  # noqa: ANN401
    """Return a value with copies of the tensors in its lists and mappings; what else holds some stays as it is."""
    if isinstance(value, Tensor):
        return value.detach().clone() if value.layout is torch.strided else value
    if type(value) is dict:
        return {name: _cloned(one) for name, one in value.items()}
    return type(value)(map(_cloned, value)) if type(value) in (tuple, list) else value


class Batches:
    """The batches of a probe: one, or what a function returns; those that were drawn are kept while they fit."""

    #: Bytes of drawn batches that are kept beside the first.
    ROOM = 2**30

    def __init__(self, given: object) -> None:
        self.one = None if callable(given) else as_batch(given)
        self._make, self._drawn, self._room = given, dict[int, Batch](), self.ROOM

    def take(self, number: int) -> Batch:
        """Return the nth batch: the one that was drawn before, if it was kept."""
        if self.one is not None:
            return self.one
        if number in self._drawn:
            return self._drawn[number]
        assert callable(self._make)
        with errors_in_one_line("the function of batches failed: "):
            try:
                made = self._make()
            except StopIteration:
                raise OptionError("batch", f"ran out of batches: it has to give {number + 1} at least") from None
        batch = as_batch(made)
        self._room -= sum(one.nbytes for one in tensors_in((batch.arguments, batch.keywords, batch.targets)))
        if self._room > 0 or not number:
            self._drawn[number] = batch
        return batch

    def has(self, number: int) -> bool:
        """Whether the nth batch can be taken again."""
        return self.one is not None or number in self._drawn


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors in a value, its lists and its mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from tensors_in(one)


def as_batch(batch: object) -> Batch:
    """Return (inputs, targets) or inputs alone as a ``Batch``; inputs are a tensor, several, or a mapping of names.

    NumPy arrays are converted to tensors.
    """
    if isinstance(batch, Batch):
        return batch
    if batch is None:
        raise OptionError("batch", "is None: give (inputs, targets), or inputs alone")
    batch = _as_tensors(batch)
    inputs, targets = batch if isinstance(batch, tuple | list) and len(batch) == 2 else (batch, None)
    if isinstance(inputs, Mapping):
        return Batch((), dict(inputs), targets)
    return Batch(tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,), {}, targets)


def _as_tensors(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Tensor) and value.is_inference():  # it may want no gradient; its clone may
        return value.clone()
    if isinstance(value, np.ndarray):
        try:
            return torch.from_numpy(np.ascontiguousarray(value))
        except TypeError as error:
            raise OptionError("batch", f"has an array of {value.dtype}, which is no tensor: {error}") from None
    if isinstance(value, Mapping):
        return {name: _as_tensors(one) for name, one in value.items()}
    return type(value)(map(_as_tensors, value)) if type(value) in (tuple, list) else value


def draw_input(text: str, generator: torch.Generator) -> Tensor:
    """Draw an input: standard normal numbers, or whole ones below the bound, all equally likely."""
    shape, kind, below = parse_shape(text)
    dtype = getattr(torch, kind)
    if dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(max(1, below), shape, generator=generator).to(dtype)


def suggest_input(model: nn.Module) -> str:
    """Return the --input that the first layer needs, where that is obvious, or an example."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            return f"32x{module.in_features}"
        if isinstance(module, nn.RNNBase):
            return f"16x32x{module.input_size}"
        if isinstance(module, nn.modules.conv._ConvNd):
            return f"8x{module.in_channels}" + "x32" * len(module.kernel_size)
        if isinstance(module, EMBEDDINGS):
            return f"'4x32:int64<{module.num_embeddings}'"  # a shell would read from a file of that name
    return "32x784"
