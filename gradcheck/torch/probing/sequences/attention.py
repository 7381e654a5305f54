"""Attention at the start: how evenly each head looks around, and how large its scores are."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Graph, Node, is_fused, is_softmax, signed
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.parts import Attention, ModelParts

#: Examples that are looked at, and numbers at most in their weights: an attention of more is left out.
EXAMPLES, NUMBERS = 4, 2**26

#: What lies between the product of queries and keys and its softmax: a scale, a mask, a bias, another shape or type.
BEFORE_SOFTMAX = (
    "Mul", "Div", "Add", "Sub", "MaskedFill", "Where", "Clamp", "Tanh", "View", "UnsafeView", "ReshapeAlias", "ToCopy",
    "Expand", "Clone", "Transpose", "Permute", "Slice", "Cat", "XSoftmax",
)  # fmt: skip

#: Products of queries and keys.
PRODUCTS = ("Bmm", "Baddbmm")

#: Masks add less than this to a score; after a softmax they show as weights so small in all heads and examples.
#: SMALLEST is the logarithm of the smallest float.
MASKED, SMALLEST = -80.0, -104.0

#: A head looks at one token where the mean of its rows' entropy is below this part of the largest. In networks that
#: train 0.37 was the least; with weights of N(0, 1) it is 0.01 to 0.05.
ONE_TOKEN = 0.05


def find_attention(record: Recording, graph: Graph, examples: int) -> tuple[Attention, ...]:
    """Measure each attention of a recorded pass, before its graph is freed."""
    ends = ((call.layer.name, call.node) for call in record.calls)  # as they end
    return tuple(_measured(name, scores) for name, scores in find_scores(graph, ends, examples))


def find_scores(graph: Graph, ends: Iterable[tuple[str, Node | None]], examples: int) -> Iterator[tuple[str, Tensor]]:
    """Yield each attention's scores, (examples, heads, rows, columns), before the graph is freed.

    Of the layers in the order in which they end, an attention belongs to the first that follows it.
    """
    attentive = {one for one, name in graph.names.items() if is_softmax(name) or is_fused(name)}
    seen: set[Node] = set()
    for name, end in ends if attentive else ():
        for node in attentive.intersection(_not_yet(graph, end, seen)):
            scores = _scores(node, examples)
            if scores is not None and scores.shape[-1] > 1:
                yield name, scores


def find_single(record: Recording, graph: Graph, root: Node) -> tuple[str, ...]:
    """Return the layers that matter only to how an attention weighs a single token, whose weight is always 1."""
    single = {node for node, name in graph.names.items() if _is_over_one(node, name)}
    if not single:
        return ()

    def inputs(node: Node) -> Sequence[Node | None]:
        following = graph.inputs[node]
        return following if node not in single else following[2:] if is_fused(graph.names[node]) else ()

    whole, reached = set(graph.reached([root])), set(graph.reached([root], inputs))
    return tuple(
        layer.name
        for layer in record.layers()
        if all(call.node in whole and call.node not in reached for call in record.of(layer))
    )


def _is_over_one(node: Node, name: str) -> bool:
    """Whether a node is an attention over a single token, or its softmax."""
    if is_fused(name):
        return hasattr(node, "_saved_key") and int(node._saved_key.shape[-2]) == 1
    return (
        name in ("SoftmaxBackward0", "SafeSoftmaxBackward0")
        and node._saved_result.shape[-1:] == (1,)
        and _is_of_product(node)
    )


def note_single(names: tuple[str, ...]) -> ModelParts:
    """Say of which layers nothing depends, where an attention has a single token to look at."""
    return ModelParts(notes=(Cause("single-token", None, len(names), details={"names": names}),) if names else ())


def _not_yet(graph: Graph, end: Node | None, seen: set[Node]) -> list[Node]:
    """Return the nodes that lead to `end` and haven't been seen; now they have."""
    if end is None or end in seen:
        return []
    new = graph.reached([end], lambda node: [one for one in graph.inputs[node] if one not in seen])
    seen.update(new)
    return new


def _scores(node: Node, examples: int) -> Tensor | None:
    """Return (examples, heads, rows, columns) up to a number in each row, -inf where a mask is; None of other nodes."""
    try:
        if is_fused(node.name()) and hasattr(node, "_saved_query"):
            return _of_fused(node)
        if is_softmax(node.name()) and hasattr(node, "_saved_result") and _is_of_product(node):
            return _of_softmax(node._saved_result, examples)
    except RuntimeError:  # changed in place, or freed
        pass
    return None


def _of_fused(node: Node) -> Tensor | None:
    query, key = (one.detach()[:EXAMPLES].float() for one in (node._saved_query, node._saved_key))
    if query.dim() != 4 or query[..., 0].numel() * key.shape[-2] > NUMBERS:
        return None
    key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
    scale = query.shape[-1] ** -0.5 if node._saved_scale is None else node._saved_scale
    scores = scale * query @ key.mT
    mask = getattr(node, "_saved_attn_mask", None)
    if mask is not None:
        mask = mask.detach()[:EXAMPLES] if mask.dim() == 4 else mask.detach()
        shut = ~mask if mask.dtype == torch.bool else mask < MASKED
        scores = (scores if mask.dtype == torch.bool else scores + mask).masked_fill(shut, -math.inf)
    if node._saved_is_causal:
        scores = scores.masked_fill(torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1), -math.inf)
    return scores


def _of_softmax(weights: Tensor, examples: int) -> Tensor | None:
    weights = weights.detach()
    if weights.dim() == 3:  # (examples × heads, rows, columns)
        weights = (
            weights.reshape(examples, -1, *weights.shape[1:]) if len(weights) % examples == 0 else weights[:, None]
        )
    if weights.dim() != 4 or weights[:EXAMPLES].numel() > NUMBERS:
        return None
    scores = weights[:EXAMPLES].float().log().clamp(min=SMALLEST)
    return scores.masked_fill((scores < MASKED).all(0).all(0), -math.inf)


def _is_of_product(node: Node) -> bool:
    """Whether a softmax is one over products, along the last axis: a router's or a gate's is not."""
    axis = signed(node._saved_dim)
    if axis % node._saved_result.dim() != node._saved_result.dim() - 1:
        return False
    waiting, steps = [node.next_functions[0][0]], 0
    while waiting and steps < 2 * len(BEFORE_SOFTMAX):
        at, steps = waiting.pop(), steps + 1
        if at is None:
            continue
        if at.name().startswith(PRODUCTS):
            return sum(one is not None for one, _ in at.next_functions) > 1
        if at.name().startswith(BEFORE_SOFTMAX):
            waiting.extend(one for one, _ in at.next_functions)
    return False


def _measured(name: str, scores: Tensor) -> Attention:
    """Return how a few examples' heads look around."""
    scores = torch.where(scores.isfinite(), scores, -math.inf).transpose(0, 1).flatten(1, 2)  # (heads, rows, columns)
    open_to = scores.isfinite()
    count = open_to.sum(-1)
    weights = torch.softmax(scores, -1).nan_to_num()
    entropy = torch.special.entr(weights).sum(-1) / count.clamp(min=2).log()
    mean = scores.masked_fill(~open_to, 0).sum(-1) / count.clamp(min=1)
    several = count > 1  # a row with one token to look at says nothing
    means = (entropy * several).sum(-1) / several.sum(-1)
    above = (scores.amax(-1) - mean).masked_fill(~several, -math.inf).amax(-1)
    return Attention(name, tuple(means.tolist()), tuple(above.tolist()))


def judge_attention(attention: tuple[Attention, ...]) -> ModelParts:
    """Return which attentions have heads that look at one token only, so that their queries and keys hardly learn."""
    shut = [one for one in attention if min(one.entropy) < ONE_TOKEN]
    if not shut:
        return ModelParts(attention=attention)
    heads = [entropy < ONE_TOKEN for one in attention for entropy in one.entropy]
    details = {"names": tuple(one.layer for one in shut), "heads": sum(heads), "of": len(heads)}
    largest = max(max(one.largest_score) for one in shut)
    return ModelParts(notes=(Cause("attention-saturated", None, largest, details=details),), attention=attention)
