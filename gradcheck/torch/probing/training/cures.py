"""Which changes fix a user's model: PyTorch code that is run on a copy, measured, and shown as it was run."""

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from gradcheck.base.record import Frozen, number
from gradcheck.diagnosis.remarks import NEEDS_ADAM, is_of_another_kind
from gradcheck.diagnosis.report import SuggestionRecord
from gradcheck.diagnosis.suggestions import place
from gradcheck.diagnosis.verdict import LIKELY
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.state import seed_all

#: Suggestions at most.
MOST = 5

#: Further draws in which a change must raise the score as well.
FRESH_DRAWS = 2

#: A factor nearer to 1 than this is no change of the weights' scale.
NOTICEABLE = 0.02

#: Modules that a linear map is in; what has its own way to start, such as attention, is left alone.
LINEAR = "(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)"

#: The saturating activations among PyTorch's modules.
SATURATING = nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Softsign

INITIALISE = f"""for module in model.modules():
    if isinstance(module, {LINEAR}):
        nn.init.%s
        if module.bias is not None:
            nn.init.zeros_(module.bias)"""

SCALE = f"""with torch.no_grad():
    for module in model.modules():
        if isinstance(module, {LINEAR}):
            module.weight.mul_(%s)"""

NORMALISE = """layers = [name for name, one in model.named_modules()
          if isinstance(one, (nn.Linear, nn.Conv2d)) and name != "%s"]
for name in layers:
    parent, _, child = name.rpartition(".")
    layer = model.get_submodule(name)
    if isinstance(layer, nn.Linear):
        norm = nn.LayerNorm(layer.out_features)
    else:
        norm = nn.BatchNorm2d(layer.out_channels)
    setattr(model.get_submodule(parent), child, nn.Sequential(layer, norm))"""

ACTIVATE = """saturating = (%s)
for name, module in list(model.named_modules()):
    if isinstance(module, saturating)%s:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, nn.%s())"""

#: Ways to draw the weights ↦ how each is called in PyTorch; the biases start at zero.
DRAWS = {
    "kaiming": 'kaiming_normal_(module.weight, nonlinearity="relu")',
    "xavier": "xavier_normal_(module.weight)",
    "lecun": 'kaiming_normal_(module.weight, nonlinearity="linear")',
    "orthogonal": "orthogonal_(module.weight)",
}


class Change(NamedTuple):
    """One change: the options that a report names it by, and its code."""

    changes: dict[str, Any]
    code: str

    def made(self, model: nn.Module, seed: int) -> nn.Module:
        """Return a copy of a model with this change: the code that is shown is what runs.

        Raises
        ------
        TypeError
            The model's own way to copy it isn't one.
        """
        changed = copy.deepcopy(model)
        if {*changed.modules(), *changed.parameters()} & {*model.modules(), *model.parameters()}:
            raise TypeError(f"a copy of {type(model).__name__} shares parts with it")
        seed_all(seed)
        exec(self.code, {"model": changed, "nn": nn, "torch": torch})  # our own text, above
        return changed


def cures(
    model: nn.Module, judgement: Judgement, judged: Callable[[nn.Module], Judgement], seed: int
) -> tuple[SuggestionRecord, ...]:
    """Return the changes after which a model is healthy, in their order; none for one that is and trains.

    The model isn't changed; one that can't be copied has none. The changed ones are judged by the same batch and loss.
    """
    if not may_be_cured(judgement):
        return ()
    before = _chance_with_sgd(judgement)
    healed = [
        (change, recorded(change.changes, change.code, one))
        for change in _candidates(model, judgement)
        if (one := _tried(model, change, judged, seed)) is not None
        and one.diagnosis.verdict.status == "healthy"
        and one.diagnosis.verdict.score >= 0.5
    ]
    healed.sort(key=lambda pair: place(pair[1]))
    confirmed: list[SuggestionRecord] = []
    for change, record in healed:
        again = (_tried(model, change, judged, seed + draw) for draw in range(1, FRESH_DRAWS + 1))
        if len(confirmed) < MOST and all(
            other is not None and other.diagnosis.verdict.score > before for other in again
        ):
            confirmed.append(record)
    return tuple(confirmed)


def is_ill(judgement: Judgement) -> bool:
    """Whether there is anything to fix."""
    return judgement.diagnosis.verdict.status != "healthy" or _chance_with_sgd(judgement) < LIKELY


def _chance_with_sgd(judgement: Judgement) -> float:
    """Return how likely plain SGD trains the model, where a trial with Adam has acquitted it, too."""
    verdict = judgement.diagnosis.verdict
    known = (cause.value for cause in verdict.causes if cause.code == NEEDS_ADAM)
    return next((one for one in known if one is not None), verdict.score)


def may_be_cured(judgement: Judgement) -> bool:
    """Whether there is anything that other weights, norms or activations could fix."""
    return is_ill(judgement) and not is_of_another_kind([one.code for one in judgement.diagnosis.verdict.causes])


def _tried(model: nn.Module, change: Change, judged: Callable[[nn.Module], Judgement], seed: int) -> Judgement | None:
    """Return the judgement of a model with a change; None where it can't be made or run."""
    try:
        return judged(change.made(model, seed))
    except Exception:  # the user's model decides
        return None


def _candidates(model: nn.Module, judgement: Judgement) -> Iterator[Change]:
    """Yield changes of one kind each; of the activations with the weights that suit the new ones."""
    for name, call in DRAWS.items():
        yield Change({"init": name}, INITIALISE % call)
    factor = 1 / judgement.summary.mean_local_gain if judgement.summary.mean_local_gain > 0 else math.nan
    if math.isfinite(factor) and abs(factor - 1) > NOTICEABLE:
        yield Change({"scale": float(f"{factor:.3g}")}, SCALE % f"{factor:.3g}")
    readout = judgement.found.readout
    yield Change({"norm": "after each layer"}, NORMALISE % (readout.name if readout else ""))
    if any(isinstance(one, SATURATING) for one in model.modules()):
        kept = _after(model, judgement.found)
        there = ", ".join(f"nn.{one.__name__}" for one in SATURATING)
        for new, draw in (("ReLU", "kaiming"), ("Tanh", "xavier")):
            code = ACTIVATE % (there, f" and name != {kept!r}" if kept else "", new)
            yield Change({"activation": new.lower(), "init": draw}, f"{code}\n{INITIALISE % DRAWS[draw]}")


def _after(model: nn.Module, found: ModelPass) -> str:
    """Return the name of a saturating activation after the read-out, which belongs to the loss; empty without any."""
    names = [name for name, _ in model.named_modules()]
    start = names.index(found.readout.name) if found.readout and found.readout.name in names else len(names)
    return next((name for name in names[start:] if isinstance(model.get_submodule(name), SATURATING)), "")


def recorded(changes: dict[str, Any], code: str, judgement: Judgement) -> SuggestionRecord:
    """Return changes, their code, and what they make of a model."""
    verdict, summary = judgement.diagnosis.verdict, judgement.summary
    return SuggestionRecord(
        changes=Frozen(changes),
        command=code,
        status=verdict.status,
        score=verdict.score,
        gradient_span=number(summary.gradient_span),
        effective_rank_last=number(summary.effective_rank_last),
    )
