"""Norms of a model that several processes train together: of their parts, by one all-reduce."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import distributed, nn

from gradcheck.torch.recording.scalars import local

#: Quantities whose squares add up over the parts of a tensor.
NORMS = ("grad_norm", "grad_norm_after", "weight_norm", "update_norm")


def several() -> bool:
    """Whether several processes train together."""
    return bool(distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1)


def is_first() -> bool:
    """Whether this is the process that writes and warns."""
    return not several() or distributed.get_rank() == 0


def shares(model: nn.Module, parameters: Sequence[nn.Parameter]) -> list[float]:
    """Return how much of each square this process adds, so that the sum over all processes counts each entry once.

    A parameter that all of them hold (DDP) is added by each of n with 1/n; of one that is split into s parts (FSDP)
    each process adds its part, times s/n where the parts are there several times.
    """
    processes = distributed.get_world_size()
    split = dict(_flat_parts(model))
    return [
        _parts(parameter) / processes if local(parameter) is not parameter else split.get(id(parameter), 1) / processes
        for parameter in parameters
    ]


def join(
    lists: dict[str, list[float | None]], whole: dict[str, float | None], added: Sequence[float], device: torch.device
) -> None:
    """Replace this process's norms by those of all processes together, and its loss by their mean, in place.

    The lists have a number for each parameter, or None; what is added is what ``shares`` returned.
    """
    names = [name for name in NORMS if name in lists]
    loss = whole.get("loss")
    own = [_square(norm) * share for name in names for norm, share in zip(lists[name], added, strict=True)]
    there = [norm is not None for name in names for norm in lists[name]]
    numbers = [*own, *map(float, there), 0.0 if loss is None else loss / distributed.get_world_size()]
    together = torch.tensor(numbers, dtype=torch.float64, device=device)
    distributed.all_reduce(together)
    *joined, total = together.tolist()
    for place, name in enumerate(names):
        squares = joined[place * len(added) :][: len(added)]
        counts = joined[(len(names) + place) * len(added) :][: len(added)]
        lists[name] = [math.sqrt(one) if count else None for one, count in zip(squares, counts, strict=True)]
    if loss is not None:
        whole["loss"] = total


def _square(norm: float | None) -> float:
    return 0.0 if norm is None else norm * norm


def _parts(parameter: Any) -> int:  # noqa: ANN401
    """Return into how many parts a DTensor is split."""
    sizes = parameter.device_mesh.shape
    return math.prod(size for size, placement in zip(sizes, parameter.placements, strict=True) if placement.is_shard())


def _flat_parts(model: nn.Module) -> Iterator[tuple[int, int]]:
    """Yield the parameters that FullyShardedDataParallel has flattened, by id, and into how many parts."""
    for module in model.modules():
        if any(one.__name__ == "FullyShardedDataParallel" for one in type(module).__mro__):
            whole = module.sharding_strategy.name == "NO_SHARD"
            for parameter in module.parameters():
                yield id(parameter), 1 if whole else module.process_group.size()
