"""Examples that a model mixes up: a pass shows what makes it likely, and it is said where further ones confirm it."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.graph import Graph, Node, signed
from gradcheck.torch.layers import main_tensor
from gradcheck.torch.modules import all_modules, in_eval_mode
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.loss.axes import has_foreign_rows, made_shape
from gradcheck.torch.probing.loss.bounds import depends_on_inputs
from gradcheck.torch.probing.sequences.faults import find_swapped_axes, find_swapped_tokens

#: An output has changed where it did by more than this share of the largest one: far above rounding.
CHANGED = 1e-4

#: Of fewer examples a shape says little.
FEWEST = 3

#: What gives numbers another shape, in their order; the second copies them first.
VIEWS = ("ViewBackward0", "UnsafeViewBackward0")

#: What moves axes, and a copy.
TURNS = ("PermuteBackward", "TransposeBackward", "CloneBackward")

#: What a norm goes through before something is divided by it.
KEPT = ("Expand", "ClampMin", "AddBackward", "View", "Unsqueeze")

#: What takes, or adds up, rows by their numbers.
BY_NUMBER = ("Index", "Scatter", "Gather", "Sparse", "SegmentReduce")


class Influence(NamedTuple):
    """What changes where one example's input does."""

    own: bool  # the example's own output, each time
    others: int  # how many outputs of other examples, at least
    alike: bool  # all examples have the same output
    by_token: bool = False  # the order of the tokens matters to it, and that of the examples doesn't


def suspect_mixing(
    record: Recording, graph: Graph, output: object, targets: object, examples: int
) -> tuple[Cause, ...]:
    """Return what makes it likely that outputs come of other examples, where there is one for each."""
    tensor = main_tensor(output)
    if tensor is None or not tensor.dim() or len(tensor) != examples or examples < FEWEST or not tensor.requires_grad:
        return ()
    found = [*find_swapped_axes(record, output, targets, examples), *find_swapped_tokens(record, output, examples)]
    found += [*_cut_elsewhere(graph, examples), *_normed_over(graph, examples)]
    if bool((tensor.detach()[1:] == tensor.detach()[:1]).all()):
        found.append(Cause("examples-mixed", None, examples, details={"given": "", "made": ""}))
    return tuple(found)


def _cut_elsewhere(graph: Graph, examples: int) -> Iterator[Cause]:
    """Yield a view that puts the examples' axis where another one was without moving any number."""
    for node, name in graph.names.items():
        if name not in VIEWS:
            continue
        given, made = tuple(node._saved_self_sym_sizes), tuple(node._input_metadata[0].shape)
        if len(given) < 3 or len(made) < 2:
            continue
        if (name == VIEWS[0] and _moves_axis(given, made, examples)) or _follows_a_turn(graph, node, examples):
            sizes = {"given": "x".join(map(str, given)), "made": "x".join(map(str, made))}
            yield Cause("examples-mixed", None, examples, details=sizes)
            return


def _normed_over(graph: Graph, examples: int) -> Iterator[Cause]:
    """Yield that rows, one an example, are divided by the norm of their columns.

    Not where they hear of each other by other ways, too, as the nodes of a graph do, or columns are compared, as a loss
    of their correlations has it; and not where a derivative that the loss took has freed what the graph kept.
    """
    with suppress(RuntimeError):
        shapes = (_normed(node) for node, name in graph.names.items() if name.startswith("DivBackward"))
        shape = next((one for one in shapes if one[:1] == (examples,)), None)
        if shape and not any(_is_between_examples(node, name, examples) for node, name in graph.names.items()):
            normed = "x".join(map(str, shape))
            yield Cause("examples-mixed", None, examples, details={"given": normed, "made": "", "normed": normed})


def _normed(quotient: Node) -> tuple[int, ...]:
    """Return the shape of what is divided by its own norm over its first axis alone, if it is and is no weight."""
    (divided, _), (norm, _) = (*quotient.next_functions, (None, 0))[:2]
    while norm is not None and norm.name().startswith(KEPT):
        norm = norm.next_functions[0][0]
    if norm is None or not norm.name().startswith("LinalgVectorNorm") or norm.next_functions[0][0] is not divided:
        return ()
    shape = tuple(norm._saved_self.shape)
    over_first = len(shape) > 1 and [signed(one) % len(shape) for one in norm._saved_dim or ()] == [0]
    return shape if over_first and depends_on_inputs(norm) else ()


def _is_between_examples(node: Node, name: str, examples: int) -> bool:
    """Whether an operation takes rows by number, weighs them by a matrix of a row for each, or sums over them."""
    if _sums_over(node, name, examples):
        return True
    if name.startswith(("Mm", "Addmm")):
        weights = node._saved_self if name.startswith("Mm") else node._saved_mat1
        constant = weights is not None and node.next_functions[-2][0] is None
        return constant and tuple(weights.shape) == (examples, examples)
    return name.startswith(BY_NUMBER) or (name == "SoftmaxBackward0" and examples in node._saved_result.shape[1:])


def _sums_over(node: Node, name: str, examples: int) -> bool:
    """Whether columns of numbers are multiplied with each other, each a number of every example."""
    if name == "SumBackward1" and list(map(signed, node._saved_dim)) == [0]:
        product, within = node.next_functions[0][0], node._saved_self_sym_sizes[0]
        product = product if product.name().startswith("MulBackward") else None
    else:
        product = node if name.startswith(("MmBackward", "BmmBackward")) else None
        within = product._saved_self.shape[-1] if product is not None and product._saved_self is not None else 0
    sides = [] if product is None else [one for one, _ in product.next_functions]
    return within == examples and len(sides) == 2 and None not in sides and all(map(depends_on_inputs, sides))


def _moves_axis(given: tuple[int, ...], made: tuple[int, ...], examples: int) -> bool:
    """Whether (steps, examples, …) is taken for (examples, …), or (examples, steps, …) for (steps, examples, …).

    An axis of one may be put anywhere without moving a number.
    """
    if 1 in given[:2]:
        return False
    to_front = given[0] % examples and given[1] == examples == made[0]
    to_back = given[0] == examples != given[1] and made[:2] == (given[1], given[0])
    return bool(to_front or to_back)


def _follows_a_turn(graph: Graph, node: Node, examples: int) -> bool:
    """Whether the examples' axis was moved from the front before a view that has a row for each of them."""
    passed = [node]
    while (before := graph.inputs[passed[0]][0]) is not None and graph.names[before].startswith(TURNS):
        passed.insert(0, before)
    if len(passed) == 1:
        return False
    made, given = made_shape(node), made_shape(before, passed[0].next_functions[0][1])
    return made[0] == examples == (given or (0,))[0] and has_foreign_rows(given, passed)


def confirmed(suspected: tuple[Cause, ...], influence: Influence) -> Iterator[Cause]:
    """Yield what holds of that, now that it is known what changes with an example."""
    if not influence.others:
        return
    for cause in suspected:
        by_view = bool(cause.details.get("given"))
        if cause.code == "examples-mixed" and not by_view and not influence.alike:
            continue
        if "tokens" in cause.details and not influence.by_token:
            continue
        whole = influence.alike or not influence.own  # nothing of what an example is reaches its own output
        yield Cause(*cause[:4], {**cause.details, "whole": whole, "others": influence.others})


def influence_of(model: nn.Module, batch: Batch, tokens: int = 0) -> Influence:
    """Pass a batch without dropout and batch statistics, twice as it is, and twice with another example changed.

    Where the order of so many tokens is asked for, it is passed twice more, in another order of either axis.
    """
    examples, found = batch.examples, list[tuple[bool, int]]()
    with torch.no_grad(), in_eval_mode(all_modules(model)):  # without what is drawn, and batch statistics
        before = _outputs(model, batch)
        if ((_outputs(model, batch) - before).abs() > CHANGED * before.abs().max()).any():  # by chance, not by example
            return Influence(own=True, others=0, alike=False)
        for place in (examples // 2, examples // 3):
            now = _outputs(model, _changed(batch, place))
            moved = (now - before).abs().amax(1) > CHANGED * before.abs().max()
            found.append((bool(moved[place]), int(moved.sum()) - int(moved[place])))
        by_token = tokens > 0 and _follows(model, batch, before, 0) and not _follows(model, batch, before, 1, tokens)
    alike = bool(((before - before[:1]).abs() <= CHANGED * before.abs().max()).all())
    return Influence(any(own for own, _ in found), min(others for _, others in found), alike, by_token)


def _follows(model: nn.Module, batch: Batch, before: Tensor, axis: int, tokens: int = 0) -> bool:
    """Whether the outputs come in the inputs' order along an axis, and are the same otherwise."""
    count = tokens or batch.examples
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))

    def turned(one: Any) -> Any:  # noqa: ANN401
        known = isinstance(one, Tensor) and one.dim() > axis and one.shape[axis] == count
        return one.index_select(axis, order.to(one.device)) if known else one

    arguments = tuple(map(turned, batch.arguments))
    keywords = {name: turned(one) for name, one in batch.keywords.items()}
    now = _outputs(model, batch._replace(arguments=arguments, keywords=keywords))
    rows = (before.reshape(len(before), tokens, -1) if axis else before).index_select(axis, order.to(before.device))
    return bool(((now.reshape(rows.shape) - rows).abs() <= CHANGED * before.abs().max()).all())


def _outputs(model: nn.Module, batch: Batch) -> Tensor:
    """Return the main output of a copy of the batch, one row an example."""
    copied, _ = batch.copied(with_gradient=False)
    tensor = main_tensor(model(*copied.arguments, **copied.keywords))
    if tensor is None:
        raise ValueError("no output of floats")
    return tensor.detach().reshape(batch.examples, -1).double()


def _changed(batch: Batch, place: int) -> Batch:
    """Return the batch with one example replaced by another in its first input, of floats by a sum of both."""
    other = (place + 1) % batch.examples

    def replaced(value: Any) -> Any:  # noqa: ANN401
        value = value.clone()
        value[place] = value[other] - value[place] if value.is_floating_point() else value[other]
        return value

    for at, one in enumerate(batch.arguments):
        if isinstance(one, Tensor) and one.dim():
            arguments = (*batch.arguments[:at], replaced(one), *batch.arguments[at + 1 :])
            return batch._replace(arguments=arguments)
    name = next(name for name, one in batch.keywords.items() if isinstance(one, Tensor) and one.dim())
    return batch._replace(keywords={**batch.keywords, name: replaced(batch.keywords[name])})
