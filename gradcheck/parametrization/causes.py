"""What decided the judgement on a parametrisation: codes with numbers, and what to change."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.learning_rate.runs import DIVERGED
from gradcheck.parametrization.divergence import Divergence
from gradcheck.parametrization.judging import LIMIT, Course, Judgement, LayerSlope, Quantity, still_of


class Reason(NamedTuple):
    """One thing that decided."""

    code: str  # a key of ``gradcheck.parametrization.sentences.SENTENCES``
    slopes: tuple[LayerSlope, ...]  # what it is about, first layer to last
    # the exponent furthest from 0 where the fault is first seen; how many layers, where it is about all; of training
    # that diverges the loss over its first value
    value: float
    limit: float | None = LIMIT  # what it was compared with
    divergence: Divergence | None = None  # of training that diverges

    @property
    def step(self) -> int:
        """The step at which it first shows."""
        if self.divergence is not None:
            return self.divergence.step
        return min((one.first.step for one in self.slopes), default=0)

    @property
    def power(self) -> float:
        """The multiple of 1/2 that the exponent is nearest to, without its sign: what theory can say."""
        return max(0.5, round(2 * abs(self.value)) / 2) if math.isfinite(self.value) else math.inf


def find_reasons(judgement: Judgement, divergence: Divergence | None = None) -> list[Reason]:
    """Return what decided, the weightiest first.

    Where training diverges, and what comes before shows no fault, that alone is known.
    """
    if divergence is None:
        return _reasons_of_slopes(judgement)
    diverges = Reason("diverges", (), divergence.times, DIVERGED, divergence)
    faults = _reasons_of_slopes(judgement) if any(map(judgement.of, _FAULTS)) else []
    return [diverges, *faults] if judgement.status == "diverges" else [*faults, diverges]


def _reasons_of_slopes(judgement: Judgement) -> list[Reason]:
    """Return what the slopes say.

    A fault of a matrix's own, at initialisation or in what it gains, makes all outputs after it move wrongly: those are
    named only where no such fault explains them.
    """
    if judgement.status == "transfers":
        return [_keeps(judgement)]
    lazy = [*_lazy(judgement)]
    if lazy:
        return lazy
    found = [*_not_finite(judgement)]
    for course in _FAULTS:
        own = [*_grouped(judgement, course, "start"), *_grouped(judgement, course, "update")]
        found += own or _grouped(judgement, course, "change") or _grouped(judgement, course, "size")
    return found or [*_undecided(judgement)]


#: By which power scores outgrow how they start, once queries and keys are aligned.
ALIGNED = {"scores-align": 0.5}

_FAULTS: tuple[Course, ...] = ("grows", "shrinks")


def _keeps(judgement: Judgement) -> Reason:
    """Return the slope that is furthest from 0 among those that decide."""
    judged = [one for one in judgement.slopes if one.kind == "hidden" or one.quantity in ("change", "update")]
    kept = [one for one in judged if one.course == "keeps"]
    known = [one.steps[-1].slope.exponent for one in kept if math.isfinite(one.steps[-1].slope.exponent)]
    return Reason("keeps", tuple(kept), max(known, key=abs, default=0.0))


def _not_finite(judgement: Judgement) -> Iterator[Reason]:
    lost = [one for one in judgement.slopes if any(math.isinf(step.slope.exponent) for step in one.steps)]
    if lost:
        yield Reason("not-finite", tuple(lost), math.inf, None)


def _lazy(judgement: Judgement) -> Iterator[Reason]:
    """Yield that features stand still while the logits move: the limit of the neural tangent kernel."""
    moves = [one for one in judgement.slopes if one.quantity == "change"]
    hidden = [one for one in moves if one.kind == "hidden"]
    still = [one for one in hidden if one.course == "shrinks"]
    logits = [one for one in moves if one.kind == "output"]
    own = [one for one in judgement.slopes if (one.kind, one.quantity) == ("hidden", "update")]
    alike = all(2 * sum(one.course == "shrinks" for one in ones) >= len(ones) for ones in (hidden, own))
    if judgement.status == "shrinks" and still and alike and all(one.course == "keeps" for one in logits):
        yield Reason("lazy", tuple(still), min(one.first.slope.exponent for one in still))


def _grouped(judgement: Judgement, course: Course, quantity: Quantity) -> list[Reason]:
    """Return a reason for each power that a quantity of some layers follows."""
    groups = defaultdict[tuple[str, float], list[LayerSlope]](list)
    for one in judgement.of(course, quantity):
        exponent = one.first.slope.exponent
        if math.isfinite(exponent):
            code = "scores-align" if (one.kind, quantity) == ("scores", "start") else f"{quantity}-{course}"
            groups[code, Reason(code, (), exponent).power].append(one)
    return [Reason(code, tuple(ones), _furthest(ones) + ALIGNED.get(code, 0.0)) for (code, _), ones in groups.items()]


def _furthest(slopes: Sequence[LayerSlope]) -> float:
    return max((one.first.slope.exponent for one in slopes), key=abs)


def _undecided(judgement: Judgement) -> Iterator[Reason]:
    still, unclear = still_of(judgement.slopes), judgement.of("unclear")
    if still or not unclear:
        yield Reason("still", still or tuple(judgement.of("still")), 0.0, None)
    zero = [one for one in unclear if math.isnan(one.shown.slope.exponent)]
    if zero:
        yield Reason("zero", tuple(zero), float(len(zero)), None)
    wide = [one for one in unclear if one not in zero]
    if wide:
        yield Reason("unclear", tuple(wide), max(one.steps[-1].slope.error for one in wide))
