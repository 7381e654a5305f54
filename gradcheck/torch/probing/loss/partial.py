"""A gradient that is that of a part of the loss only: the rest of it depends on weights by values without a graph."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.layers import Layer
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.measuring import Gradients
from gradcheck.torch.probing.moving import kept

#: All but one of so many uses of a layer have a graph and get no gradient where a state is cut off at each step. Slots
#: are detached before the last of three steps by design (Chang, Griffiths & Levine 2022), longer sequences in parts.
USES = 5

#: By this share weights are moved along their gradient, and by half of it: where both say the same, it is the slope.
STEP, SMOOTH = 1e-2, 0.2

#: The gradient is that of a part where the loss's slope along it is other than it says by more than this share.
OTHER = 0.5

#: By fewer units of rounding a loss's change says nothing.
SEEN = 30 * 2.0**-24


@dataclass
class Derivatives:
    """Whether a derivative was taken in forward or in the loss, without a graph of its own."""

    taken: bool = False


@contextmanager
def derivatives_watched() -> Iterator[Derivatives]:
    """Note each torch.autograd.grad() without create_graph as long as the context lasts."""
    found, before = Derivatives(), torch.autograd.grad

    def noted(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        found.taken |= torch.is_grad_enabled() and not (keywords.get("create_graph") or any(arguments[4:5]))
        return before(*arguments, **keywords)

    torch.autograd.grad = noted
    try:
        yield found
    finally:
        torch.autograd.grad = before


def uses_unheard(record: Recording) -> str:
    """Return a layer all of whose uses but one have a graph and get no gradient; else nothing."""
    for layer in record.layers():
        calls = record.of(layer)
        silent = sum(call.node is not None and not call.heard for call in calls)
        if len(calls) >= USES and silent == len(calls) - 1 and any(call.moved for call in calls):
            return layer.name
    return ""


def find_partial(why: str, gradients: Gradients, loss: Callable[[], Tensor], value: float, shift: int) -> Cause | None:
    """Return that a gradient is not the loss's, if weights that are moved along it change that otherwise.

    The gradients are of some weights, and of 2**shift times the loss, which is the same each time. The reason is a
    layer some of whose uses get no gradient; it is empty where a derivative is taken without a graph.
    """
    arrived = ((one, found) for one, found in gradients.items() if found is not None)
    pairs = [(one, found.to_dense() if found.is_sparse else found) for one, found in arrived]
    size = math.sqrt(sum(float(found.double().square().sum()) for _, found in pairs))
    length = math.sqrt(sum(float(one.detach().double().square().sum()) for one, _ in pairs))
    if not 0 < size < math.inf or not length or float(loss().detach()) != value:
        return None
    weights = [one for one, _ in pairs]
    along = [found * (length / size) for _, found in pairs]
    wide, narrow = (_slope(weights, along, step, loss) for step in (STEP, STEP / 2))
    return _told(why, wide, narrow, size * length * 2.0**-shift, value)


def find_turned(
    layers: Iterable[Layer], gradients: Gradients, loss: Callable[[], Tensor], value: float, shift: int
) -> str:
    """Return a layer whose gradient points the other way than the loss's own: a step against it makes the loss rise."""
    for layer in layers:
        own = {one: gradients.get(one) for one in layer.matrices}
        found = find_partial(layer.name, own, loss, value, shift)
        if found is not None and found.value is not None and found.value < 0:
            return layer.name
    return ""


def _told(why: str, wide: float, narrow: float, expected: float, value: float) -> Cause | None:
    seen = STEP * abs(wide) > SEEN * abs(value)
    smooth = abs(wide - narrow) <= SMOOTH * abs(wide)
    if not (seen and smooth and abs(wide - expected) > OTHER * max(abs(wide), expected)):
        return None
    return Cause("gradient-partial", None, wide / expected, details={"name": why})


def _slope(weights: Sequence[Tensor], along: Sequence[Tensor], step: float, loss: Callable[[], Tensor]) -> float:
    """Return the loss's slope along a direction, by central differences; the weights are put back to the last bit."""
    found = []
    with kept(weights) as copies:
        for by in (step, -step):
            with torch.no_grad():
                for one, before, direction in zip(weights, copies, along, strict=True):
                    one.copy_(before + by * direction)
            found.append(float(loss().detach()))
    return (found[0] - found[1]) / (2 * step)
