"""Norms of many tensors, and single numbers, that stay on their devices until all are fetched at once."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

#: Below, and where it isn't finite, a norm of float32 is taken again in float64: the squares may have left its range.
SMALL = 1e-12


class Piece(NamedTuple):
    """Numbers of a column that are on one device.

    Attributes
    ----------
    places : list of int
        Where in the column.
    values : Tensor
        As many numbers.
    """

    places: list[int]
    values: Tensor


#: One number for each layer, or none.
Column = list[Piece]


def norms(tensors: Sequence[Tensor | None]) -> Column:
    """Return the Euclidean norms, without waiting for the device."""
    with torch.no_grad():
        return [Piece(places, _norms(found)) for places, found in _by_device(tensors)]


def scalars(values: Sequence[Tensor | None]) -> Column:
    """Return single numbers as a column."""
    found = _by_device(values)
    return [Piece(places, torch.stack([one.detach().reshape(()) for one in ones])) for places, ones in found]


def parted(column: Column, size: int) -> tuple[Column, Column]:
    """Return the first numbers of a column of twice as many, and the others."""
    first, second = [], []
    for places, values in column:
        inside = sum(place < size for place in places)
        first.append(Piece(places[:inside], values[:inside]))
        second.append(Piece([place - size for place in places[inside:]], values[inside:]))
    return first, second


def fetched(columns: Mapping[str, Column], sizes: Mapping[str, int]) -> dict[str, list[float | None]]:
    """Return all columns, None where there is no number: one synchronisation for each device.

    Parameters
    ----------
    columns : mapping
    sizes : mapping
        How long each column is.
    """
    found: dict[str, list[float | None]] = {name: [None] * sizes[name] for name in columns}
    pieces = [(name, piece) for name, column in columns.items() for piece in column]
    for device in dict.fromkeys(piece.values.device for _, piece in pieces):
        here = [(name, piece) for name, piece in pieces if piece.values.device == device]
        numbers, start = torch.cat([piece.values for _, piece in here]).tolist(), 0
        for name, piece in here:
            own = numbers[start : start + len(piece.places)]
            start += len(own)
            if len(own) == sizes[name]:
                found[name] = own
                continue
            for place, number in zip(piece.places, own, strict=True):
                found[name][place] = number
    return found


def _by_device(tensors: Sequence[Tensor | None]) -> list[tuple[list[int], list[Tensor]]]:
    """Return places and tensors of each device."""
    devices = [None if tensor is None else tensor.device for tensor in tensors]
    if len(set(devices)) == 1 and devices[0] is not None:  # as nearly always
        return [(list(range(len(tensors))), list(tensors))]
    found = []
    for device in dict.fromkeys(device for device in devices if device is not None):
        places = [place for place, one in enumerate(devices) if one == device]
        found.append((places, [tensors[place] for place in places]))
    return found


def _plain(tensor: Tensor) -> Tensor:
    """Return a dense real tensor of the same norm."""
    if tensor.layout is not torch.strided:
        tensor = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _norms(tensors: list[Tensor]) -> Tensor:
    """Return the norms of tensors on one device; on a processor, those that float32 can't square in float64."""
    device = tensors[0].device.type
    found = torch.stack(_each_norm(tensors, torch.float64 if device == "cuda" else torch.float32))
    if device != "cpu":
        return found
    known = found.numpy()
    if known.min() > SMALL and known.max() < math.inf:  # false of nan too
        return found
    inside = (known > SMALL) & (known < math.inf)
    found = found.double()
    for at in (~inside).nonzero()[0].tolist():
        found[at] = torch.linalg.vector_norm(_plain(tensors[at]), dtype=torch.float64)
    return found


def _each_norm(tensors: list[Tensor], least: torch.dtype) -> list[Tensor]:
    """Return the norm of each tensor, in its own precision but at least in `least`."""
    forms = {(tensor.layout, tensor.dtype) for tensor in tensors}
    if any(layout is not torch.strided or kind.is_complex for layout, kind in forms):
        tensors = [_plain(tensor) for tensor in tensors]
        forms = {(tensor.layout, tensor.dtype) for tensor in tensors}
    kinds = {kind for _, kind in forms}
    if len(kinds) == 1:
        (kind,) = kinds
        wide = torch.promote_types(kind, least)
        try:
            return list(torch._foreach_norm(tensors, 2, *([wide] if wide != kind else [])))
        except (AttributeError, TypeError):  # an older PyTorch has no such function, or none that takes a type
            pass
    wides = [torch.promote_types(tensor.dtype, least) for tensor in tensors]
    found = [torch.linalg.vector_norm(tensor, dtype=wide) for tensor, wide in zip(tensors, wides, strict=True)]
    widest = torch.float64 if torch.float64 in wides else least
    return [norm.to(widest) for norm in found]
