"""What steps of training show: since when a model is ill, whether its loss explodes, and whether it moves at all.

No criterion depends on what is added to a loss or what it is multiplied with, except where it is known to be zero at
best: the losses of a policy gradient, of a likelihood or of a critic are as often below zero as above it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gradcheck.diagnosis.causes import Cause
from gradcheck.diagnosis.status import Status
from gradcheck.probing.first_loss import FirstLoss
from gradcheck.probing.progress import rises, still_guesses
from gradcheck.probing.sickest import sickest_layer
from gradcheck.torch.modules import all_parameters
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.passing import ModelPass
from gradcheck.torch.probing.training.first_steps import Steps
from gradcheck.torch.probing.training.optimizers import known_rates

#: Something has exploded where it is so many times its first value.
EXPLODED = 10.0

#: A loss has exploded only if the first batch's shows at least this share of its rise.
SEEN = 0.1

#: Steps at the full rate before a loss may be said to stay where it is.
ENOUGH = 20

#: A loss that is zero at best stays where it is if it moves by less than this share of itself.
STILL = 1e-3

#: The parameters stay where they are if they move by less than this share of their size in a step.
UNMOVED = 1e-7

#: The outputs of different examples have become alike below this share of how far they were apart, and haven't above.
ALIKE, APART = 0.1, 0.5

#: A loss that is zero at best falls for good below this share of its first value, and of what a constant answer costs:
#: a gradient that looks ill, and didn't before, is none that training misses.
TRAINS = 0.7

#: A loss of any sign falls for good where it falls by so many times the range of its last half.
FALLEN = 3.0

#: A loss that is zero at best is learned below this share of its first value: no gradient is missed then.
LEARNED = 1e-3

#: A loss below this share of what guessing costs is next to its floor: it hasn't exploded, however much it has grown.
NEAR_FLOOR = 0.01

#: A model whose loss starts below this share of what guessing costs was trained before: it needn't fall any further.
TRAINED = 0.9

#: A loss no longer falls where it falls by less than so many typical changes from one step to the next.
NOISE = 2.0


class Point(NamedTuple):
    """What matters of one pass for the course of training."""

    loss: float
    gradient: float  # norm of all of it
    weights: float  # norm of all that is trained
    spread: float  # of the outputs over the examples
    status: Status
    guessing: float = math.nan  # what the best answer costs that is the same for all examples
    acquitted: str = ""  # why it is healthy all the same: the code of a cause

    def explodes(self, first: "Point") -> bool:
        """Whether the loss is above the first one, and the gradient or the weights have grown tenfold."""
        return self.loss > first.loss and (
            self.gradient > EXPLODED * first.gradient > 0 or self.weights > EXPLODED * first.weights > 0
        )


class History:
    """The course of training, by one point for each pass, of one batch for all steps or of several."""

    first: Judgement  # before the first step
    last: FirstLoss  # that of the last batch, after all steps so far

    def __init__(self, model: nn.Module, one_batch: bool, turned: Callable[[ModelPass], str] = lambda _: "") -> None:
        self._turned = turned  # which layer's gradient goes against the loss, if one does
        self._trained = [one for one in all_parameters(model) if one.requires_grad]
        self._start: Sequence[Tensor] = ()
        self.one_batch = one_batch
        self.points: list[Point] = []  # before each step, and after the last one
        self.sick_from: int | None = None  # the first of the steps after which the model is ill to the end
        self.sick_layer: str | None = None  # where it showed first
        # loss of the first batch after the last step, with the same random numbers; nan if that wasn't measured
        self.again = math.nan
        # share of their norm by which the parameters have moved in a step at the full rate, on average
        self.pace = math.nan
        self.found: list[Cause] = []  # what the course as a whole shows
        self.has_risen = False  # it looks healthy, and its loss has risen over the steps
        self._loud: set[int] = set()  # points whose verdict is the loss's alone

    @property
    def losses(self) -> list[float]:
        """Before each step, and after the last one."""
        return [point.loss for point in self.points]

    @property
    def statuses(self) -> list[Status]:
        """As many verdicts."""
        return [point.status for point in self.points]

    @property
    def steps(self) -> int:
        """Taken."""
        return len(self.points) - 1

    def remember_start(self) -> None:
        """Keep the parameters as they are: how far they move is measured from here."""
        self._start = [one.detach().clone() for one in self._trained]

    def add(self, judgement: Judgement) -> None:
        """Add what was found at the start, or after a step."""
        found, status = judgement.found, judgement.diagnosis.verdict.status
        gradient = weights = math.nan
        if self._start:  # without steps nobody asks how they grow
            gradient = math.ldexp(_norm(one for one in found.gradients.values() if one is not None), -found.shift)
            weights = _norm(self._trained)
        point = Point(
            found.flow.output.loss, gradient, weights, found.values.spread, status, found.at_loss.first.guessing
        )
        never_negative = found.values.never_negative
        if not self.points:
            self.first = judgement
        self.last = found.at_loss.first
        if why := self._acquittal(point, never_negative):
            point = point._replace(status="healthy", acquitted=why)
        elif self._is_loud(point, never_negative):
            self._loud.add(len(self.points))
            point = point._replace(status="exploding")
        self.points.append(point)
        if self.points[-1].status == "healthy":
            self.sick_from = self.sick_layer = None
        elif self.sick_from is None:
            self.sick_from, self.sick_layer = self.steps, sickest_layer(found.flow, judgement.diagnosis)

    def _acquittal(self, point: Point, never_negative: bool) -> str:
        """Return why a gradient that looks ill after some steps isn't, if it isn't.

        Not a loss that falls, where an answer that is the same for all examples costs as little: the read-out's bias
        alone learns that.
        """
        if not self.points or self.points[0].status != "healthy":
            return ""
        first = self.points[0]
        if never_negative and point.loss == 0 < first.loss:
            return "nothing-to-learn"
        if point.status in ("vanishing", "dead", "collapsed", "no-gradient"):
            if never_negative and point.loss < LEARNED * first.loss:
                return "nothing-to-learn"
            if point.status == "collapsed" and point.spread >= APART * first.spread:
                return "outputs-apart"
        if point.status in ("vanishing", "exploding", "collapsed") and never_negative:
            answer = self.first.found.at_loss.first.constant_answer  # nan where it isn't known
            to_beat = min(first.loss, answer) if answer > 0 else first.loss
            return "still-trains" if point.loss < TRAINS * to_beat and not self.last.is_guessed else ""
        return ""

    def _is_loud(self, point: Point, never_negative: bool) -> bool:
        """Whether the loss alone says that training explodes."""
        if not self.points or point.status != "healthy":
            return False
        first, before = self.points[0], self.points[-1]
        if never_negative and point.loss < NEAR_FLOOR * point.guessing:
            return False
        if never_negative and point.loss > EXPLODED * first.loss > 0:
            return True
        return point.explodes(first) and before.explodes(first)

    def close(self, again: ModelPass, steps: Steps) -> None:
        """Judge the course as a whole, given a pass of the first batch after the last step.

        Notes
        -----
        The first batch with its own random numbers has no noise between batches, of dropout or of sampled actions in
        it: what its loss has changed by, training has changed.
        """
        self.again = again.flow.output.loss
        if steps.not_held:
            self.found.append(Cause("not-held", None, len(steps.not_held), details={"names": steps.not_held}))
        if self.again - self.points[0].loss <= SEEN * (self.losses[-1] - self.points[0].loss):
            self._take_back()
        stuck = self._stuck(again, steps) if self.points[-1].status == "healthy" else None
        if (self.steps in self._loud or (stuck and stuck.code == "loss-no-lower")) and (name := self._turned(again)):
            self._take_back()  # it rises on purpose
            stuck = None
            self.found.append(Cause("gradient-turned", None, self.again, self.points[0].loss, {"name": name}))
        elif stuck is not None:
            self.points[-1] = self.points[-1]._replace(status="not-learning", acquitted="")
            self.sick_from = self.steps
            self.found.append(stuck)
        elif self.points[-1].status == "healthy":
            self.found += self._remarks(again, steps)

    def _remarks(self, again: ModelPass, steps: Steps) -> Iterator[Cause]:
        """Yield what is worth knowing of a course at whose end the model looks healthy."""
        first, from_zero = self.points[0], again.values.never_negative
        seen = not self.again < NEAR_FLOOR * first.guessing
        if from_zero and seen and rises(self.losses, self.again, one_batch=self.one_batch):
            self.has_risen = True
            terms = len(self.first.found.at_loss.terms)
            yield Cause("loss-risen", None, self.again, first.loss, {"terms": terms})
            return
        if from_zero and self.steps - steps.warmup >= ENOUGH and self._is_still() and self._was_trained:
            yield Cause("trained-before", None, first.loss, first.guessing, {"steps": self.steps})
            return
        guessed = still_guesses(self.losses, [point.guessing for point in self.points])
        if guessed is not None and self.steps - steps.warmup >= ENOUGH:
            yield Cause("hardly-learnt", None, *guessed, {"steps": self.steps})

    def _take_back(self) -> None:
        """Take back what the losses of harder batches than the first one said."""
        for at in self._loud:
            self.points[at] = self.points[at]._replace(status="healthy")
        ill = takewhile(lambda at: self.points[at].status != "healthy", range(self.steps, -1, -1))
        self.sick_from = min(ill, default=None)
        self.sick_layer = self.sick_layer if self.sick_from is not None else None

    def _stuck(self, again: ModelPass, steps: Steps) -> Cause | None:
        """Return why training doesn't move the loss, if it doesn't."""
        first, at_full_rate = self.points[0], self.steps - steps.warmup
        way = _norm(one.detach() - start for one, start in zip(self._trained, self._start, strict=True))
        if way == 0 and again.values.never_negative and not any(self.losses):  # there is nothing to learn
            return None
        if way == 0:
            rate = max(known_rates(steps.optimizer), default=None)
            return Cause("unmoved", None, self.steps, details={"rate": rate})
        if at_full_rate < ENOUGH:
            return None
        self.pace = way / first.weights / at_full_rate if first.weights else math.inf
        if self.pace < UNMOVED:
            return Cause("barely-moved", None, self.pace, UNMOVED)
        if again.values.spread < ALIKE * first.spread and not self._has_fallen(again) and self._is_flat():
            return Cause("outputs-alike", None, again.values.spread / first.spread, ALIKE)
        if not again.values.never_negative:  # nobody knows what such a loss is worth: a policy gradient's may stay at 0
            return None
        if self._is_still() and not self._was_trained:
            return Cause("loss-still", None, first.loss - self.again, STILL)
        near_floor = self.again < NEAR_FLOOR * first.guessing
        if self.one_batch and not near_floor and min(self.again, *self._last_half()) >= first.loss:
            return Cause("loss-no-lower", None, self.again, first.loss)
        return None

    def _is_still(self) -> bool:
        """Whether the first batch's loss stays where it is, of a loss that is zero at best."""
        return abs(self.points[0].loss - self.again) < STILL * abs(self.points[0].loss)

    @property
    def _was_trained(self) -> bool:
        """Whether the loss starts clearly below what guessing costs."""
        return self.points[0].loss < TRAINED * self.points[0].guessing

    def _has_fallen(self, again: ModelPass) -> bool:
        """Whether the loss has fallen for good, so that outputs that are alike are what the targets want."""
        first, late = self.points[0].loss, self._last_half()
        if again.values.never_negative:
            return self.again < TRAINS * first
        return first - self.again > FALLEN * (max(late) - min(late))

    def _last_half(self) -> list[float]:
        return self.losses[len(self.points) // 2 :]

    def _is_flat(self) -> bool:
        """Whether the losses of the last half of the steps fall by no more than they vary."""
        losses = self._last_half()
        half = len(losses) // 2
        noise = median(abs(after - before) for before, after in pairwise(losses))
        return median(losses[:half]) - median(losses[half:]) <= NOISE * noise


def _norm(tensors: Iterable[Tensor]) -> float:
    """Return the norm of several tensors as one vector."""
    dense = (one.detach().to_dense() if one.is_sparse else one.detach() for one in tensors)
    return math.hypot(*(float(torch.linalg.vector_norm(one)) for one in dense))
