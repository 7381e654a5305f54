"""A loss without a lower bound: of an output that grows it falls faster and faster, whatever the example."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.probing.loss.losses import Loss
from gradcheck.torch.probing.tracing import floats

#: By which factors an output is scaled, and by how many times as much the loss must fall at the larger one, in a step
#: in proportion: a critic's falls by a hundred times as much, a square with the wrong sign by ten thousand.
FACTORS, STEEPER = (1e3, 1e5), 1e3

#: By how many times the fall may differ among examples, for the length of their outputs: deviations do by a few, a
#: policy's returns, each of which weighs its example, by many, and those may all be negative.
ALIKE = 4.0

#: Of so many outputs, or columns of a single one, each is looked at by itself, as mean and deviation may be.
MOST = 4


def find_boundless(chosen: Loss, output: object, targets: object, examples: int) -> Iterator[Cause]:
    """Yield that a loss falls without bound along an output, for each example alike.

    Not where it does for some examples only, or far faster for some, as a policy's loss by the returns.
    """
    with suppress(Exception), torch.enable_grad():  # the user's own loss may have had its one pass
        for direction in _directions(output):
            (near, _), (far, lengths) = (
                _slopes(chosen.function, output, targets, direction, by, examples) for by in FACTORS
            )
            falls = bool((near < 0).all() and (far < 0).all())
            slowest, *_, fastest = (-far / lengths).sort().values.tolist()
            if falls and float(far.sum()) <= STEEPER * float(near.sum()) and fastest <= ALIKE * slowest:
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
) -> tuple[Tensor, Tensor]:
    """Return the loss's slope along an output that is scaled, and the output's squared length, of each example."""
    steps = iter(direction)
    leaves: list[tuple[Tensor, Tensor]] = []
    value = function(_scaled(output, factor, steps, leaves), targets)
    gradients = torch.autograd.grad(value, [leaf for leaf, _ in leaves], allow_unused=True)
    slopes = lengths = torch.zeros(examples, dtype=torch.float64)
    for (leaf, step), gradient in zip(leaves, gradients, strict=True):
        along = (leaf.detach() * step).reshape(examples, -1).double()
        lengths = lengths + along.square().sum(1)
        if gradient is not None:
            slopes = slopes + (along * gradient.reshape(examples, -1)).sum(1)
    return slopes, lengths


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
