"""The loss where training starts: its value, and beside it what an answer costs that is the same for all examples."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gradcheck.diagnosis.causes import Cause

#: A first loss is large where it is so many times what a constant answer costs. As published, networks start at 1 to 2.
LARGE_LOSS = 3.0

#: Outputs are made of the read-out's by a sum or a product where they are so many times as large.
MADE = 3.0

#: Outputs lie around a number where its square is so much of their mean square.
AROUND = 0.9

#: Targets lie far from 0 where their mean square is so many times their variance: numbers from 0 to 1 have 4.
FAR_FROM_ZERO = 10.0

#: Targets are huge where their root mean square is so many times the outputs', and above that itself: what the weights
#: change is next to nothing of the loss, and no rate that suits them gets there.
HUGE_TARGETS = 100.0

#: Outputs are of the size of the numbers that they are to meet where neither is so many times the other.
OF_ONE_SIZE = 10.0

#: Inputs are large where their root mean square is more than this.
LARGE_INPUTS = 3.0

#: Numbers may overflow, or leave a function's domain, because the inputs are as large as this: bytes have 150.
FAR_TOO_LARGE = 30.0

#: How often each class is in a batch is known where it has so many labels for each class that it might be: of fewer
#: the entropy is too low.
ENOUGH_LABELS = 5

#: A loss above this share of what the best constant answer costs on its own batch is no better than that answer.
NO_BETTER = 0.97


#: Logits are small for the read-out that gives them where they are less than this share of what it gives, or would give
#: if its rows had no more than length 1: 1/width is meant where they are of length √width. Scales that are meant are at
#: 1/64 and more in models as published.
SHRUNK = 1 / 200


#: Targets whose standard deviation is this and more make plain SGD explode at a rate of 0.01, in a usual perceptron.
WIDE_TARGETS = 100.0


class FirstLoss(NamedTuple):
    """The loss, and what it is held against."""

    value: float = math.nan
    constant_answer: float = math.nan  # what the best constant answer costs; nan where it isn't known of this loss
    of_batch: float = math.nan  # the same, for who knows how often each class is in this very batch
    classes: int = 0  # that are guessed among; 0: the answer is the targets' mean
    labels: int = 0  # how many there are, those that count
    # root mean squares
    output_rms: float = math.nan
    targets_rms: float = math.nan
    best_number: float = math.nan  # what the best single number costs as the answer to huge targets; nan of mean square
    readout_rms: float = math.nan  # before a softmax or sigmoid; nan of a model that is a single linear map
    inputs_rms: float = math.nan  # nan where a norm follows the first layer
    output_mean: float = math.nan  # the mean itself
    # logits are distances or products of outputs of so many numbers, whose size explains theirs; 0: they aren't
    pair_width: int = 0
    of_readout: bool = False  # logits are what the read-out gives, but for their shape and size
    row_length: float = 1.0  # root mean square of the lengths of that one's rows, each of a class
    of_cosines: bool = False  # logits are products of unit vectors, times a number, maybe with a margin
    soft: bool = False  # targets are probabilities: at best it is their own entropy, which may be close to guessing
    # shapes of the outputs, of the targets that were given theirs, and of what a loss of one's own would make of both
    reshaped: tuple[str, ...] = ()
    outsized: Cause | None = None  # that the loss is far above what outputs and targets explain

    @property
    def has_huge_targets(self) -> bool:
        """Whether the targets are numbers that are huge beside the outputs."""
        known = not self.classes and self.targets_rms > HUGE_TARGETS
        return known and self.targets_rms > HUGE_TARGETS * self.output_rms

    @property
    def has_outputs_like_targets(self) -> bool:
        """Whether the outputs are as large as the numbers that they are to meet, however large these are."""
        return not self.classes and self.targets_rms / OF_ONE_SIZE < self.output_rms < self.targets_rms * OF_ONE_SIZE

    @property
    def has_targets_out_of_sight(self) -> bool:
        """Whether nearly all of a loss of differences is how far off huge targets are, which a single number would be.

        Of a squared error the gradient is as large: its elasticity shows it.
        """
        return self.has_huge_targets and self.value > LARGE_LOSS * self.best_number

    @property
    def floor_of_probabilities(self) -> float:
        """The least of a cross-entropy that takes probabilities for logits: 1 for the right class, 0 for the others."""
        return math.log(math.e + self.classes - 1) - 1 if self.classes > 1 else 0.0

    @property
    def has_enough_labels(self) -> bool:
        """Whether it is known of this batch how often each class is in it."""
        return self.labels > 0 and 0 < self.of_batch <= math.log(self.labels / ENOUGH_LABELS)

    @property
    def is_guessed(self) -> bool:
        """Whether an answer that is the same for all examples costs as little, on this very batch."""
        return self.has_enough_labels and self.value > NO_BETTER * self.of_batch

    @property
    def guessing(self) -> float:
        """What an answer that is the same for all examples costs, on this very batch as far as that is known.

        Not of targets that are probabilities: there it doesn't say how far a loss can fall.
        """
        if self.soft:
            return math.nan
        return self.of_batch if self.has_enough_labels else self.constant_answer


def causes_of(first: FirstLoss) -> Iterator[Cause]:
    """Yield why the loss starts far above a constant answer's, where it does."""
    if not first.value > LARGE_LOSS * first.constant_answer > 0:
        return
    details = {"times": first.value / first.constant_answer, "pair_width": first.pair_width}
    known = [one for one in (first.readout_rms, first.output_rms) if not math.isnan(one)]
    rms = max(known, default=math.nan)
    if first.inputs_rms > LARGE_INPUTS and first.readout_rms < LARGE_LOSS * first.inputs_rms:
        yield Cause("inputs-large", None, first.inputs_rms, LARGE_INPUTS, details)
    elif first.of_cosines:
        return  # no larger than the number that was chosen for them
    elif first.classes and rms > 1:  # what divides them may be a temperature
        yield Cause("readout-large", None, rms, details=details)
    elif not first.classes and first.output_rms > first.targets_rms:
        made = first.output_rms > MADE * first.readout_rms
        if made and first.output_mean**2 > AROUND * first.output_rms**2:
            details["mean"] = first.output_mean
        elif made:
            details["readout"] = first.readout_rms
        yield Cause("readout-large", None, first.output_rms if made else known[0], details=details)
    elif not first.classes and first.targets_rms**2 > FAR_FROM_ZERO * first.constant_answer:
        yield Cause("targets-large", None, first.targets_rms, details=details)


def said(first: FirstLoss) -> Iterator[Cause]:
    """Yield the loss's first value beside a constant answer's, and that labels which are all the same need no other."""
    if first.classes > 1 and first.of_batch == 0 and first.labels > 1:
        yield Cause("labels-alike", None, first.labels)
    if not first.classes and first.constant_answer >= WIDE_TARGETS**2 and not math.isnan(first.readout_rms):
        yield Cause("targets-wide", None, math.sqrt(first.constant_answer), WIDE_TARGETS)
    if first.outsized is not None:
        yield first.outsized
    limit = max(1.0, first.row_length) / SHRUNK
    if first.of_readout and 0 < first.output_rms < first.readout_rms / limit:
        yield Cause("logits-shrunk", None, first.readout_rms / first.output_rms, limit)
    if math.isfinite(first.value):
        known = first.constant_answer if math.isfinite(first.constant_answer) else None
        details = {"classes": first.classes} | ({"reshaped": first.reshaped} if first.reshaped else {})
        yield Cause("first-loss", None, first.value, known, details)
