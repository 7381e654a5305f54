"""Norms of many tensors, and single numbers, that stay on their devices until all are fetched at once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

#: Below, and where it isn't finite, a norm of float32 is taken again in float64: the squares may have left its range.
SMALL = 1e-12

#: Devices that compute at once: a number is read there without waiting.
PROCESSORS = ("cpu",)


class Piece(NamedTuple):
    """Numbers of a column that are on one device.

    Attributes
    ----------
    places : list of int
        Where in the column.
    values : Tensor or list of float
        As many numbers; on a processor there is nothing to wait for, and they are fetched already.
    """

    places: list[int]
    values: Tensor | list[float]


#: One number for each layer, or none.
Column: TypeAlias = list[Piece]

#: A number of a whole step, on its device or not.
Single: TypeAlias = Tensor | float | None

#: Where numbers belong: a list or dictionary, the places in it, and the numbers.
Found: TypeAlias = tuple[Any, Sequence[Any], Tensor | list[float]]


def norms(tensors: Sequence[Tensor | None]) -> Column:
    """Return the Euclidean norms, without waiting for the device."""
    with torch.no_grad():
        return [Piece(places, _norms(found)) for places, found in _by_kind(tensors)]


def scalars(values: Sequence[Tensor | None]) -> Column:
    """Return single numbers as a column."""
    return [Piece(places, _together(found)) for places, found in _by_kind(values)]


def parted(column: Column, size: int) -> tuple[Column, Column]:
    """Return the first numbers of a column of twice as many, and the others."""
    first, second = [], []
    for places, values in column:
        inside = sum(place < size for place in places)
        first.append(Piece(places[:inside], values[:inside]))
        second.append(Piece([place - size for place in places[inside:]], values[inside:]))
    return first, second


def fetched(
    columns: Mapping[str, Column], single: Mapping[str, Single], size: int
) -> tuple[dict[str, list[float | None]], dict[str, float | None]]:
    """Return all numbers: one synchronisation for each device.

    Parameters
    ----------
    columns : mapping
        Name ↦ column.
    single : mapping
        Name ↦ one number.
    size : int
        How long a column is; None stands where it has no number.
    """
    lists: dict[str, list[float | None]] = {name: [None] * size for name in columns}
    whole: dict[str, Any] = dict(single)
    found: list[Found] = [(lists[name], *piece) for name, column in columns.items() for piece in column]
    found += [(whole, [name], _together([one])) for name, one in single.items() if isinstance(one, Tensor)]
    for target, keys, numbers in (*found, *_from_devices(found)):
        if not isinstance(numbers, Tensor):
            for key, number in zip(keys, numbers, strict=True):
                target[key] = number
    return lists, whole


def _from_devices(found: Sequence[Found]) -> Iterator[Found]:
    """Yield what is on devices as numbers, each device's in one go."""
    waiting: dict[torch.device, list[tuple[Any, Sequence[Any], Tensor]]] = {}
    for target, keys, numbers in found:
        if isinstance(numbers, Tensor):
            waiting.setdefault(numbers.device, []).append((target, keys, numbers))
    for there in waiting.values():
        values = iter(torch.cat([numbers for _, _, numbers in there]).tolist())
        yield from ((target, keys, list(islice(values, len(keys)))) for target, keys, _ in there)


def _by_kind(tensors: Sequence[Tensor | None]) -> list[tuple[list[int], list[Tensor]]]:
    """Return places and tensors of each device, layout and type."""
    kinds = [None if tensor is None else (tensor.device, tensor.dtype, tensor.layout) for tensor in tensors]
    different = dict.fromkeys(kinds)
    if len(different) == 1 and None not in different:  # as nearly always
        return [(list(range(len(tensors))), list(tensors))]
    found = []
    for kind in different:
        if kind is not None:
            places = [place for place, one in enumerate(kinds) if one == kind]
            found.append((places, [tensors[place] for place in places]))
    return found


def _norms(tensors: list[Tensor]) -> Tensor | list[float]:
    """Return the norms of tensors of one kind; on a processor, those that float32 can't square in float64."""
    tensors = _plain(tensors)
    least = torch.float64 if tensors[0].is_cuda else torch.float32
    found = _together(_each_norm(tensors, *([least] if tensors[0].itemsize < least.itemsize else [])))
    if isinstance(found, Tensor) or (min(found) > SMALL and max(found) < math.inf):
        return found
    return [
        norm if SMALL < norm < math.inf else torch.linalg.vector_norm(tensor, dtype=torch.float64).item()
        for norm, tensor in zip(found, tensors, strict=True)
    ]


def _plain(tensors: list[Tensor]) -> list[Tensor]:
    """Return dense real tensors of the same norms."""
    if tensors[0].layout is not torch.strided:
        sparse = tensors[0].layout is torch.sparse_coo
        tensors = [tensor.coalesce().values() if sparse else tensor.values() for tensor in tensors]
    return [torch.view_as_real(tensor) for tensor in tensors] if tensors[0].is_complex() else tensors


def _each_norm(tensors: list[Tensor], *wide: torch.dtype) -> list[Tensor]:
    """Return the norm of each tensor, in a wider type if one is given."""
    try:
        return list(torch._foreach_norm(tensors, 2, *wide))
    except TypeError:  # an older PyTorch has none that takes a type
        return [torch.linalg.vector_norm(tensor, dtype=wide[0] if wide else None) for tensor in tensors]


def _together(ones: list[Tensor]) -> Tensor | list[float]:
    """Return single numbers of one device: on a processor fetched, on another as one tensor."""
    if ones[0].device.type in PROCESSORS:
        return [one.item() for one in ones]
    return torch.stack([one.detach().reshape(()) for one in ones])
