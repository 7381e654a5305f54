"""One pass through the user's model: forward, the loss, and back by the framework's own autograd."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Unpack

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.engine.magnitude import LOG10_2, log10_joint_norm, log10_norm
from gradcheck.errors import GradcheckError, described
from gradcheck.flow.gradient_flow import OutputFlow
from gradcheck.flow.layer_flow import LayerFlow
from gradcheck.flow.model_flow import Kind, ModelFlow
from gradcheck.probing.columns import alike_by_columns
from gradcheck.probing.evidence import Evidence
from gradcheck.torch.graph import Graph, has_sums
from gradcheck.torch.layers import Layer, is_finite
from gradcheck.torch.modules import all_parameters, walked
from gradcheck.torch.probing.batches import Batch
from gradcheck.torch.probing.checkpoints import InputsMatterError, checkpoints_opened, why_cut
from gradcheck.torch.probing.error_text import errors_in_one_line
from gradcheck.torch.probing.half_precision import Precision, autocast
from gradcheck.torch.probing.hooks import Call, Recording, Watched, as_array, recording
from gradcheck.torch.probing.looks import Looks, look_forward
from gradcheck.torch.probing.loss.faults import find_faults
from gradcheck.torch.probing.loss.first_loss import look_at
from gradcheck.torch.probing.loss.losses import ForwardResult, LossFunction, loss_and_targets
from gradcheck.torch.probing.loss.mixing import suspect_mixing
from gradcheck.torch.probing.loss.partial import derivatives_watched, uses_unheard
from gradcheck.torch.probing.loss.sampling import draws_watched
from gradcheck.torch.probing.loss.saturation import Saturated, find_saturated
from gradcheck.torch.probing.loss.value import loss_of
from gradcheck.torch.probing.lost import (
    NONE_UNGRADED,
    Ungraded,
    find_trained,
    find_ungraded,
    without_gradient,
    without_idle,
)
from gradcheck.torch.probing.measuring import (
    Gradients,
    Norms,
    distinction,
    fans,
    layer_flow,
    norms_of,
    rows_of,
    silenced,
    unheard,
    weight_gradient_norm,
)
from gradcheck.torch.probing.norms import causes_of
from gradcheck.torch.probing.origins import find_much_dropped, find_origins
from gradcheck.torch.probing.parts import ModelParts, find_hidden, find_starved
from gradcheck.torch.probing.route import (
    Route,
    route_of,
    start_of_gradient,
)
from gradcheck.torch.probing.sending import Sent, send_back
from gradcheck.torch.probing.sequences.attention import judge_attention, note_single
from gradcheck.torch.probing.sequences.memory import judge_recurrences
from gradcheck.torch.probing.sequences.recurrences import kept_for_recurrences, rank_of_sums
from gradcheck.torch.probing.sequences.tokens import judge_tokens
from gradcheck.torch.probing.state import seed_all
from gradcheck.torch.probing.untrained import find_untrained
from gradcheck.torch.probing.values import Values, rms_of_inputs, values_of


@dataclass(frozen=True, kw_only=True)
class ModelPass(Evidence):
    """What one pass through a model found."""

    layers: tuple[Layer, ...]  # those of the flow
    gradient_zeros: tuple[float, ...]  # of each layer, the share of its δ's entries that are exactly zero
    readout: Layer | None
    gradients: Gradients  # those of 2**shift times the loss
    shift: int
    parts: ModelParts
    values: Values
    saturated: Saturated | None = None  # what may shut the loss off from the read-out
    ungraded: Ungraded = NONE_UNGRADED  # modules that no gradient reaches
    single: frozenset[str] = frozenset()  # layers that matter only to how a single token is weighed
    calls: int = 0  # of layers
    mixed: tuple[Cause, ...] = ()  # what makes it likely that examples are mixed up
    # a layer some of whose uses get no gradient; empty where a derivative without a graph is taken; None without either
    partly: str | None = None
    draws: bool = False  # distributions of trained parameters are drawn from with sample()

    @property
    def ill_layers(self) -> list[int]:
        """Layers, from 1, whose weights are not finite before the pass."""
        finite = [all(map(is_finite, layer.parameters.values())) for layer in self.layers]
        return [number for number, sound in enumerate(finite, start=1) if not sound]

    @property
    def log10_readout_weight(self) -> float:
        """log10 of the norm of the read-out's weights; nan without a read-out."""
        weights = [] if self.readout is None else self.readout.matrices
        return log10_joint_norm([log10_norm(as_array(one)) for one in weights])


def pass_batch(
    model: nn.Module,
    batch: Batch,
    loss: str | LossFunction | None,
    generator: torch.Generator,
    precision: Precision | None = None,
    others: Sequence[Tensor] = (),
    **watched: Unpack[Watched],
) -> ModelPass:
    """Pass one batch forward and its gradient back, and measure every layer; `others` are parameters of the loss.

    In brief, only what may shut layers off is looked for: where a gradient is exactly zero, and why.

    Raises
    ------
    GradcheckError
        The model can't be run on this batch, has no layers, or its loss doesn't depend on them.
    """
    record = partial(recording, model, **watched)
    try:
        return _pass(model, batch.copied(with_gradient=True), loss, generator, precision, others, record())
    except GradcheckError as error:
        if not _inputs_matter(error.__cause__):
            raise
        seed_all(torch.initial_seed())
        generator.manual_seed(generator.initial_seed())
        return _pass(model, batch.copied(with_gradient=False), loss, generator, precision, others, record())


def _inputs_matter(error: BaseException | None) -> bool:
    """Whether a pass failed only because a gradient was wanted of the inputs."""
    if error is None or isinstance(error, InputsMatterError):
        return error is not None
    return "requires_grad flags of leaf variables" in described(error)


def _pass(
    model: nn.Module,
    copied: tuple[Batch, list[Tensor]],
    loss: str | LossFunction | None,
    generator: torch.Generator,
    precision: Precision | None,
    others: Sequence[Tensor],
    recorded: AbstractContextManager[Recording],
) -> ModelPass:
    """Pass a copy of a batch, given with its floats."""
    batch, given = copied[0], not any(leaf.requires_grad for leaf in copied[1])
    with (
        recorded as record, autocast(model, precision), checkpoints_opened(record, inputs_as_given=given),
        draws_watched() as draws, derivatives_watched() as derivatives,
    ):  # fmt: skip
        output = _forward(model, batch, record)
        route = route_of(record, model)
        chosen, targets = loss_and_targets(loss, output, batch.targets, generator)
        value, route = loss_of(chosen, output, targets, route, record)
    with walked(model):
        result = ForwardResult(chosen, output, targets, value)
        found = _measure(model, copied, result, route, precision, others, record)
    partly = found.partly or ("" if derivatives.taken else None)
    return replace(found, draws=bool(draws.drawn) and not draws.scored, partly=partly)


def _measure(
    model: nn.Module,
    copied: tuple[Batch, list[Tensor]],
    result: ForwardResult,
    route: Route,
    precision: Precision | None,
    others: Sequence[Tensor],
    record: Recording,
) -> ModelPass:
    """Send the gradient of a recorded pass back, and measure both."""
    (batch, leaves), (chosen, output, targets, value) = copied, result
    root, seed = start_of_gradient(value, route, record)
    graph = Graph([None if root is None else root.grad_fn, *(call.node for call in record.calls)])
    at_loss = look_at(chosen, output, targets, value, record, route.end)
    values = values_of(chosen.name, output, value, at_loss.first)
    of_loss = () if record.brief else find_faults(model, result, route, graph, batch, values)
    mixed = () if record.brief or value is None else suspect_mixing(record, graph, output, targets, batch.examples)
    saturated = find_saturated(value, route.end.node)
    looks = look_forward(record, graph, route, root, leaves, batch.examples)
    sent = Sent()
    if root is not None and seed is not None:
        solvable = value if values.never_negative else None
        wanted = [*leaves, *kept_for_recurrences(record), *others]
        sent = send_back(model, (root, seed), solvable, route, record, precision, wanted)
    gradients, closed, shift, solved = sent
    taken = silenced(gradients) if solved else gradients  # a step of training goes by the loss
    of_loss = (*of_loss, Cause("solved", None, 0.0)) if solved else of_loss
    norms = {} if record.brief else norms_of(all_parameters(model), gradients)
    untrained = find_untrained(model, gradients, result, route.end.node)
    layers, flow = _flow(route, record, norms, batch.examples, shift, value)
    parts = _parts(record, gradients, layers, looks)
    zeros = tuple(sum(call.gradient_zeros for call in uses) / len(uses) for uses in map(record.of, layers))
    origins = (*causes_of(looks.norms_of_one), *find_origins(model, batch, record, root, gradients, flow))
    partly = uses_unheard(record) or None
    ungraded = find_ungraded(model, gradients, result)
    for call in record.calls:
        call.free()
    unused, silent = without_gradient(model, norms)
    return ModelPass(
        flow=flow, loss=chosen.name, first_rms=rms_of_inputs(leaves, record), at_loss=at_loss, parts=parts,
        trained=find_trained(model, norms), closed=closed, cut=why_cut(record, layers, flow.obstacle),
        untrained=untrained, origins=origins, of_loss=of_loss, unused=unused, silent=silent, layers=layers,
        gradient_zeros=zeros, readout=route.readout, gradients=taken, shift=shift, values=values,
        saturated=None if solved else saturated, ungraded=ungraded,
        calls=len(record.calls), single=frozenset(looks.single), mixed=mixed,
        partly=partly, unheard=unheard(record), suspected=tuple(find_much_dropped(model)),
        columns=None if record.brief else alike_by_columns(map(as_array, leaves), flow),
        outputs_apart=values.spread, outputs=values.numbers, given_rms=float(10 ** record.given[1]),
    )  # fmt: skip


def _forward(model: nn.Module, batch: Batch, record: Recording) -> object:
    with errors_in_one_line(record=record), torch.enable_grad():
        output = model(*batch.arguments, **batch.keywords)
        if record.calls or record.starved or not record.ungraded:
            return output
        record.with_ungraded = True  # all of it runs without a gradient: so it is measured
        return model(*batch.arguments, **batch.keywords)


def _flow(
    route: Route, record: Recording, norms: Norms, examples: int, shift: int, value: Tensor | None
) -> tuple[tuple[Layer, ...], ModelFlow]:
    """Return the layers that a gradient reaches and those that the signal doesn't, and their flow."""
    calls = {layer: record.of(layer) for layer in route.hidden}
    heard = [layer for layer in route.hidden[: route.reached] if any(one.heard for one in calls[layer])]
    arrived = [layer for layer in heard if layer.name not in record.idle]
    beyond = route.hidden[route.reached :]
    cut = not arrived and not beyond
    arrived = route.hidden if cut else arrived
    with np.errstate(all="ignore"):
        flows = [layer_flow(one, calls[one], norms, examples, shift, brief=record.brief) for one in arrived]
        flows = [one._replace(log10_gradient_rms=-math.inf) for one in flows] if cut else flows
        output = _output(route, norms, shift, value)
    arrived, flows = without_idle(arrived, flows)
    layers, first = (*arrived, *beyond), record.calls[0]
    fan_in, fan_out = zip(*(fans(layer, calls[layer][-1]) for layer in layers), strict=True)
    return layers, ModelFlow(
        fan_in=fan_in,
        fan_out=fan_out,
        layers=(*flows, *(LayerFlow() for _ in beyond)),
        output=output,
        reached=len(arrived),
        obstacle=route.obstacle,
        labels=tuple(layer.name for layer in layers),
        kinds=tuple(_kind(layer, calls[layer], examples) for layer in layers),
        trunk=tuple(any(call.on_trunk for call in calls[layer]) for layer in layers),
        sums=has_sums(route.end.node),
        ends=tuple(reduce(int.__or__, (call.ends for call in calls[layer]), 0) for layer in layers),
        normalized=tuple(layer.is_vector or any(call.normalized for call in calls[layer]) for layer in layers),
        rows=min(rows_of(layer, calls[layer][-1].output, examples) for layer in layers),
        features=min(1 if first.features == 1 else math.inf, rank_of_sums(record)) if first.on_trunk else math.inf,
    )


def _parts(record: Recording, gradients: Gradients, layers: Sequence[Layer], looks: Looks) -> ModelParts:
    """Return what particular parts of a model show beside the flow."""
    places = {layer.name: number for number, layer in enumerate(layers, start=1)}
    attention = judge_attention(looks.attention).beside(note_single(looks.single))
    looked = judge_tokens(looks.alike, places), find_hidden(record, gradients), attention
    starved = find_starved(record.starved).beside(judge_recurrences(record, gradients, places))
    return reduce(ModelParts.beside, looked, starved)


def _kind(layer: Layer, calls: Sequence[Call], examples: int) -> Kind:
    kind = layer.kind(calls[-1].output, examples)
    name = f"{kind.name} of scores" if all(call.scores for call in calls) else kind.name
    return kind._replace(name=name, role=layer.role)


def _output(route: Route, norms: Norms, shift: int, value: Tensor | None) -> OutputFlow:
    if value is None:
        return OutputFlow()
    loss = float(value.detach())
    if route.readout is None:
        return OutputFlow(loss)
    norm = weight_gradient_norm(route.readout, norms) - shift * LOG10_2
    return OutputFlow(loss, route.end.log10_rms, norm, distinction(route.end, shift))
