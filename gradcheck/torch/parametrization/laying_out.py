"""From what was seen of each model to records of the layers that all of them have."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.errors import GradcheckError
from gradcheck.parametrization.coordinates import Coordinate, Kind, Size
from gradcheck.torch.parametrization import sizes
from gradcheck.torch.parametrization.training import Trained

#: The number of a block in a layer's name.
NUMBER = re.compile(r"(?<![^.])\d+(?![^.\s])")

INFINITE = Size(math.inf, math.inf)


class Network(NamedTuple):
    """One model of the user's, by its width or depth and its seed, and what was seen of it."""

    scale: int
    seed: int
    seen: Trained


def lay_out(models: Sequence[Network], axis: str, steps: int) -> Iterator[Coordinate]:
    """Yield the records of the layers that all models have, layer by layer.

    Raises
    ------
    GradcheckError
        They have no layer in common, or no layer that differs.
    """
    places = [_places(one) if axis == "depth" else {name: name for name in one.seen.passes[0]} for one in models]
    shared = [name for name in places[0] if all(name in one for one in places)]
    if not shared:
        problem = f"models of {models[0].scale} and {models[-1].scale} have no layer of the same name"
        raise GradcheckError(f"{problem}: call what they have in common alike at every {axis}")
    _check_that_they_differ(models, axis)
    kinds = {name: _kind(name, models, places, axis) for name in shared}
    if axis == "width" and "hidden" not in kinds.values():
        problem = f"no layer returns more at {models[-1].scale} than at {models[0].scale}, though weights do differ"
        raise GradcheckError(f"{problem}: what is wide has to be the output of a module, as nn.Linear is")
    for layer in shared:
        for model, names in zip(models, places, strict=True):
            for step in range(steps + 1):
                yield _coordinate(model, step, names[layer], layer, kinds[layer], with_update=axis == "width")


def _check_that_they_differ(models: Sequence[Network], axis: str) -> None:
    """Raise an error for models of all sizes with the same weights, and as many calls of each layer."""
    alike = {
        (one.seen.shapes, tuple((name, seen.calls) for name, seen in one.seen.passes[0].items())) for one in models
    }
    if len(alike) == 1:
        problem = f"returns the same model for {models[0].scale} and {models[-1].scale}"
        raise GradcheckError(f"build {problem}: it has to use the number that it is called with as the {axis}")


def _places(model: Network) -> dict[str, str]:
    """Return place ↦ layer: of layers whose names differ in their numbers only the last, and the output.

    The change of the first is its own update, which falls with depth in residual branches, and has to.
    """
    last = {NUMBER.sub("*", name): name for name in model.seen.passes[0] if name != model.seen.output}
    return {f"{group} (last)" if "*" in group else group: name for group, name in last.items()} | {
        "output": model.seen.output
    }


def _kind(layer: str, models: Sequence[Network], places: Sequence[dict[str, str]], axis: str) -> Kind:
    """Return what a layer is; in width an output is what isn't larger in a wider model."""
    seen = [model.seen.passes[0][names[layer]] for model, names in zip(models, places, strict=True)]
    if seen[0].heads:  # more heads instead of wider ones: their scores are activations that may start at zero
        return "scores" if len({one.heads for one in seen}) == 1 and axis == "width" else "output"
    if layer == "output" or (axis == "width" and len({one.output.count for one in seen}) == 1):
        return "output"
    return "queries" if seen[0].queries else "hidden"


def _coordinate(model: Network, step: int, name: str, layer: str, kind: Kind, *, with_update: bool) -> Coordinate:
    """Return a record; infinite where training has ended before, because the loss was not finite."""
    if step >= len(model.seen.passes) or name not in model.seen.passes[step]:
        return Coordinate(model.scale, model.seed, step, layer, kind, INFINITE, INFINITE)
    seen = model.seen.passes[step][name]
    change = None if step == 0 else _size(seen.change)
    update = None if step == 0 or not with_update else _size(seen.update)
    return Coordinate(
        model.scale, model.seed, step, layer, kind, Size(seen.output.mean, seen.output.rms), change, update
    )


def _size(size: sizes.Size) -> Size | None:
    return Size(size.mean, size.rms) if size.count else None
