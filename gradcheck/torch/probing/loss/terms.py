"""The terms of a loss that is a sum, found in its graph."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradcheck.engine.magnitude import log10_joint_norm, log10_norm
from gradcheck.probing.terms import Term
from gradcheck.torch.graph import Node, nodes
from gradcheck.torch.layers import Layer
from gradcheck.torch.modules import all_parameters
from gradcheck.torch.probing.hooks import Recording, as_array, recording
from gradcheck.torch.probing.moving import kept
from gradcheck.torch.probing.state import held

#: Of a sum of more terms none is looked at: each costs a part of a backward pass.
MOST = 8

#: Added to weights, times normal numbers, to see whether a term is where it is least.
SHAKEN = 1e-3

#: Nodes of a sum.
SUMS = ("AddBackward", "SubBackward", "StackBackward")

#: Nodes that scale a single number, or give it another shape.
SCALES = ("MulBackward", "DivBackward", "Neg", "MeanBackward", "SumBackward", "View", "Squeeze", "ToCopy", "Clone")

#: The same up to the mean of what is multiplied by one number.
FACTORS = ("MulBackward", "DivBackward", "Neg", "MeanBackward", "View", "Squeeze", "ToCopy", "Clone")


def find_terms(value: Tensor, record: Recording, main: Node = None) -> tuple[Term, ...]:
    """Return the terms of a loss that is a sum of single numbers; none where it isn't one.

    `main` is the node of the model's main output.
    """
    edges = [edge for edge in _summands(value.grad_fn) if edge.node is not None]
    if not 1 < len(edges) <= MOST:
        return ()
    try:
        seeds = torch.autograd.grad(value, edges, retain_graph=True)
        if any(seed.numel() != 1 for seed in seeds):
            return ()
        factors = [_factor(value, edge) for edge in edges]
        return tuple(_measured(edges, seeds, factors, record, main))
    except (RuntimeError, TypeError, AttributeError):  # checkpoints; before PyTorch 2.5 a gradient starts at no edge
        return ()


def adds_constant(value: Tensor) -> bool:
    """Whether a loss is a sum of single numbers one of which has no graph."""

    def summed(node: Node) -> Sequence[tuple[Node, int]]:
        inner = node.name().startswith((*SUMS, *SCALES)) and _is_number(node)
        return tuple(node.next_functions) if inner else ()

    sums = (node for node in nodes([value.grad_fn], summed) if node.name().startswith(SUMS))
    return any(_is_number(node) and None in [one for one, _ in node.next_functions] for node in sums)


def without_least(
    terms: tuple[Term, ...], model: nn.Module, run: Callable[[Recording], tuple[object, Tensor]]
) -> tuple[Term, ...]:
    """Return terms of which one trains that has no gradient as it starts where it is least, given what passes a batch.

    Other weights give it one, as they do a divergence of a posterior that starts as its prior.
    """
    weights = [one for one in all_parameters(model) if one.requires_grad]
    with held(model), kept(weights), recording(model) as record:
        with torch.no_grad():
            for one in weights:
                one.add_(SHAKEN * torch.randn_like(one))
        after = find_terms(run(record)[1], record)
    if len(after) != len(terms):
        return terms
    return tuple(old._replace(trains=old.trains or new.trains) for old, new in zip(terms, after, strict=True))


def _summands(node: Node, index: int = 0) -> Iterator[GradientEdge]:
    """Yield where the terms of a sum of single numbers end, from left to right."""
    inputs = [one for one in node.next_functions if one[0] is not None]
    inner = inputs[0][0] if len(inputs) == 1 and node.name().startswith(SCALES) else None
    while inner is not None and not inner.name().startswith(SUMS):
        following = [one for one, _ in inner.next_functions if one is not None]
        inner = following[0] if len(following) == 1 and inner.name().startswith(SCALES) else None
    if inner is not None and (inner.name().startswith("Stack") or _is_number(inner)):
        yield from _summands(inner)
    elif node.name().startswith(SUMS) and len(inputs) > 1:
        for following, place in inputs:
            yield from _summands(following, place)
    elif node.name().startswith(SUMS) and inputs:
        yield from _summands(*inputs[0])
    else:
        yield GradientEdge(node, index)


def _is_number(node: Node) -> bool:
    """Whether what a node made is a single number."""
    known = getattr(node, "_input_metadata", ())  # older versions of PyTorch don't say
    return not known or bool(math.prod(known[0].shape) == 1)


def _factor(value: Tensor, edge: GradientEdge) -> float:
    """Return the size of what a term is multiplied by, on its way into the sum or before its mean is taken."""
    node, place = edge.node, edge.output_nr
    while node.name().startswith(FACTORS):
        inputs = [one for one in node.next_functions if one[0] is not None]
        if len(inputs) != 1:
            break
        node, place = inputs[0]
    (slope,) = torch.autograd.grad(value, GradientEdge(node, place), retain_graph=True)
    even = bool((slope == slope.flatten()[0]).all())
    return abs(float(slope.sum())) if even else 1.0


def _measured(
    edges: Sequence[GradientEdge], seeds: Sequence[Tensor], factors: Sequence[float], record: Recording, main: Node
) -> Iterator[Term]:
    reach = [set(nodes([edge.node])) for edge in edges]
    trained = [{node.variable for node in one if hasattr(node, "variable")} for one in reach]
    layers = record.layers()
    used = [[layer for layer in layers if any(call.node in one for call in record.of(layer))] for one in reach]
    shared = [layer for layer in layers if all(set(layer.matrices) & one for one in trained)]
    names, through = list(_names(used)), [main in one for one in reach]
    of_each = zip(names, edges, seeds, factors, trained, through, strict=True)
    for name, edge, seed, factor, parameters, is_main in of_each:
        weights = [one for one in shared[-1].matrices if one in parameters] if shared else []
        norm = _norm(edge, seed, weights)
        silent = norm == -math.inf or math.isnan(norm)
        trains = not silent or _norm(edge, seed, [one for one in parameters if one.requires_grad]) != -math.inf
        of_derivatives = any("BackwardBackward" in node.name() for node in nodes([edge.node]))
        alone = is_main and sum(through) == 1
        yield Term(name, norm, trains, of_derivatives, factor, not trains and _is_least(edge, seed), alone)


def _is_least(edge: GradientEdge, seed: Tensor) -> bool:
    """Whether a term is a mean or a sum of what is clamped at zero, and all of it is there, as a hinge that is kept."""
    node: Node = edge.node
    while node is not None and node.name().startswith(SCALES):
        inputs = [one for one, _ in node.next_functions if one is not None]
        node = inputs[0] if len(inputs) == 1 else None
    if node is None:
        return False
    if node.name().startswith("Relu"):
        is_zero = not bool(node._saved_result.any())
    else:
        clamped = node.name().startswith("Clamp") and getattr(node, "_saved_min", None) == 0
        is_zero = clamped and bool((node._saved_self <= 0).all())
    if not is_zero:
        return False
    (slope,) = torch.autograd.grad([edge], [GradientEdge(node, 0)], [seed], retain_graph=True)
    return bool((slope >= 0).all())  # a factor below zero makes it the most


def _names(used: Sequence[Sequence[Layer]]) -> Iterator[str]:
    """Yield what a term is called: by the last layer that no other goes through, else by its place in the sum."""
    for place, layers in enumerate(used, start=1):
        others = {layer for other in used if other is not layers for layer in other}
        own = [layer.name for layer in layers if layer not in others]
        yield f"term {place} (through {own[-1]})" if own else f"term {place}"


def _norm(edge: GradientEdge, seed: Tensor, weights: Sequence[Tensor]) -> float:
    """Return log10 of the norm of a term's gradient; nan where there are no weights."""
    if not weights:
        return math.nan
    found = torch.autograd.grad([edge], weights, [seed], retain_graph=True, allow_unused=True)
    return log10_joint_norm([log10_norm(as_array(one)) for one in found if one is not None])
