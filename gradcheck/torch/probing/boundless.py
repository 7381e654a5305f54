"""A loss without a lower bound: of an output that grows it falls faster and faster, whatever the example."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.probing.losses import Loss
from gradcheck.torch.probing.tracing import floats

#: By which factors an output is scaled, and by how many times as much the loss must fall at the larger one, in a step
#: in proportion: a critic's falls by a hundred times as much, a square with the wrong sign by ten thousand.
FACTORS, STEEPER = (1e3, 1e5), 1e3

#: Of so many outputs, or columns of a single one, each is looked at by itself, as mean and deviation may be.
MOST = 4


def find_boundless(chosen: Loss, output: object, targets: object, examples: int) -> Iterator[Cause]:
    """Yield that a loss falls without bound along an output, for each example alike.

    Not where it does for some examples only, as a policy's whose returns have both signs.
    """
    with suppress(Exception), torch.enable_grad():  # the user's own loss may have had its one pass
        for direction in _directions(output):
            slopes = [_slopes(chosen.function, output, targets, direction, by, examples) for by in FACTORS]
            least, most = (float(one.double().sum()) for one in slopes)
            if all(bool((one < 0).all()) for one in slopes) and most <= STEEPER * least:
                yield Cause("loss-boundless", None, FACTORS[1], details={"loss": chosen.name})
                return


def _directions(output: object) -> list[list[Tensor]]:
    """Return along what outputs may grow: for each of them, or each column of a single one, what is scaled."""
    whole = floats(output)
    if len(whole) == 1 and whole[0].dim() == 2 and 1 < whole[0].shape[1] <= MOST:
        return [[column.expand_as(whole[0])] for column in torch.eye(whole[0].shape[1]).to(whole[0])]
    if not 0 < len(whole) <= MOST:
        return []
    return [[torch.full_like(one, float(one is other)) for one in whole] for other in whole]


def _slopes(
    function: Callable[[Any, Any], Tensor],
    output: object,
    targets: object,
    direction: Sequence[Tensor],
    factor: float,
    examples: int,
) -> Tensor:
    """Return the loss's slope along an output that is scaled, of each example."""
    steps = iter(direction)
    leaves: list[tuple[Tensor, Tensor]] = []
    value = function(_scaled(output, factor, steps, leaves), targets)
    gradients = torch.autograd.grad(value, [leaf for leaf, _ in leaves], allow_unused=True)
    return sum(
        (
            (leaf.detach() * step * gradient).reshape(examples, -1).sum(1)
            for (leaf, step), gradient in zip(leaves, gradients, strict=True)
            if gradient is not None
        ),
        start=torch.zeros(examples),
    )


def _scaled(output: Any, factor: float, steps: Iterator[Tensor], leaves: list[tuple[Tensor, Tensor]]) -> object:  # noqa: ANN401
    """Return outputs of the same form, whose tensors of floats are leaves, scaled where the direction is 1."""
    if isinstance(output, Tensor):
        if not floats(output):
            return output
        step = next(steps)
        leaves.append((output.detach().mul(1 + (factor - 1) * step).requires_grad_(), step))
        return leaves[-1][0]
    if type(output) in (tuple, list):
        return type(output)([_scaled(one, factor, steps, leaves) for one in output])
    if type(output) is dict:
        return {name: _scaled(one, factor, steps, leaves) for name, one in output.items()}
    raise TypeError("not a form that can be built anew")
