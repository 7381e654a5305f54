"""Norms of many tensors, and single numbers, which stay on their devices until all are fetched at once."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from gradcheck.errors import GradcheckError

T = TypeVar("T")

#: A norm in float32 that is smaller, or not finite, is computed again in float64: the squares may have left its range.
SMALL = 1e-12

#: What no process shares.
PLAIN = frozenset({Tensor, nn.Parameter, type(None)})

#: What shows that norms were computed as they have to be: types that hold them, on the processor.
WIDE, KIND = frozenset({torch.float32, torch.float64}), attrgetter("dtype", "is_cpu")
AT_HAND = frozenset((dtype, True) for dtype in WIDE)

#: Devices that compute at once: reading a number there needs no waiting.
PROCESSORS = ("cpu",)


class Piece(NamedTuple):
    """Numbers of a column that are on one device, and their places; those on a processor have been fetched already."""

    places: Sequence[int]
    values: Tensor | list[float]


#: One number for each layer, or none.
Column: TypeAlias = list[Piece]

#: A number of a whole step, on its device or not.
Single: TypeAlias = Tensor | float | None

#: Where numbers belong: a list or dictionary, the places in it, and the numbers.
Found: TypeAlias = tuple[Any, Sequence[Any], Tensor | list[float]]


def local(tensor: T) -> T:
    """Return what this process has of a tensor that several share (a DTensor); any other as it is."""
    if type(tensor) in PLAIN:  # in place of a look-up that fails, for each of many
        return tensor
    own: T = getattr(tensor, "_local_tensor", tensor)
    return own


def locals_of(tensors: list[T]) -> list[T]:
    """Return what this process has of each tensor."""
    return tensors if PLAIN.issuperset(map(type, tensors)) else list(map(local, tensors))


def norms(tensors: Sequence[Tensor | None]) -> Column:
    """Return the Euclidean norms, without waiting for the device. Of weights, call it where no graph is built."""
    if (found := _norms_at_once(tensors)) is not None:
        return [Piece(range(len(found)), found)]
    with torch.no_grad():
        return [Piece(places, _norms(found)) for places, found in _by_kind(tensors)]


def scalars(values: Sequence[Tensor | None]) -> Column:
    """Return single numbers as a column."""
    return [Piece(places, _together(found)) for places, found in _by_kind(values)]


def single(name: str, value: object) -> Single:
    """Return a number of a whole step, still on its device; None of None.

    Raises
    ------
    GradcheckError
        It isn't one real number.
    """
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise GradcheckError(f"{name} has {value.numel():,} numbers; give its mean, {name}.mean()")
        if not value.is_complex() and not value.is_meta:
            return value
    elif hasattr(value, "__float__"):
        with suppress(TypeError, ValueError, OverflowError):
            return float(value)
    raise GradcheckError(f"{name} is {value!r:.80}, not a number; give a float or a tensor: recorder.step(loss)")


def fetch(
    columns: Mapping[str, Column], single: Mapping[str, Single], size: int
) -> tuple[dict[str, list[float | None]], dict[str, float | None]]:
    """Return the columns as lists of `size` numbers, None where there is none, and the single ones, all by name.

    This takes one synchronisation for each device.
    """
    lists: dict[str, Any] = {}
    whole: dict[str, Any] = dict(single)
    found: list[Found] = []
    for name, column in columns.items():
        if len(column) == 1 and type(column[0].values) is list and len(column[0].values) == size:  # all are there
            lists[name] = column[0].values
        else:
            lists[name] = [None] * size
            found += [(lists[name], *piece) for piece in column]
    for name, one in single.items():
        if isinstance(one, Tensor):
            if one.device.type in PROCESSORS:
                whole[name] = one.item()
            else:
                found.append((whole, [name], _together([one])))
    for target, keys, numbers in (*found, *_from_devices(found)) if found else ():
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


def _by_kind(tensors: Sequence[Tensor | None]) -> Iterable[tuple[Sequence[int], list[Tensor]]]:
    """Return places and tensors of each device, layout and type."""
    kinds: dict[Any, tuple[list[int], list[Tensor]]] = defaultdict(lambda: ([], []))
    last = None
    for place, tensor in enumerate(tensors):
        if tensor is not None:
            kind = tensor.dtype, tensor.device, tensor.layout
            if kind != last:  # seldom: to hash a device takes longer than to compare it
                (places, alike), last = kinds[kind], kind
            places.append(place)
            alike.append(tensor)
    return kinds.values()


def _norms_at_once(tensors: Sequence[Tensor | None]) -> list[float] | None:
    """Return the norms of dense tensors on a processor, as they mostly are; None where any is of another kind.

    That is told from what comes out: to look at each tensor before takes longer.
    """
    first = tensors[0] if tensors else None
    if first is None or first.device.type not in PROCESSORS or first.dtype not in WIDE:
        return None
    try:
        each = torch._foreach_norm(tensors, 2)
    except (TypeError, RuntimeError):  # there is none, or it is sparse
        return None
    return _in_range([one.item() for one in each], tensors) if AT_HAND.issuperset(map(KIND, each)) else None


def _in_range(norms: list[float], tensors: Sequence[Any]) -> list[float]:
    """Return norms on a processor, computed again in float64 where float32 can't hold the squares."""
    if min(norms) > SMALL and max(norms) < math.inf:
        return norms
    return [
        norm if SMALL < norm < math.inf else torch.linalg.vector_norm(tensor, dtype=torch.float64).item()
        for norm, tensor in zip(norms, tensors, strict=True)
    ]


def _norms(tensors: list[Tensor]) -> Tensor | list[float]:
    """Return the norms of tensors of one kind; on a processor, in float64 where float32 can't hold the squares."""
    tensors = _plain(tensors)
    least = torch.float64 if tensors[0].is_cuda else torch.float32
    each = _each_norm(tensors, *([least] if tensors[0].itemsize < least.itemsize else []))
    if each[0].device.type not in PROCESSORS:
        return torch.stack(each)
    return _in_range([one.item() for one in each], tensors)


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
    except TypeError:  # older versions of PyTorch take no type
        return [torch.linalg.vector_norm(tensor, dtype=wide[0] if wide else None) for tensor in tensors]


def _together(ones: list[Tensor]) -> Tensor | list[float]:
    """Return single numbers of one device: on a processor fetched, on another as one tensor."""
    if ones[0].device.type in PROCESSORS:
        return [one.item() for one in ones]
    return torch.stack([one.detach().reshape(()) for one in ones])
