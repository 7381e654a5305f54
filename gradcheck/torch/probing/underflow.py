"""Where the gradient of a scaled loss is too small for half precision."""

from typing import NamedTuple

from gradcheck.torch.probing.passing import ModelPass

#: A layer is named where this share of its gradient's entries underflows.
WORTH_NAMING = 0.01


class Underflow(NamedTuple):
    """A layer's name, and of its gradient's entries that aren't zero in full precision the share that is in half."""

    layer: str
    share: float


def underflows(full: ModelPass, half: ModelPass) -> tuple[Underflow, ...]:
    """Return the layers whose gradient underflows, worst first, given passes in full and in half precision."""
    if full.flow.obstacle or half.flow.obstacle:
        return ()
    in_half = dict(zip(half.flow.labels, half.gradient_zeros, strict=True))
    found = [
        Underflow(layer, max(0.0, in_half[layer] - zeros) / (1 - zeros))
        for layer, zeros in zip(full.flow.labels, full.gradient_zeros, strict=True)
        if layer in in_half and zeros < 1
    ]
    return tuple(sorted((one for one in found if one.share > WORTH_NAMING), key=lambda one: -one.share))
