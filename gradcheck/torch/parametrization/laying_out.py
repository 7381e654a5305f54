"""From what was seen of each model to records of the layers that all of them have."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.errors import GradcheckError
from gradcheck.parametrization.coordinates import Coordinate, Kind, Size
from gradcheck.torch.parametrization import sizes
from gradcheck.torch.parametrization.watching import Seen, Watch

#: The number of a block in a layer's name.
NUMBER = re.compile(r"(?<![^.])\d+(?![^.\s])")

INFINITE = Size(math.inf, math.inf)


class Trained(NamedTuple):
    """One model and what was seen of it.

    Attributes
    ----------
    scale : int
        Its width or its depth.
    seed : int
    passes : list of dict
        Before the first step and after each, name of a layer ↦ what was seen of it.
    output : str
        The layer whose output is the model's.
    """

    scale: int
    seed: int
    passes: list[dict[str, Seen]]
    output: str


def watched(scale: int, seed: int, watch: Watch) -> Trained:
    """Return what was seen of a model, without the tensors that were kept for it."""
    return Trained(scale, seed, watch.passes, watch.output)


def lay_out(models: Sequence[Trained], axis: str, steps: int) -> Iterator[Coordinate]:
    """Yield the records of the layers that all models have, layer by layer.

    Raises
    ------
    GradcheckError
        They have no layer in common, or no layer that differs.
    """
    places = [_places(one) if axis == "depth" else {name: name for name in one.passes[0]} for one in models]
    shared = [name for name in places[0] if all(name in one for one in places)]
    if not shared:
        raise GradcheckError(f"models of {models[0].scale} and {models[-1].scale} have no layer of the same name")
    kinds = {name: _kind(name, models, places, axis) for name in shared}
    if axis == "width" and "hidden" not in kinds.values():
        problem = f"returns models whose layers are alike at {models[0].scale} and {models[-1].scale}"
        raise GradcheckError(f"build {problem}: it has to use the number that it is called with as the width")
    for layer in shared:
        for model, names in zip(models, places, strict=True):
            for step in range(steps + 1):
                yield _coordinate(model, step, names[layer], layer, kinds[layer], with_update=axis == "width")


def _places(model: Trained) -> dict[str, str]:
    """Return place ↦ layer: of layers that differ in their numbers only the first and the last, and the output."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in model.passes[0]:
        if name != model.output:
            groups[NUMBER.sub("*", name)].append(name)
    found = {}
    for group, names in groups.items():
        if "*" not in group:
            found[group] = names[0]
        else:
            found[f"{group} (first)"], found[f"{group} (last)"] = names[0], names[-1]
    return found | {"output": model.output}


def _kind(layer: str, models: Sequence[Trained], places: Sequence[dict[str, str]], axis: str) -> Kind:
    """Return what a layer is; in width an output is what isn't larger in a wider model."""
    seen = [model.passes[0][names[layer]] for model, names in zip(models, places, strict=True)]
    if seen[0].heads:  # more heads instead of wider ones: their scores are activations that may start at zero
        return "scores" if len({one.heads for one in seen}) == 1 and axis == "width" else "output"
    if layer == "output" or (axis == "width" and len({one.output.count for one in seen}) == 1):
        return "output"
    return "queries" if seen[0].queries else "hidden"


def _coordinate(model: Trained, step: int, name: str, layer: str, kind: Kind, *, with_update: bool) -> Coordinate:
    """Return a record; infinite where training has ended before, because the loss was not finite."""
    if step >= len(model.passes) or name not in model.passes[step]:
        return Coordinate(model.scale, model.seed, step, layer, kind, INFINITE, INFINITE)
    seen = model.passes[step][name]
    change = None if step == 0 else _size(seen.change)
    update = None if step == 0 or not with_update else _size(seen.update)
    return Coordinate(
        model.scale, model.seed, step, layer, kind, Size(seen.output.mean, seen.output.rms), change, update
    )


def _size(size: sizes.Size) -> Size | None:
    return Size(size.mean, size.rms) if size.count else None
