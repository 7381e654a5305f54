"""The judgement: which layer's output, or update, follows the width (or depth), and as which power of it."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from gradcheck.errors import GradcheckError
from gradcheck.parametrization.coordinates import Coordinate, Kind, Size
from gradcheck.parametrization.divergence import Divergence
from gradcheck.parametrization.slopes import Point, Slope, fit

#: A slope beyond it is one. Powers of the width in parametrisations are multiples of 1/2 (Yang & Hu 2021, table 1), and
#: so are those of what they make of a network: this is halfway from 0, what it should be, to the least wrong one.
LIMIT = 0.25

#: Lowest and highest exponent that is right: an activation and what moves it keep their size.
STILL = (0.0, 0.0)
SHRINKS = (-math.inf, 0.0)

#: The same, where it is another. Logits may start as small as 1/√width, or at zero. So do scores, and they have to:
#: q·k/d of independent q and k. Where they don't, as with 1/√d, they grow by √width once q and k are aligned. Until
#: then their change falls, and by SGD so does that of queries and keys, whose gradient is a sum of independent terms.
RIGHT: dict[tuple[Kind, "Quantity"], tuple[float, float]] = {
    ("output", "start"): SHRINKS,
    ("output", "size"): SHRINKS,
    ("scores", "start"): (-math.inf, -0.5),
    ("scores", "size"): SHRINKS,
    ("scores", "change"): SHRINKS,
    ("queries", "change"): SHRINKS,
    ("queries", "update"): SHRINKS,
}

#: A change of less than this part of a float32 output is rounding.
ROUNDING = 1e-6

#: ``start`` is the size of the output at initialisation, ``size`` that after a step.
Quantity = Literal["start", "size", "change", "update"]

QUANTITIES: tuple[Quantity, ...] = ("start", "size", "change", "update")

#: What all layers show together; ``diverges`` where training does.
Status = Literal["transfers", "grows", "shrinks", "unclear", "diverges"]

#: ``still``: nothing has moved. ``unclear``: a slope is beyond the limit, and the limit within its error.
Course = Literal["keeps", "grows", "shrinks", "unclear", "still"]


class StepSlope(NamedTuple):
    """How a quantity of a layer follows the scale after one step."""

    step: int
    slope: Slope
    course: Course


class LayerSlope(NamedTuple):
    """How a quantity of a layer follows the scale."""

    layer: str
    kind: Kind
    quantity: Quantity  # one of ``QUANTITIES``
    steps: tuple[StepSlope, ...]  # first to last
    # ``grows`` if it does at the first step with any movement, at the last one, or at half of them; else that of the
    # last
    course: Course
    since: int | None  # the first step at which it was so

    @property
    def first(self) -> StepSlope:
        """The first step that shows its course."""
        return next((one for one in self.steps if one.course == self.course), self.steps[-1])

    @property
    def shown(self) -> StepSlope:
        """The first step of a fault, else the last step."""
        return self.first if self.course in ("grows", "shrinks") else self.steps[-1]


class Judgement(NamedTuple):
    """What all layers show together."""

    # ``transfers``; ``grows`` where something does, ``shrinks`` where something does and nothing grows; ``unclear``
    # where a slope is beyond the limit by less than its error, or nothing has moved; ``diverges`` where training does
    # at all scales, or at some and nothing grows or shrinks before that
    status: Status
    slopes: tuple[LayerSlope, ...]  # layer by layer, in the order of the records

    def of(self, course: Course, *quantities: Quantity) -> list[LayerSlope]:
        """Return the slopes of a course, first layer to last; of all quantities if none is named."""
        asked = quantities or QUANTITIES
        return [one for one in self.slopes if one.course == course and one.quantity in asked]


def judge(coordinates: Iterable[Coordinate], divergence: Divergence | None = None) -> Judgement:
    """Return what the records of networks of several widths, or depths, show.

    Parameters
    ----------
    coordinates : iterable of Coordinate
        Of at least two scales, each with the same seeds, steps and layers; in the order of the layers.
    divergence : Divergence, optional
        Where training diverges after these steps, or in the first of them.

    Raises
    ------
    GradcheckError
        They are of one scale, or some layer isn't recorded in all networks.
    """
    layers: dict[str, list[Coordinate]] = defaultdict(list)
    for one in coordinates:
        layers[one.layer].append(one)
    _check(layers)
    slopes = [
        slope for records in layers.values() for quantity in QUANTITIES for slope in _layer_slopes(records, quantity)
    ]
    if any(one.course == "shrinks" for one in slopes if (one.kind, one.quantity) == ("hidden", "change")):
        slopes = [one._replace(course="keeps", since=None) if _never_aligns(one) else one for one in slopes]
    status = _status(slopes)
    if divergence is not None and (divergence.everywhere or status in ("transfers", "unclear")):
        status = "diverges"
    return Judgement(status, tuple(slopes))


def _check(layers: dict[str, list[Coordinate]]) -> None:
    every = {(one.scale, one.seed, one.step) for records in layers.values() for one in records}
    if len({scale for scale, _, _ in every}) < 2:
        raise GradcheckError("networks of at least two widths, or depths, are needed to see what follows from it")
    for layer, records in layers.items():
        missing = every - {(one.scale, one.seed, one.step) for one in records}
        if missing:
            scale, seed, step = min(missing)
            raise GradcheckError(
                f"layer {layer} is not recorded at scale {scale}, seed {seed}, step {step}: the networks must have the "
                "same layers, by name, at all scales"
            )


def _layer_slopes(records: Sequence[Coordinate], quantity: Quantity) -> list[LayerSlope]:
    """Return how one quantity of a layer follows the scale; nothing where it wasn't measured."""
    kind, steps = records[0].kind, defaultdict[int, list[Coordinate]](list)
    for one in records:
        if (one.step == 0) == (quantity == "start"):
            steps[one.step].append(one)
    judged = [_step(step, ones, quantity, kind) for step, ones in sorted(steps.items()) if _measured(ones, quantity)]
    if not judged:
        return []
    course = _course([one.course for one in judged])
    faulty = course in ("grows", "shrinks")
    since = next(one.step for one in judged if one.course == course) if faulty else None
    return [LayerSlope(records[0].layer, kind, quantity, tuple(judged), course, since)]


def _never_aligns(slope: LayerSlope) -> bool:
    """Whether scores are too large only for queries and keys that move: those of a lazy network don't."""
    return (slope.kind, slope.quantity, slope.course) == ("scores", "start", "grows") and (
        slope.steps[0].slope.exponent < LIMIT
    )


def _measured(records: Sequence[Coordinate], quantity: Quantity) -> bool:
    return all(_size(one, quantity) is not None for one in records)


def _size(record: Coordinate, quantity: Quantity) -> Size | None:
    return {"start": record.size, "size": record.size, "change": record.change, "update": record.update}[quantity]


def _step(step: int, records: Sequence[Coordinate], quantity: Quantity, kind: Kind) -> StepSlope:
    sizes = [size.rms for one in records if (size := _size(one, quantity)) is not None]
    points = [Point(one.scale, one.seed, size) for one, size in zip(records, sizes, strict=True)]
    slope, moves = fit(points), quantity in ("change", "update")
    if all(size <= (ROUNDING * one.size.rms if moves else 0) for one, size in zip(records, sizes, strict=True)):
        return StepSlope(step, slope, "still")
    largest = sorted({one.scale for one in points})[-2:]
    widest = fit([one for one in points if one.scale in largest])
    return StepSlope(step, slope, _course_of(slope, widest, *RIGHT.get((kind, quantity), STILL)))


def _course_of(slope: Slope, widest: Slope, lowest: float, highest: float) -> Course:
    """Return on which side of what is right a slope is.

    Parameters
    ----------
    slope, widest : Slope
        Over all scales, and over the two largest: a term that begins to outgrow the others is a fault already, and one
        that fades with the width is none.
    lowest, highest : float
        Exponents between which it is right.
    """
    if math.isnan(slope.exponent):
        return "unclear"
    above, below = highest + LIMIT, LIMIT - lowest
    if slope.beyond(above) or widest.beyond(above):
        return "grows"
    falls = slope.reversed, widest.reversed
    if falls[0].beyond(below) and falls[1].exponent > below:
        return "shrinks"
    open_ended = slope.exponent > above or min(one.exponent for one in falls) > below
    return "unclear" if open_ended else "keeps"


def _course(steps: Sequence[Course]) -> Course:
    """Return the course of all steps.

    Growth is a fault at the first step already, or at half of them: training saturates later. What shrinks at first may
    fade with the width more slowly than the widths reach: it is one if it still shrinks in the end.
    """
    moving: list[Course] = [one for one in steps if one != "still"]
    if not moving:
        return "still"
    growing: Course = "grows"
    if growing in (moving[0], moving[-1]) or 2 * moving.count(growing) >= len(moving):
        return growing
    return moving[-1]


def still_of(slopes: Iterable[LayerSlope]) -> tuple[LayerSlope, ...]:
    """Return the changes of hidden layers, or else of all, where none of them moves."""
    moves = [one for one in slopes if one.quantity == "change"]
    judged = [one for one in moves if one.kind != "output"] or moves
    return tuple(judged) if all(one.course == "still" for one in judged) else ()


def _status(slopes: Sequence[LayerSlope]) -> Status:
    courses = {one.course for one in slopes}
    if "grows" in courses:
        return "grows"
    if "shrinks" in courses:
        return "shrinks"
    moves = [one for one in slopes if one.quantity == "change"]
    moved = any(one.course == "keeps" for one in moves) and not still_of(slopes)
    return "transfers" if moved and "unclear" not in courses else "unclear"
