"""Whether the tokens of an example stay apart: attention averages them, block by block.

Where norms are in the branches, a sum brings the tokens past them whatever their share of the variance is, and such
networks train. Where a norm follows each sum, what it makes of them is all that is left.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import FUSED_ATTENTION, Graph, Node, is_softmax
from gradcheck.torch.probing.hooks import Call, Recording
from gradcheck.torch.probing.parts import ModelParts

#: They look alike where they make up less than this of the variance, which is else between examples. With a norm after
#: each sum, transformers that train have 0.29 and more, those of 24 blocks and more that don't have 0.003 and less.
ALIKE = 0.01

#: Nothing is said of tokens that were alike where they come from.
APART = 0.1

#: Fewer tokens than this say nothing, nor does one example.
TOKENS, EXAMPLES = 4, 2


class Alike(NamedTuple):
    """From which layer on the tokens of an example look alike, and their share of the variance in the end."""

    layer: str
    share: float


def find_alike_tokens(record: Recording, graph: Graph, examples: int) -> Alike | None:
    """Return where the tokens of an example begin to look alike, if they do at the end of a stack of attention."""
    first = all(getattr(call.layer.module, "batch_first", True) for call in record.calls)  # examples before tokens
    trunk = [call for call in record.calls if call.on_trunk and _has_tokens(call, examples, first)]
    stack = [call for call in trunk if trunk[-1].output.shape[:2] == call.output.shape[:2]]
    if not stack or _share_of_tokens(stack[0].output) < APART or not _share_of_tokens(stack[-1].output) < ALIKE:
        return None
    if not 0 < _attentions(graph, stack[-1].node) <= sum(call.layer.is_vector for call in stack):
        return None
    shares = [_share_of_tokens(call.output) for call in stack]
    since = next(call for at, call in enumerate(stack) if all(share < ALIKE for share in shares[at:]))
    return Alike(since.layer.name, shares[-1])


def judge_tokens(alike: Alike | None, layers: Mapping[str, int]) -> ModelParts:
    """Return what it means, given the numbers of layers by name."""
    if alike is None:
        return ModelParts()
    place = layers.get(alike.layer)
    cause = Cause("tokens-alike", None if place is None else (place, place), alike.share, ALIKE, {"name": alike.layer})
    return ModelParts("collapsed", (cause,))


def _has_tokens(call: Call, examples: int, first: bool) -> bool:
    """Whether a call gave (examples, tokens, features); of as many tokens as examples it depends on which are first."""
    output = call.output
    if output.dim() != 3 or output._version != call.version or not call.finite:
        return False
    count, tokens, _ = output.shape
    return bool(count == examples >= EXAMPLES and tokens >= TOKENS and (first or tokens != count))


def _attentions(graph: Graph, end: Node) -> int:
    """Return how many attentions lead to a node."""
    names = map(graph.names.__getitem__, graph.reached([end]))
    return sum(is_softmax(name) or name.startswith(FUSED_ATTENTION) for name in names)


def _share_of_tokens(output: Tensor) -> float:
    """Return the share of the variance that is between an example's tokens: of (examples, tokens, features)."""
    wide = output.detach().double()
    between_tokens = float((wide - wide.mean(1, keepdim=True)).square().sum())
    whole = float((wide - wide.mean((0, 1))).square().sum())
    return between_tokens / whole if whole else 1.0
