"""The report on a parametrisation: plain data with one dict form, strict JSON values throughout."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

from gradcheck.base.document import Cause, CommandReport
from gradcheck.base.record import Frozen, Record, item, number
from gradcheck.parametrization.causes import Reason, find_reasons
from gradcheck.parametrization.coordinates import Coordinate, Kind
from gradcheck.parametrization.divergence import Losses, before, find_divergence
from gradcheck.parametrization.judging import Course, LayerSlope, Quantity, Status, judge
from gradcheck.parametrization.sentences import SENTENCES, advice, rate_in_words, sentence


class TransferLayer(Record):
    """How one quantity of a layer follows the width, or the depth."""

    layer: str
    kind: Kind = item(
        "output: the logits; scores: attention's before the softmax; queries: what reaches the loss only through it"
    )
    quantity: Quantity = item(
        "start: size of the output at initialisation; size: after each step; change: of the output since "
        "initialisation; update: of what the layer's own weights have added to it"
    )
    course: Course = item("keeps, grows or shrinks with the width")
    since: int | None = item("the first step at which it grows or shrinks")
    slope: float | None = item(
        "of log size against log width, at the first step with a fault, else at the last; null: a size is not "
        "finite, or zero in some networks only"
    )
    slope_error: float | None = item(
        "its standard error over seeds, no less than networks that differ by 10 % have; null where nothing tells it"
    )
    steps: tuple[int, ...] = item("until training diverges, if it does")
    slopes: tuple[float | None, ...] = item("at each step")
    errors: tuple[float | None, ...] = item("at each step")
    sizes: tuple[tuple[float | None, ...], ...] = item(
        "root mean square, the geometric mean over seeds: a line for each step, a number for each of scales"
    )


class TransferLoss(Record):
    """The course of the loss at one width, or depth."""

    scale: int
    losses: tuple[float | None, ...] = item("before each step and after the last one, the mean over seeds")


class TransferCause(Cause):
    """What decided."""

    code: str = item(enum=list(SENTENCES))
    step: int | None = item("the first step at which it is seen")
    power: float | None = item("the multiple of 1/2 that the exponent is nearest to")
    scales: tuple[int, ...] | None = item("the widths, or depths, at which training diverges; null of other causes")
    advice: str | None = item("what to change")


class TransferVerdict(Record):
    """What all layers show together."""

    status: Status
    reasons: tuple[str, ...]
    causes: tuple[TransferCause, ...]
    learning_rate: str = item("what it means for a learning rate tuned on the smallest network")


class TransferReport(CommandReport):
    """Whether activations, updates and logits keep their size in width, or in depth."""

    text = "gradcheck.parametrization.text:as_text"
    figure = "gradcheck.parametrization.plot:plot"
    page = "gradcheck.parametrization.html:as_html"

    config: Frozen[Any] = item("every option with its resolved value")
    axis: Literal["width", "depth"] = item("what differs between the networks")
    scales: tuple[int, ...] = item("the widths, or the depths, smallest first")
    verdict: TransferVerdict
    layers: tuple[TransferLayer, ...] = item("each layer's quantities, first layer to last")
    losses: tuple[TransferLoss, ...] = item("empty where they weren't recorded")


def make_transfer_report(
    config: Mapping[str, Any],
    coordinates: Iterable[Coordinate],
    axis: Literal["width", "depth"] = "width",
    losses: Losses | None = None,
) -> TransferReport:
    """Judge the records of networks of several widths, or depths, and lay out what they show.

    The losses are those of each seed at a width or depth, before each step and after the last one.

    Raises
    ------
    GradcheckError
        The records are of one scale, or some layer isn't recorded in all networks.
    """
    records = list(coordinates)
    divergence = find_divergence(records, losses or {})
    records = records if divergence is None else before(records, divergence)
    judgement, scales = judge(records, divergence), sorted({one.scale for one in records})
    reasons = find_reasons(judgement, divergence)
    first = max(1, min((one.step for one in reasons if advice(one, axis, config)), default=0))
    return TransferReport(
        command="transfer",
        config=Frozen(config),
        axis=axis,
        scales=tuple(scales),
        verdict=TransferVerdict(
            status=judgement.status,
            reasons=tuple(sentence(one, axis) for one in reasons),
            causes=tuple(_cause(one, axis, config, first, judgement.status) for one in reasons),
            learning_rate=rate_in_words(judgement.status, reasons, axis, scales),
        ),
        layers=tuple(_layer(one, records, scales) for one in judgement.slopes),
        losses=tuple(
            TransferLoss(scale=scale, losses=tuple(number(fmean(step)) for step in zip(*of_seeds, strict=True)))
            for scale, of_seeds in sorted((losses or {}).items())
        ),
    )


def _cause(reason: Reason, axis: str, config: Mapping[str, Any], first: int, status: str) -> TransferCause:
    """Lay a reason out; a fault that shows after the `first` ones may follow from them, and so has no advice yet.

    Nor has training that diverges beside a fault.
    """
    about = reason.code not in ("keeps", "unclear", "still", "diverges")
    lost = reason.divergence
    advised = reason.step <= first and (lost is None or status == "diverges")
    return TransferCause(
        code=reason.code,
        layers=tuple(dict.fromkeys(one.layer for one in reason.slopes)) or None,
        value=number(reason.value),
        limit=reason.limit,
        step=reason.step if lost or (about and reason.slopes) else None,
        power=number(reason.power) if about else None,
        scales=None if lost is None else lost.scales,
        advice=advice(reason, axis, config) if advised else None,
        text=sentence(reason, axis),
    )


def _layer(slope: LayerSlope, records: Sequence[Coordinate], scales: Sequence[int]) -> TransferLayer:
    own = [one for one in records if one.layer == slope.layer]
    shown = slope.shown
    return TransferLayer(
        layer=slope.layer,
        kind=slope.kind,
        quantity=slope.quantity,
        course=slope.course,
        since=slope.since,
        slope=number(shown.slope.exponent),
        slope_error=number(shown.slope.error),
        steps=tuple(one.step for one in slope.steps),
        slopes=tuple(number(one.slope.exponent) for one in slope.steps),
        errors=tuple(number(one.slope.error) for one in slope.steps),
        sizes=tuple(tuple(_mean_size(own, slope.quantity, scale, one.step) for scale in scales) for one in slope.steps),
    )


def _mean_size(records: Sequence[Coordinate], quantity: str, scale: int, step: int) -> float | None:
    """Return the geometric mean over seeds; None where one isn't finite."""
    field = "size" if quantity == "start" else quantity
    sizes = [getattr(one, field).rms for one in records if (one.scale, one.step) == (scale, step)]
    if not all(map(math.isfinite, sizes)):
        return None
    return math.exp(fmean(map(math.log, sizes))) if all(sizes) else 0.0
