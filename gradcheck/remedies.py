"""Which single changes bring a network back: each is simulated before it is suggested."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gradcheck.command_line import command_line
from gradcheck.experiment import Experiment, Outcome, part
from gradcheck.flow import Tick
from gradcheck.report import Record, number
from gradcheck.spec import FREE_SCALE, GATED, NetworkSpec, RecurrentSpec, Spec, TransformerSpec

Change = dict[str, Any]

#: Activations worth a try, each with the initialisation that was derived for it.
PARTNERS = {"tanh": "lecun", "relu": "he", "gelu": "he", "selu": "lecun"}

#: Activations of transformers that are none of them dead for a whole batch.
SMOOTH_IN_TRANSFORMERS = ("gelu", "silu", *GATED)

MOST = 5


def suggest(experiment: Experiment, outcome: Outcome, tick: Tick | None = None) -> tuple[Record, ...]:
    """Return the changes after which the network is healthy, best score first; none for one that is already.

    A shallower network is another one rather than a cure: it comes last.

    Given weights are left alone: a change would be of another network.
    """
    if outcome.diagnosis.verdict.status == "healthy" or experiment.maps:
        return ()
    changes = _changes(experiment, shallower=not outcome.typical.obstacle)
    distinct = {replace(experiment.network, **change): change for change in changes}
    tried = (
        _simulated(experiment, change, part(tick, index, len(distinct)))
        for index, change in enumerate(distinct.values())
    )
    healed = (one for one in tried if one.status == "healthy" and one.score >= 0.5)
    return tuple(
        sorted(healed, key=lambda one: (bool({"depth", "steps", "blocks"} & set(one.changes)), -one.score))[:MOST]
    )


def _simulated(experiment: Experiment, change: Change, tick: Tick | None) -> Record:
    changed = experiment.changed(**change)
    outcome = changed.outcome(tick)
    verdict, summary = outcome.diagnosis.verdict, outcome.summary
    return Record(
        changes={
            name: value
            for name, value in change.items()
            if value is not None and value != getattr(experiment.network, name)
        },
        command=command_line("simulate", changed.to_dict()),
        status=verdict.status,
        score=verdict.score,
        gradient_span=number(summary.gradient_span),
        effective_rank_last=number(summary.effective_rank_last),
    )


def _changes(experiment: Experiment, shallower: bool) -> Iterator[Change]:
    """Yield the single changes worth a simulation: each alters one thing that a paper would name."""
    spec = experiment.network
    if isinstance(spec, RecurrentSpec):
        yield from _recurrent_changes(spec)
        return
    if isinstance(spec, TransformerSpec):
        yield from _transformer_changes(spec, shallower)
        return
    yield from _activations(spec)
    yield from _initialisations(spec)
    for norm in ("layer", "rms", "batch"):
        if norm != spec.norm and (norm != "batch" or experiment.data.batch_size > 1):
            yield {"norm": norm}
    yield from _skips(spec)
    if shallower:
        yield from _depths(spec)


def _recurrent_changes(spec: RecurrentSpec) -> Iterator[Change]:
    """A cell with a memory, its gate opened wider as well; and what keeps a plain recurrence near gain 1."""
    open_gate = round(math.log(max(2, spec.steps)), 2)  # remembers over as many steps: Tallec & Ollivier 2018
    for arch in ("lstm", "gru"):
        for bias in (None, open_gate):
            if (arch, bias) != (spec.arch, None):
                yield {"arch": arch, "activation": "tanh", "forget_bias": bias}
    if spec.recurrent_gain != 1:
        yield {"recurrent_gain": 1.0}
    yield from _initialisations(spec)
    if spec.arch == "rnn":
        for activation in ("tanh", "relu"):
            yield {
                "activation": activation,
                "init": "orthogonal",
                "gain": 1.0,
                "recurrent_gain": 1.0,
                "weight_std": None,
            }


def _transformer_changes(spec: TransformerSpec, shallower: bool) -> Iterator[Change]:
    """Where the norms sit, how much a branch adds, how large the weights start, gelu; then fewer blocks."""
    scale = 1.0 if spec.residual_scale == "deepnorm" else spec.residual_scale
    for placement in ("pre", "both", "post"):
        if placement != spec.norm_placement or spec.norm == "none":
            yield {"norm": "layer" if spec.norm == "none" else spec.norm, "norm_placement": placement} | (
                {"residual_scale": scale} if scale != spec.residual_scale else {}
            )
    if spec.residual_scale != "gpt2":
        yield {"residual_scale": "gpt2"}
    if spec.norm_placement == "post" and spec.norm != "none" and spec.residual_scale != "deepnorm":
        yield {"residual_scale": "deepnorm"}
    for init, std in (("normal", 0.02), ("xavier", None)):
        if init != spec.init:
            yield {"init": init, "weight_std": std, "gain": 1.0}
    if spec.gain != 1 and spec.init not in FREE_SCALE:
        yield {"gain": 1.0}
    if spec.activation not in SMOOTH_IN_TRANSFORMERS:
        yield {"activation": "gelu"}
    if shallower:
        yield from ({"blocks": spec.blocks // part} for part in (2, 4, 8) if spec.blocks // part > 0)


def _activations(spec: NetworkSpec) -> Iterator[Change]:
    for activation, init in PARTNERS.items():
        if activation != spec.activation:
            yield {"activation": activation, "init": init, "gain": 1.0, "weight_std": None}


def _initialisations(spec: Spec) -> Iterator[Change]:
    for init in ("he", "lecun", "orthogonal"):
        if init != spec.init:
            yield {"init": init, "gain": 1.0, "weight_std": None}
    if spec.gain != 1 and spec.init not in FREE_SCALE:
        yield {"gain": 1.0}


def _skips(spec: NetworkSpec) -> Iterator[Change]:
    """Skip connections, also with the scale that keeps the signal's size over the depth."""
    if len(set(spec.widths)) > 1:
        return
    damped = round(1 / math.sqrt(spec.depth), 3)
    for scale in (1.0, damped):
        if not spec.residual or scale != spec.residual_scale:
            yield {"residual": True, "residual_scale": scale}


def _depths(spec: NetworkSpec) -> Iterator[Change]:
    """A half, a quarter, an eighth of the depth: no cure for a signal that overflows within a few layers."""
    if isinstance(spec.width, int):
        for part in (2, 4, 8):
            if spec.depth // part > 0:
                yield {"depth": spec.depth // part}
