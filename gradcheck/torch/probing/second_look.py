"""What a second pass, watched operation by operation, says of a first one that found something odd."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import GradcheckError
from gradcheck.probing.terms import with_cut
from gradcheck.torch.graph import Node, nodes
from gradcheck.torch.layers import is_finite
from gradcheck.torch.probing.again import Again
from gradcheck.torch.probing.cutting import CutWatch, variables_of
from gradcheck.torch.probing.half_precision import autocast
from gradcheck.torch.probing.hooks import Recording, recording
from gradcheck.torch.probing.loss.mixing import confirmed, influence_of
from gradcheck.torch.probing.loss.partial import find_partial
from gradcheck.torch.probing.loss.sampling import draws_watched, find_sampled
from gradcheck.torch.probing.loss.saturation import Middle, cause_of
from gradcheck.torch.probing.loss.terms import without_least
from gradcheck.torch.probing.lost import (
    Lost,
    as_plain,
    copied,
    find_lost,
    ungraded,
    with_matrices,
    with_terms,
    without_changed,
    without_led_to,
    without_opponents,
)
from gradcheck.torch.probing.moving import moved
from gradcheck.torch.probing.origins import find_functional_dropout
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.rounding import find_tiny
from gradcheck.torch.probing.sequences.future import find_future
from gradcheck.torch.probing.state import held, seed_all
from gradcheck.torch.probing.tracing import Dependence, NonfiniteWatch, Origin, find_backward_origin, floats
from gradcheck.torch.probing.untrained import NO_LAYER, name_cut

#: What the user's code may raise when it runs again, and PyTorch where it can't be watched: the first pass stands.
UNWATCHED = (Exception,)


#: Operations by which a signal that grows from layer to layer overflows at last.
GROWTH = (
    "addmm", "mm", "bmm", "baddbmm", "convolution", "linear", "embedding", "addmv", "mv", "add", "sub", "mul", "sum",
)  # fmt: skip


def look_again(found: ModelPass, again: Again) -> ModelPass:
    """Return what a pass found together with what a second one says of it, where there is a question.

    Raises
    ------
    GradcheckError
        No layer but the last receives a gradient, and what the loss depends on is trained.
    """
    if found.untrained is not None and found.untrained.code in NO_LAYER:
        return found
    questions = (_why_nonfinite,) if _is_nonfinite(found) else (
        _what_is_lost, _what_is_ignored, _what_drops, _what_is_saturated, _what_is_rounding, _what_is_mixed,
        _what_is_foreseen, _what_is_sampled, _what_is_partial, _what_is_least, _what_is_cut,
    )  # fmt: skip
    for question in questions:
        with suppress(*UNWATCHED):
            found = question(found, again)
    if found.cut and not found.lost and found.untrained is None:
        raise GradcheckError(found.cut)
    return found


def _is_nonfinite(found: ModelPass) -> bool:
    return bool(found.flow.obstacle or found.flow.nonfinite.any())


def _why_nonfinite(found: ModelPass, again: Again) -> ModelPass:
    return replace(found, of_loss=(*_of_nonfinite(again), *found.of_loss))


def _what_is_lost(found: ModelPass, again: Again) -> ModelPass:
    if not found.ungraded.apart and not _is_unnamed(found) and not found.at_loss.adds_constant:
        return found
    candidates = ungraded(again.model, found.gradients)
    names = tuple(candidates)
    known = again.lost_of.get(names)
    if known is None:
        watch, cuts, before = Dependence(candidates), CutWatch(), copied(candidates)
        with recording(again.model) as record:
            output, value = again.run(record, watch, cuts)
        candidates = without_changed(candidates, before, again.model)
        same = float(value.detach()) == found.at_loss.first.value  # it is the same each time

        def loss_depends(weights: list[nn.Parameter]) -> bool:
            with held(again.model), moved(weights):
                return same and not torch.equal(again.loss_value(), value)

        marked = watch.of([value])
        apart = find_lost(candidates, found.gradients, output, marked, loss_depends)
        outputs_with = partial(_outputs_with, again)
        known = Lost(without_opponents(apart, candidates, again.model, record, watch, outputs_with))
        if not marked.intersection(apart):
            seen = Seen(record, cuts, output, value)
            known = _what_is_chosen(candidates, seen, found, known)
        known = with_terms(known, candidates, found.gradients, cuts, value)
        again.lost_of[names] = known
    if known.why is not None and known.names:
        return replace(found, lost=known.names, origins=(known.why, *found.origins))
    return replace(found, lost=known.names, untrained=known.why or found.untrained)


def _what_is_ignored(found: ModelPass, again: Again) -> ModelPass:
    names = tuple(name for name in found.ungraded.ignored if name not in found.lost)
    if not names or found.untrained or found.closed:
        return found
    ignored = Cause("output-ignored", None, len(names), details={"names": names})
    return replace(found, of_loss=(ignored, *found.of_loss))


def _outputs_with(again: Again, weights: list[nn.Parameter]) -> list[Tensor]:
    """Return what each call of a layer gives where some weights are moved a little."""
    with held(again.model), moved(weights), recording(again.model) as record:
        again.run(record)
        return [call.output.detach() for call in record.calls]


def _what_is_cut(found: ModelPass, again: Again) -> ModelPass:
    if not again.lost_of:
        return found
    known = again.lost_of.get(tuple(ungraded(again.model, found.gradients)), Lost())
    return replace(found, at_loss=found.at_loss._replace(terms=with_cut(found.at_loss.terms, known.cut_terms)))


def _is_unnamed(found: ModelPass) -> bool:
    """Whether the output has no graph, and nobody knows why."""
    return found.untrained is not None and found.untrained.code == "output-cut"


class Seen(NamedTuple):
    """A pass that was watched function by function."""

    record: Recording
    cuts: CutWatch
    output: object
    value: Tensor


def _what_is_chosen(candidates: dict[str, list[nn.Parameter]], seen: Seen, found: ModelPass, known: Lost) -> Lost:
    """Find the function without a derivative that all values of some modules go through on their way to the loss."""
    unnamed = not known.names and _is_unnamed(found)
    left = with_matrices(without_led_to(candidates, found.gradients, seen.output))
    if not left and not unnamed:  # nothing to name: all that gets no gradient leads to an output, or is a copy
        return known
    if unnamed and found.untrained is not None:
        return Lost(why=name_cut(found.untrained, list(seen.cuts.reaching(floats(as_plain(seen.output))))))
    for cut in seen.cuts.reaching([seen.value]):
        behind = variables_of(cut) if cut.kind == "choice" else set()
        names = tuple(name for name, own in left.items() if behind.intersection(own))
        if names and {*known.names} <= {*names} and _is_whole(found, seen.record, names):
            return Lost(
                names, Cause("no-derivative", None, len(names), details={"names": names, "function": cut.function})
            )
    return known


def _is_whole(found: ModelPass, record: Recording, names: Sequence[str]) -> bool:
    """Whether all that comes of the inputs goes through some layers, as none gets a gradient by another way."""
    inputs = [one for one in found.gradients if one.is_leaf and not isinstance(one, nn.Parameter)]
    if inputs:
        return all(found.gradients[one] is None for one in inputs)
    return bool(record.calls) and record.calls[0].layer.name in names


def _what_drops(found: ModelPass, again: Again) -> ModelPass:
    if not any(cause.code == "silent-before" for cause in found.origins):
        return found
    with recording(again.model) as record:
        dropped = tuple(find_functional_dropout(lambda watch: again.run(record, watch)))
    return replace(found, origins=dropped) if dropped else found


def _what_is_saturated(found: ModelPass, again: Again) -> ModelPass:
    if found.saturated is None or found.closed:
        return found
    with recording(again.model) as record:
        middle = Middle(record, found.calls)
        _, value = again.run(record, middle)
    return replace(found, closed=cause_of(found.saturated, middle.asked_for(value)))


def _what_is_rounding(found: ModelPass, again: Again) -> ModelPass:
    scores = [layer for layer, kind in zip(found.layers, found.flow.kinds, strict=True) if "of scores" in kind.name]
    if not scores or found.opened:
        return found
    tiny = [layer for layer in find_tiny(found.layers, found.flow) if layer in scores]
    if not tiny:
        return found
    return replace(found, rounding=again.rounding(tiny, found.gradients))


def _what_is_mixed(found: ModelPass, again: Again) -> ModelPass:
    if not found.mixed:
        return found
    seed_all(again.seed)
    with autocast(again.model, again.precision):
        tokens = max(one.details.get("tokens", 0) for one in found.mixed)
        mixed = tuple(confirmed(found.mixed, influence_of(again.model, again.batch, tokens)))
    return replace(found, of_loss=(*mixed, *found.of_loss))


def _what_is_foreseen(found: ModelPass, again: Again) -> ModelPass:
    seed_all(again.seed)
    with autocast(again.model, again.precision):
        return replace(found, of_loss=(*find_future(again.model, again.batch), *found.of_loss))


def _what_is_sampled(found: ModelPass, again: Again) -> ModelPass:
    if not found.draws or found.untrained or found.closed:
        return found
    with recording(again.model) as record, draws_watched(with_gradient=True) as draws:
        value = again.run(record)[1]
        return replace(found, of_loss=(*find_sampled(draws, record, value), *found.of_loss))


def _what_is_partial(found: ModelPass, again: Again) -> ModelPass:
    if found.partly is None or found.untrained or found.closed or found.opened:
        return found
    value = found.at_loss.first.value
    only = next((one.matrices for one in found.layers if one.name == found.partly), [*found.gradients])
    gradients = {one: found.gradients.get(one) for one in only if isinstance(one, nn.Parameter)}
    with held(again.model):
        return replace(found, partial=find_partial(found.partly, gradients, again.loss_value, value, found.shift))


def _what_is_least(found: ModelPass, again: Again) -> ModelPass:
    if all(one.trains for one in found.at_loss.terms):
        return found
    terms = without_least(found.at_loss.terms, again.model, again.run)
    return replace(found, at_loss=found.at_loss._replace(terms=terms))


def _of_nonfinite(again: Again) -> Iterator[Cause]:
    """Yield which operation makes numbers that are not finite, forward or back."""
    with recording(again.model) as record:
        watch = NonfiniteWatch(record)
        _, value = again.run(record, watch)
        if not is_finite(value) or any(not call.finite for call in record.calls):
            bad = next((call.output for call in record.calls if not call.finite), None)
            if (origin := watch.origin_of(value if bad is None else bad)) is not None:
                yield from _of_origin(origin, lost=bad is not None)
            return
        wanted = [one for one in again.model.parameters() if one.requires_grad]
        back = find_backward_origin(value.reshape(()), wanted)
    if back is not None:
        where = _place(back.node, value, record)
        yield Cause("gradient-nonfinite", None, details={"node": back.node.name(), "nan": back.is_nan, "where": where})


def _of_origin(origin: Origin, *, lost: bool) -> Iterator[Cause]:
    """Yield the operation, unless a layer's own sum has grown too large: its size is the story then."""
    if origin.masked:
        yield Cause("labels-ignored", None, origin.masked)
    elif origin.in_loss:
        details = {"operation": origin.operation, "nan": origin.is_nan, "where": "in the loss, not in the network"}
        yield Cause("loss-nonfinite", None, details=details)
    elif origin.operation not in GROWTH:
        after = f"after {origin.after}" if origin.after else "before the first layer"
        details = {"operation": origin.operation, "nan": origin.is_nan, "where": after}
        yield Cause("operation-nonfinite" if lost else "loss-nonfinite", None, details=details)


def _place(node: Node, value: Tensor, record: Recording) -> str:
    """Say where a node of the graph is: in the loss, or after which layer of the model."""
    calls = {call.node: call for call in record.calls if call.node is not None}
    before = next((calls[one] for one in nodes([node]) if one in calls), None)
    last = record.calls[-1] if record.calls else None
    if last is not None and last.node is not None and node not in set(nodes([last.node])):
        return "in the loss, not in the network"
    return f"after {before.layer.name}" if before is not None else "in the network"
