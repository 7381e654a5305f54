"""From a probe's findings to the report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from gradcheck.base.loose import Loose
from gradcheck.base.record import number
from gradcheck.diagnosis.report import Report, make_report
from gradcheck.spec.thresholds import Thresholds
from gradcheck.torch.probing.precision import Underflow
from gradcheck.torch.probing.training import History, Step

#: Layers whose underflow is told in the reasons.
TOLD = 3


def probe_report(
    model: nn.Module,
    options: Mapping[str, Any],
    limits: Thresholds,
    step: Step,
    history: History,
    lost: Sequence[Underflow],
) -> Report:
    """Lay out what a probe found.

    Parameters
    ----------
    model : Module
    options : mapping
        With their resolved values.
    limits : Thresholds
    step : Step
        The last one.
    history : History
        Of all steps.
    lost : sequence of Underflow
    """
    passed, (summary, found) = step.passed, step.judged
    config = {"model": type(model).__name__, **options, "loss": passed.loss.name, **limits.to_dict()}
    parameters = sum(one.numel() for one in model.parameters() if one.requires_grad)
    report = make_report("probe", config, [passed.flow], passed.flow, [summary], summary, found, parameters=parameters)
    verdict = report.verdict | _of_training(report.verdict, history)
    verdict["reasons"] = [*verdict["reasons"], *_of_precision(lost, 2.0**passed.shift, options["amp"])]
    return replace(
        report,
        verdict=Loose(verdict),
        model=Loose(
            loss_by_default=options["loss"] is None,
            readout=None if passed.readout is None else passed.readout.name,
            unused=list(passed.unused),
            zero_gradient=list(passed.silent),
            opened=list(passed.opened),
            training=_training(history) if history.steps else None,
            precision=_precision(lost, passed.shift, options["amp"]),
        ),
    )


def _of_training(verdict: Mapping[str, Any], history: History) -> dict[str, Any]:
    """Return what the steps change in the verdict: since when, where, and whether the loss ran away."""
    if not history.steps:
        return {}
    first, last, status = history.losses[0], history.losses[-1], history.statuses[-1]
    reasons = []
    if history.sick_from is not None:
        when = "from the start" if history.sick_from == 0 else f"at step {history.sick_from}"
        healthy = "" if history.sick_from == 0 else ", healthy before"
        reasons.append(f"{history.statuses[history.sick_from]} {when}, {history.sick_layer} first{healthy}")
    elif history.statuses[0] != "healthy":
        since = max(index for index, one in enumerate(history.statuses) if one != "healthy") + 1
        reasons.append(f"{history.statuses[0]} at the start, healthy from step {since} on")
    became = f"the loss goes from {first:.3g} to {last:.3g}" if math.isfinite(last) else "the loss is lost"
    reasons.append(f"{became} in {history.steps} {'step' if history.steps == 1 else 'steps'} of training")
    changed: dict[str, Any] = {"reasons": [*reasons, *verdict["reasons"]]}
    if status != verdict["status"]:  # the loss alone has run away
        changed |= {"status": status, "score": 0.0, "trainable": False}
    return changed


def _of_precision(lost: Sequence[Underflow], scale: float, amp: str | None) -> list[str]:
    """Return where half precision loses the gradient, in words."""
    if amp is None:
        return []
    at = f" at a loss scale of {scale:,.0f}" if scale != 1 else ""
    if not lost:
        return [f"no layer's gradient underflows in {amp}{at}"]
    told = [f"{100 * one.share:.0f} % of the gradient at {one.layer} underflows in {amp}{at}" for one in lost[:TOLD]]
    return [*told, f"that of {len(lost) - TOLD} more layers too"] if len(lost) > TOLD else told


def _training(history: History) -> Loose:
    return Loose(
        losses=[number(loss) for loss in history.losses],
        statuses=history.statuses,
        sick_from_step=history.sick_from,
        first_layer=history.sick_layer,
    )


def _precision(lost: Sequence[Underflow], shift: int, amp: str | None) -> Loose | None:
    if amp is None:
        return None
    underflow = [{"layer": one.layer, "share": one.share} for one in lost]
    return Loose(amp=amp, loss_scale=2**shift, underflow=underflow)
