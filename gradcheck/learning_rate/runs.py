"""Short runs at constant rates from one start, around the rate that a search along the first update finds.

Along one update the loss of its own batch says how far that batch can be fitted, and that alone: how far the next ones
allow to go only runs show: a few, at rates an octave apart, the longer the better.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from gradcheck.learning_rate.rules import CHECKED, Rule
from gradcheck.learning_rate.search import HIGHEST, LOWEST, CriticalRate, critical_rate

#: The share of a run's updates, at its end, whose mean loss is its score.
END = 0.4

#: Where the search along the first update begins.
START = 0.01

#: Shares of the critical rate at which the loss along the first update is looked at as well: for a picture of it.
LOOKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)

#: The factor between neighbouring rates, and the runs at most.
SPACING, MOST = 2.0, 12

#: How many times halved the first rate is left alone where no run lowers the loss, and none is below it.
FURTHER = 8

#: A run has learnt where its loss is by this share below the first one and below what a constant answer costs, as in
#: ``simulate --trial``. Where none of a short search has, they are made again, so often, with twice the updates.
FALLS_BY, DOUBLINGS = 0.3, 2

#: A run whose loss is above so many times the first one is given up; its score is twice the first one.
DIVERGED = 4.0


class Descent(Protocol):
    """A network, its optimizer and its batches.

    Where the network isn't a copy, whoever makes the descent puts its parameters back in the end.
    """

    def look(self) -> float:
        """Take the next batch, and let the optimizer make its update Δ for rate 1; return the loss at θ.

        The optimizer's moments move on, the parameters θ don't.
        """

    def fades(self) -> bool:
        """Whether the gradients of most matrices are a far smaller share of the whole than at the first update."""

    def along(self, rate: float) -> float:
        """Return the loss of the same batch at θ + rate·Δ, finite or not; θ stays as it is."""

    def restart(self) -> None:
        """Put parameters, moments and the stream of batches back to where they began."""

    def step(self, rate: float) -> None:
        """Move: θ ← θ + rate·Δ."""


#: A run has made progress where its loss in the end is this share below what is known without any training: as in
#: a trial of ``simulate``.
HOPE = 0.03

#: A run has learnt no more than a constant answer where its loss is above this share of what that costs.
NO_BETTER = 0.97


class Run(NamedTuple):
    """A run at a constant rate."""

    rate: float
    losses: tuple[float, ...]  # of each batch, before its update; the last one may not be finite
    diverged: bool  # it was given up: its loss is not finite, or above twice the first one
    # the gradient of most layers is lost in the end, and nothing has been learnt but a constant answer
    fades: bool = False
    # the losses of the same batches without any update; empty where the first one's says enough
    untrained: tuple[float, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether training fails at this rate."""
        return self.diverged or self.fades

    @property
    def score(self) -> float:
        """The loss in the end; of a run that fails twice the first loss."""
        return _times(2.0, self.losses[0]) if self.fails else self.end

    @property
    def end(self) -> float:
        """The mean loss of the last batches."""
        return _mean_of_last(self.losses)

    @property
    def before(self) -> float:
        """What its loss in the end is compared with: that of the same batches untrained, or of the first one."""
        return _mean_of_last(self.untrained) if self.untrained else self.losses[0]

    @property
    def began(self) -> tuple[float, ...]:
        """What each loss is compared with: that of its batch untrained, or of the first one."""
        return self.untrained[: len(self.losses)] or self.losses[:1] * len(self.losses)

    @property
    def falls(self) -> bool:
        """Whether the loss in the end is below that without any update."""
        return not self.fails and self.score < self.before


class Draw(NamedTuple):
    """What was found of one network."""

    seed: int | None  # what it was drawn from; None of a user's own model
    start: CriticalRate  # the search along the first update
    runs: tuple[Run, ...] = ()  # in the order of their rates; none where the search found no rate to begin with
    shorter: tuple[Run, ...] = ()  # those that had learnt nothing, and were made again with more updates

    @property
    def furthest(self) -> Run:
        """The run whose loss is least in the end."""
        return min(self.runs, key=lambda one: one.score)

    @property
    def before(self) -> float:
        """The loss without any update."""
        return self.runs[0].before if self.runs else self.start.loss

    def learnt(self, constant: float) -> bool:
        """Whether that loss is clearly below the first one, and below that of a constant answer."""
        goal = min(self.before, constant)
        return self.furthest.score <= goal - FALLS_BY * abs(goal)

    @property
    def edge(self) -> str:
        """Whether that run is the ``highest`` or the ``lowest``, so that a better one may be beyond; else empty."""
        return "highest" if self.furthest is self.runs[-1] else "lowest" if self.furthest is self.runs[0] else ""


def find_rate(
    descent: Descent,
    rule: Rule,
    updates: int,
    seed: int | None = None,
    tick: Callable[[], None] | None = None,
    constant: float = math.inf,
    doublings: int = DOUBLINGS,
) -> Draw:
    """Search along the first update, then run at rates around what it says until the best one has two neighbours.

    Where no run has learnt by then, runs of fewer than 100 updates are made again around the best of them with twice as
    many: as long as the loss says no more than what blows up, it doesn't say which rate learns most.

    Parameters
    ----------
    descent : Descent
        At its start; it is left somewhere else.
    rule : Rule
        Of the optimizer.
    updates : int
        Of each run.
    seed : int, optional
        What the network was drawn from.
    tick : callable, optional
        Called after each run.
    constant : float
        The loss of the best answer that is the same for all examples; infinity where it isn't known.
    doublings : int
        How many times such runs are made again.
    """
    loss = descent.look()
    start = critical_rate(descent.along, loss, START)
    if start.status != "found":
        return Draw(seed, start)
    start = start.with_points({share * start.rate: descent.along(share * start.rate) for share in LOOKS})
    found = Draw(seed, start, make_runs(descent, rule.start * start.least[0], updates, tick, constant))
    for _ in range(doublings):
        if updates >= CHECKED[-1] or not found.runs or found.furthest.fails or found.learnt(constant):
            break
        updates *= 2
        again = make_runs(descent, best_of(found.runs), updates, tick, constant)
        found = Draw(seed, start, again, shorter=(*found.shorter, *found.runs))
    return found


def make_runs(
    descent: Descent, middle: float, updates: int, tick: Callable[[], None] | None = None, constant: float = math.inf
) -> tuple[Run, ...]:
    """Run at a rate and at those around it, until the best one has a neighbour on both sides.

    Where the best loss isn't clearly below that of the first batch, which may be an easy one, the runs are compared
    with what all their batches cost without any update.
    """
    runs: dict[int, Run] = {}  # power of SPACING ↦ the run at that rate
    untrained: tuple[float, ...] = ()
    middle = min(max(middle, LOWEST), HIGHEST)
    while (power := _next(runs)) is not None and LOWEST <= middle * SPACING**power <= HIGHEST:
        runs[power] = _run(descent, middle * SPACING**power, updates, constant)._replace(untrained=untrained)
        if not untrained and _in_doubt(min(runs.values(), key=lambda one: one.score)):
            untrained = _untrained(descent, updates)
            runs = {done: one._replace(untrained=untrained) for done, one in runs.items()}
        if tick is not None:
            tick()
    return tuple(runs[power] for power in sorted(runs))


def _next(runs: dict[int, Run]) -> int | None:
    """Return the neighbour that the best run lacks, the upper one first: it is given up early if it is too high.

    Where none has lowered the loss, it is one further below: between rates that diverge one may stand still.
    """
    if not runs:
        return 0
    best = min(sorted(runs), key=lambda power: runs[power].score)
    risen = not runs[best].falls and min(runs) > -FURTHER
    around = (min(runs) - 2,) if runs[best].fails or risen else (best + 1, best - 1)
    lacking = [power for power in around if power not in runs]
    return lacking[0] if lacking and len(runs) < MOST else None


def _run(descent: Descent, rate: float, updates: int, constant: float) -> Run:
    """Run at a constant rate from the start, as long as the loss stays near where it began, or below."""
    descent.restart()
    losses: list[float] = []
    for _ in range(updates):
        losses.append(descent.look())
        if not -math.inf < losses[-1] <= _times(DIVERGED, losses[0]):
            return Run(rate, tuple(losses), diverged=True)
        descent.step(rate)
    run = Run(rate, tuple(losses), diverged=False)
    return run._replace(fades=run.end > NO_BETTER * constant and descent.fades())  # nothing is above infinity


def _in_doubt(best: Run) -> bool:
    """Whether the loss of the best run is near or above that of the first batch."""
    return not best.fails and best.end > best.losses[0] - HOPE * abs(best.losses[0])


def _untrained(descent: Descent, updates: int) -> tuple[float, ...]:
    """Return the losses of a run's batches without any update; the first one's for all where others aren't finite."""
    descent.restart()
    losses = tuple(descent.look() for _ in range(updates))
    return losses if all(map(math.isfinite, losses)) else losses[:1] * updates


def _mean_of_last(losses: tuple[float, ...]) -> float:
    last = losses[-max(1, round(END * len(losses))) :]
    return sum(last) / len(last)


def _times(factor: float, loss: float) -> float:
    """Return a loss that is so many times as large; of one below zero, as much above it."""
    return loss + (factor - 1) * abs(loss)


def best_of(runs: tuple[Run, ...]) -> float:
    """Return the rate at which the score is least: the vertex of the parabola through the best run and its neighbours.

    Both axes are logarithmic, where no score is below zero.
    """
    at = min(range(len(runs)), key=lambda index: runs[index].score)
    if not 0 < at < len(runs) - 1:
        return runs[at].rate
    three = [one.score for one in runs[at - 1 : at + 2]]
    below, least, above = map(math.log, three) if min(three) > 0 else three
    bend = below - 2 * least + above
    shift = 0.5 * (below - above) / bend if bend > 0 else 0.0
    return runs[at].rate * math.exp(shift * math.log(SPACING))
