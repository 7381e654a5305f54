"""Whether the tokens of an example stay apart: attention averages them, block by block.

Where norms are in the branches, a sum brings the tokens past them whatever their share of the variance is, and such
networks train. Where a norm follows each sum, what it makes of them is all that is left.
"""

from collections.abc import Mapping

from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import FUSED_ATTENTION, Node, is_softmax, nodes
from gradcheck.torch.probing.hooks import Call, Recording
from gradcheck.torch.probing.parts import Parts

#: They look alike where they make up less than this of the variance, which is else between examples. With a norm after
#: each sum, transformers that train have 0.29 and more, those of 24 blocks and more that don't have 0.003 and less.
ALIKE = 0.01

#: Nothing is said of tokens that were alike where they come from.
APART = 0.1

#: Fewer tokens than this say nothing, nor does one example.
TOKENS, EXAMPLES = 4, 2


def judge_tokens(record: Recording, examples: int, layers: Mapping[str, int]) -> Parts:
    """Return where the tokens of an example begin to look alike, if they do at the end of a stack of attention."""
    trunk = [call for call in record.calls if call.on_trunk and _has_tokens(call, examples)]
    stack = [call for call in trunk if trunk[-1].output.shape[:2] == call.output.shape[:2]]
    if not stack or _share_of_tokens(stack[0].output) < APART or not _share_of_tokens(stack[-1].output) < ALIKE:
        return Parts()
    if not 0 < _attentions(stack[-1].node) <= sum(call.layer.is_vector for call in stack):
        return Parts()
    shares = [_share_of_tokens(call.output) for call in stack]
    first = next(call for at, call in enumerate(stack) if all(share < ALIKE for share in shares[at:]))
    place = layers.get(first.layer.name)
    cause = Cause(
        "tokens-alike", None if place is None else (place, place), shares[-1], ALIKE, {"name": first.layer.name}
    )
    return Parts("collapsed", (cause,))


def _has_tokens(call: Call, examples: int) -> bool:
    output = call.output
    whole = output.dim() == 3 and output._version == call.version and call.finite
    return whole and examples == output.shape[0] >= EXAMPLES and output.shape[1] >= TOKENS


def _attentions(end: Node) -> int:
    """Return how many attentions lead to a node."""
    return sum(is_softmax(node) or node.name().startswith(FUSED_ATTENTION) for node in nodes([end]))


def _share_of_tokens(output: Tensor) -> float:
    """Return the share of the variance that is between an example's tokens: of (examples, tokens, features)."""
    wide = output.detach().double()
    between_tokens = float((wide - wide.mean(1, keepdim=True)).square().sum())
    whole = float((wide - wide.mean((0, 1))).square().sum())
    return between_tokens / whole if whole else 1.0
