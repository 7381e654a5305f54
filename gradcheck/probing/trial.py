"""A trial before an accusation: a model that looks ill, and yet learns its own batch within a few steps, isn't."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from statistics import median
from typing import NamedTuple, Protocol

from gradcheck.probing.first_loss import FirstLoss
from gradcheck.spec.thresholds import USUAL

#: Steps of Adam at each of these rates, as long as the model doesn't learn.
STEPS, RATES = 40, (1e-3, 1e-2, 1e-4)

#: Gradients that lie far apart make a slow start: beyond the limit a model that is half way there, whose loss falls
#: ever faster, or whose gradients the first steps have brought together, has so many times the steps, at each rate.
#: Where nothing but the examples look alike, it is one that is nearly there: the few directions that are left allow
#: some fall.
PATIENCE, HALF, NEARLY = 3, 0.5, 0.8

#: They have where so few decades are left between them: of chains that learn, after 40 steps 0.6 to 1.5; of those that
#: don't, 4 and more (benchmarks/default_chains.py).
TOGETHER = USUAL.max_span

#: It learns where the loss falls by this share of the smaller one of its start and what the labels' frequencies as the
#: answer cost: published architectures that are suspected do within 5 to 35 steps, those that don't train never
#: (benchmarks/zoo.py). Where the examples look alike, the few directions that are left allow some fall.
FALLS_BY, COLLAPSED_FALLS_BY = 0.3, 0.5

#: A model has learnt its batch if its loss is below this share of what the best constant answer costs: one that was
#: trained before has nothing left to show.
LEARNT = 0.1

#: Its first loss must not be above a constant answer's by more than this factor: a model that starts at thousands
#: learns a few examples by heart all the same.
FAR = 100.0

#: A loss that may be negative starts within so much of zero by chance: of the size of what outputs of size 1 change.
WELL_BELOW = 10.0

#: Plain SGD: its usual rate, its steps, and the factor from which a loss that grows has exploded.
SGD_RATE, SGD_STEPS, EXPLODED = 0.1, 10, 10.0

#: A fall by less than this share of the loss is rounding in single precision.
ROUNDING = 1e-6

#: The loss after the trial is the median of the last ones.
LAST = 5

#: A loss falls ever faster if the later half of its steps brings more than the earlier one by this factor: what is
#: learnt by heart, or by the read-out's bias alone, brings less and less.
FASTER = 1.05

#: Outputs that are drawn to see how much the loss depends on them.
ANSWERS = 8

#: What a model raises that can be passed once, and not trained: it keeps its state, or has a backward of its own.
UNTRAINABLE = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError)


class Trial(NamedTuple):
    """What the better one of the rates brought."""

    first: float  # the loss at the start
    constant: float  # the loss of a constant answer; nan where it is unknown
    last: float  # the loss in the end
    rate: float
    steps: int
    goal: float  # the loss that would have been enough
    learns: bool


class Lesson(Protocol):
    """A model, and the batch and the loss that it is to learn: the same in each step."""

    def first(self) -> float:
        """Return the loss of the model as it is."""

    def of_answers(self) -> tuple[float, float]:
        """Return the loss of an output of zeros, and by how much outputs of size 1 change it; nan where unknown."""

    def adam(self, rate: float) -> AbstractContextManager[Callable[[int], float]]:
        """Take steps of Adam as long as the context lasts: each by its number, which returns the loss before it."""

    def span(self) -> float:
        """Return the decades between the weights' gradients in the last step, per entry; nan where it isn't known."""

    def sgd(self, rate: float) -> AbstractContextManager[Callable[[int, float], float]]:
        """Take steps of SGD in the same way, each by its number and the scale of its loss."""


def hold_trial(
    lesson: Lesson,
    first: FirstLoss,
    falls_by: float = FALLS_BY,
    tick: Callable[[float], None] | None = None,
    *,
    from_zero: bool = True,
    patient: bool = False,
    under_way: float = HALF,
    fades: bool = True,
    from_afar: bool = False,
) -> Trial | None:
    """Train a model on its own batch, as long as it doesn't learn; put it back as it was.

    None where the loss starts so high, or not finite, that learning it by heart would prove nothing.

    Parameters
    ----------
    lesson : Lesson
    first : FirstLoss
        With what constant answers cost.
    falls_by : float
        The share of its loss that it has to lose.
    tick : callable, optional
        Called with the share of the steps that has been taken.
    from_zero : bool
        The loss is zero at best. Of any other the zero means nothing: its fall is held against what outputs of size 1
        change.
    patient : bool
        A model that is under way has more steps.
    under_way : float
        It is once its loss has fallen by this share of what it has to.
    fades : bool
        So has one whose gradients the first steps have brought together; not where they explode, which a large loss
        alone does.
    from_afar : bool
        However high the loss starts.
    """
    start = lesson.first()
    constant, best, size = first.constant_answer, first.of_batch, math.nan
    if not math.isnan(first.best_number):
        constant = best = first.best_number
    elif math.isnan(constant):
        constant, size = lesson.of_answers()
        best, size = constant, math.nan if from_zero else size
    above = start - constant if math.isfinite(size) else start  # nan where no constant answer is known
    far = not from_afar and above > FAR * (size if math.isfinite(size) else abs(constant))
    if far or not math.isfinite(start):
        return None
    goal, halfway = (_goal(start, best, share, size) for share in (falls_by, under_way * falls_by))
    goal = min(goal, start - ROUNDING * abs(start))
    if first.of_batch > 0:
        goal = max(goal, LEARNT * first.of_batch)
    hopeful, found = partial(_is_under_way, lesson if fades else None, halfway), list[Trial]()
    for index, rate in enumerate(RATES):
        losses: list[float] = []
        with lesson.adam(rate) as step:
            while not _settled(losses, goal) and not _is_over(losses, hopeful, patient):
                losses.append(step(len(losses)))
                if tick is not None:
                    tick((index * STEPS + min(len(losses), STEPS)) / (len(RATES) * STEPS))
        found.append(Trial(start, constant, _end(losses), rate, len(losses), goal, learns=_end(losses) <= goal))
        if found[-1].learns:
            break
    return min(found, key=lambda one: one.last)


def explodes_with_sgd(lesson: Lesson, constant: float = math.nan, *, from_zero: bool = True) -> bool:
    """Whether a few steps of plain SGD make the loss explode, at the usual rate for a constant answer's loss of 1."""
    losses: list[float] = []
    with lesson.sgd(SGD_RATE) as step:
        first = abs(lesson.first())
        if not from_zero and math.isfinite(scale := lesson.of_answers()[1]):
            first = constant = scale
        size = max(first if math.isnan(constant) else min(first, abs(constant)), 1e-12)
        while len(losses) < SGD_STEPS and (not losses or math.isfinite(losses[-1])):
            losses.append(step(len(losses), 1 / size))
    return not losses[-1] - losses[0] <= EXPLODED * max(first, size)


def _goal(first: float, constant: float, falls_by: float, size: float = math.nan) -> float:
    """Return the loss at which a model has learnt more than what is the same for all examples."""
    reference = first if math.isnan(constant) else min(first, constant)
    if math.isnan(size):
        size = abs(reference)
    elif 0 < reference < size:  # where it starts well below what any outputs cost, it can hardly fall by as much
        size = max(reference, size / WELL_BELOW)
    return reference - falls_by * size


def _is_over(losses: list[float], hopeful: Callable[[list[float]], bool], patient: bool) -> bool:
    """Whether all steps at a rate have been taken: more of them where that is worth it."""
    taken = len(losses)
    if taken >= (PATIENCE * STEPS if patient else STEPS):
        return True
    return taken > 0 and taken % STEPS == 0 and not hopeful(losses)


def _is_under_way(lesson: Lesson | None, halfway: float, losses: list[float]) -> bool:
    """Whether a loss is on its way to its goal, or all layers get a gradient by now that has come together."""
    if _end(losses) <= halfway:
        return True
    return lesson is not None and (lesson.span() <= TOGETHER or _falls_faster(losses))


def _falls_faster(losses: list[float]) -> bool:
    """Whether a loss falls, and more in the later half of the last round of steps than in the earlier one."""
    before, middle, end = (_end(losses[: len(losses) - back]) for back in (STEPS - LAST, (STEPS - LAST) // 2, 0))
    return middle - end > FASTER * (before - middle) > 0


def _end(losses: list[float]) -> float:
    """Return the loss in the end; infinity where it isn't finite."""
    return median(losses[-LAST:]) if losses and all(map(math.isfinite, losses[-LAST:])) else math.inf


def _settled(losses: list[float], goal: float) -> bool:
    """Whether more steps would say nothing new."""
    return bool(losses) and (not math.isfinite(losses[-1]) or (len(losses) >= LAST and _end(losses) <= goal))
