"""What is to be trained and gets no gradient: told apart from what is frozen, and from what the loss has no use for."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.errors import printable
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.probing.evidence import Trained
from gradcheck.probing.limits import COPY
from gradcheck.probing.measuring import heard_layers
from gradcheck.torch.graph import nodes
from gradcheck.torch.layers import Layer, is_zero, own_parameters
from gradcheck.torch.modules import named_modules, named_parameters
from gradcheck.torch.probing.batches import tensors_in
from gradcheck.torch.probing.cutting import CutWatch, variables_of
from gradcheck.torch.probing.hooks import Recording
from gradcheck.torch.probing.loss.ignored import ignored_targets, may_be_for
from gradcheck.torch.probing.loss.losses import ForwardResult
from gradcheck.torch.probing.measuring import Gradients, Norms
from gradcheck.torch.probing.tracing import Dependence, floats

#: From so many of their numbers.
SAMPLE = 4096

#: A batch is made of two kinds of examples where each has at least this share.
MIXED = 0.1


def ungraded(model: nn.Module, gradients: Gradients) -> dict[str, list[nn.Parameter]]:
    """Return the modules all of whose own trained parameters no gradient reaches, with these."""
    found = {}
    for name, module in named_modules(model):
        own = [one for one in own_parameters(module) if one.requires_grad]
        if own and all(gradients.get(one) is None for one in own):
            found[printable(name) or type(model).__name__] = own
    return found


def copied(candidates: Mapping[str, list[nn.Parameter]]) -> dict[str, list[Tensor]]:
    """Return copies of the parameters of some modules."""
    return {name: [one.detach().clone() for one in own] for name, own in candidates.items()}


def without_changed(
    candidates: Mapping[str, list[nn.Parameter]], before: Mapping[str, list[Tensor]], model: nn.Module
) -> dict[str, list[nn.Parameter]]:
    """Return the modules but those that forward itself trains, as a codebook that is a moving average."""
    now = ungraded(model, {})
    return {
        name: own
        for name, own in candidates.items()
        if len(now[name]) == len(own) and all(map(torch.equal, now[name], before[name]))
    }


def find_lost(
    candidates: dict[str, list[nn.Parameter]],
    gradients: Gradients,
    output: object,
    marked: Collection[str],
    loss_depends: Callable[[list[nn.Parameter]], bool],
) -> tuple[str, ...]:
    """Return the modules that no gradient reaches although the loss depends on their values.

    Not those that lead to an output of the model that the loss ignores, as a head does that is trained by another loss;
    nor copies of layers that are trained, as a target network is. Of scales and biases alone nothing is said. The
    values of those that are marked reach the loss by operations of PyTorch alone; of the others the loss is asked
    whether it changes as they are moved, for there are other ways, such as NumPy.
    """
    apart = without_led_to(candidates, gradients, output)
    others = {name: _matrices(own) for name, own in apart.items() if name not in marked and _matrices(own)}
    if others and loss_depends([one for own in others.values() for one in own]):
        marked = {*marked, *(name for name, own in others.items() if loss_depends(own))}
    lost = {name: own for name, own in apart.items() if name in marked}
    return tuple(lost) if any(map(_matrices, lost.values())) else ()


def without_opponents(
    names: Sequence[str],
    candidates: dict[str, list[nn.Parameter]],
    model: nn.Module,
    record: Recording,
    watch: Dependence,
    outputs_with: Callable[[list[nn.Parameter]], list[Tensor]],
) -> tuple[str, ...]:
    """Return the modules but those of a part that others play against, as a generator in its discriminator's step.

    None of that part is trained, and all that gets its values gets others at another of its uses, or as other examples
    of the same batch. All layers' outputs are known where some weights are moved.
    """
    kept = list(names)
    for part, child in model.named_children():
        own = {name for name in names if name.partition(".")[0] == part}
        weights = {one for one in child.parameters() if one.requires_grad}
        whole = weights == {one for name in own for one in candidates[name]}
        if not (own and whole):
            continue
        entry = _entry(own, child, record, watch)
        mixed = entry is not None and _is_mixed(record.calls[entry].output, outputs_with([*weights])[entry])
        if mixed or _is_opponent(own, child, record, watch):
            kept = [name for name in kept if name not in own]
    return tuple(kept)


def _entry(own: set[str], part: nn.Module, record: Recording, watch: Dependence) -> int | None:
    """Return the place of the first call outside of a part that gets its values."""
    inside = {*part.modules()}
    calls = enumerate(record.calls)
    return next((at for at, call in calls if call.layer.module not in inside and own & watch.of([call.output])), None)


def _is_mixed(before: Tensor, now: Tensor) -> bool:
    """Whether a layer is given some examples that depend on the moved weights and, as often or nearly so, some others.

    Of a batch of real and of generated examples half are.
    """
    if before.dim() < 2 or before.shape != now.shape:
        return False
    same = (before == now).flatten(1).all(1).double().mean()
    return bool(MIXED <= same <= 1 - MIXED)


def _is_opponent(own: set[str], part: nn.Module, record: Recording, watch: Dependence) -> bool:
    inside = {*part.modules()}
    uses = [
        [bool(own & watch.of([call.output])) for call in record.of(layer)]
        for layer in record.layers()
        if layer.module not in inside
    ]
    fed = [one for one in uses if any(one)]
    return bool(fed) and not any(map(all, fed))


def without_led_to(
    candidates: dict[str, list[nn.Parameter]], gradients: Gradients, output: object
) -> dict[str, list[nn.Parameter]]:
    """Return the modules but those that lead to an output, and copies of others."""
    if not candidates:
        return {}
    reached = {
        node.variable
        for node in nodes(one.grad_fn for one in floats(as_plain(output)) if one.grad_fn is not None)
        if hasattr(node, "variable")
    }
    return {
        name: own for name, own in candidates.items() if not reached.intersection(own) and not _is_copy(own, gradients)
    }


class Ungraded(NamedTuple):
    """Modules that no gradient reaches, by whether an output of the model is made of them."""

    apart: frozenset[str]  # those that lead to none
    ignored: tuple[str, ...]  # those that lead to one the loss doesn't hear of, of no more outputs than targets


#: Of a pass that nobody asked.
NONE_UNGRADED = Ungraded(frozenset(), ())


def find_ungraded(model: nn.Module, gradients: Gradients, result: ForwardResult) -> Ungraded:
    """Return the modules that no gradient reaches.

    A head without targets may be trained by another loss, or be of no use to this task: there have to be as many
    targets as outputs, and one that the loss has no use for. Others may be weights or masks.
    """
    found = ungraded(model, gradients)
    apart = frozenset(without_led_to(found, gradients, result.output))
    several = 1 < len(floats(as_plain(result.output))) <= len([*tensors_in(result.targets)])
    if not several or all(one is None for one in gradients.values()):
        return Ungraded(apart, ())
    heads = {name: own for name, own in with_matrices(found).items() if name not in apart}
    if heads and not _has_a_target_left(heads, result):
        heads = {}
    return Ungraded(apart, tuple(name for name, own in heads.items() if not _is_copy(own, gradients)))


def _has_a_target_left(heads: dict[str, list[nn.Parameter]], result: ForwardResult) -> bool:
    """Whether one of the targets that the loss ignores may be for an output that the heads lead to."""
    own = {one for weights in heads.values() for one in weights}
    led_to = [
        one
        for one in floats(as_plain(result.output))
        if any(getattr(node, "variable", None) in own for node in nodes([one.grad_fn]))
    ]
    return any(may_be_for(target, one) for target in ignored_targets(result) for one in led_to)


def with_matrices(candidates: dict[str, list[nn.Parameter]]) -> dict[str, list[nn.Parameter]]:
    """Return the modules that have more than scales and biases."""
    return {name: own for name, own in candidates.items() if _matrices(own)}


def _matrices(own: list[nn.Parameter]) -> list[nn.Parameter]:
    return [one for one in own if one.dim() > 1]


def as_plain(output: object) -> object:
    """Return what a model returned as lists and mappings: records of other libraries are mappings or have fields."""
    if isinstance(output, Tensor | tuple | list):
        return output
    return dict(output) if isinstance(output, Mapping) else getattr(output, "__dict__", output)


def _is_copy(own: list[nn.Parameter], gradients: Gradients) -> bool:
    """Whether each of a module's matrices points where one does that is trained."""
    trained = [one for one, gradient in gradients.items() if gradient is not None and isinstance(one, nn.Parameter)]
    matrices = _matrices(own)
    return bool(matrices) and all(any(_alike(one, other) for other in trained) for one in matrices)


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    pair = [each.detach().flatten()[:SAMPLE].double() for each in (one, other)]
    return bool(torch.nn.functional.cosine_similarity(*pair, dim=0) > COPY)


class Lost(NamedTuple):
    """What no gradient reaches although the loss depends on it."""

    names: tuple[str, ...] = ()  # of modules
    why: Cause | None = None  # where one function is to blame
    cut_terms: tuple[str, ...] = ()  # functions that cut off a term of the loss whose layers other terms train


def with_terms(
    known: Lost, candidates: dict[str, list[nn.Parameter]], gradients: Gradients, watch: CutWatch, value: Tensor
) -> Lost:
    """Add the layers that terms of the loss which are cut off were made of, or those terms where others train these.

    Such layers may lead to an output of the model: a loss with a term for it doesn't leave it to another. A number that
    is taken off again once it has its gradient, as in ``x - x.detach()``, is meant.
    """
    cuts = watch.terms_of(value) if known.why is None else []
    behind = {cut.function: variables_of(cut) for cut in cuts}
    variables = set[Tensor]().union(*behind.values())
    made = with_matrices({name: own for name, own in candidates.items() if variables.intersection(own)})
    if names := {name for name, own in made.items() if not _is_copy(own, gradients)}:
        lost = tuple(name for name in candidates if name in {*known.names, *names})
        function = next(
            (one for one, some in behind.items() if all(some.intersection(made[name]) for name in names)), ""
        )
        details = {"names": lost, "function": function}
        why = Cause("term-detached", None, len(lost), details=details) if {*lost} == names and function else None
        return Lost(lost, why)
    within = set(nodes([value.grad_fn])) if cuts else set()
    return known._replace(cut_terms=tuple(one.function for one in cuts if not within.intersection(one.sources)))


def find_trained(model: nn.Module, norms: Norms) -> Trained:
    """Return which parameters are trained, and whether any of them gets a gradient."""
    named = {printable(name): one for name, one in named_parameters(model)}
    trained = {name: one for name, one in named.items() if one.requires_grad}
    arrived = [norms[one] for one in trained.values() if one in norms]
    silent = bool(arrived) and all(one == -math.inf for one in arrived)
    zeros = tuple(name for name, one in trained.items() if silent and is_zero(one))
    return Trained(silent * len(trained), zeros, tuple(name for name in named if name not in trained))


def without_gradient(model: nn.Module, norms: Norms) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parameters that no gradient reaches, and those whose gradient is exactly zero."""
    if not norms:
        return (), ()
    named = [(printable(name), norms.get(one)) for name, one in named_parameters(model) if one.requires_grad]
    unused = tuple(name for name, norm in named if norm is None)
    silent = tuple(name for name, norm in named if norm == -math.inf)
    return unused, silent


def without_idle(layers: list[Layer], flows: list[LayerFlow]) -> tuple[list[Layer], list[LayerFlow]]:
    """Return the layers but frozen ones that no gradient reaches, where none that is trained goes without."""
    kept = heard_layers(flows, [not any(one.requires_grad for one in layer.parameters.values()) for layer in layers])
    return [layers[one] for one in kept], [flows[one] for one in kept]
