"""A model of a framework that hands out arrays: passed, tried where it looks ill, and reported."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from gradcheck.diagnosis.report import Report
from gradcheck.diagnosis.summary import dead_layers
from gradcheck.probing.captured import CapturedPass, Weight
from gradcheck.probing.findings import Findings, find
from gradcheck.probing.judgement import Judgement
from gradcheck.probing.limits import SMALL_FACTOR
from gradcheck.probing.loss_faults import find_loss_faults
from gradcheck.probing.measuring import decades_between
from gradcheck.probing.reporting import captured_report
from gradcheck.probing.trial import ANSWERS, UNTRAINABLE
from gradcheck.probing.trying import tried
from gradcheck.probing.user_errors import ending_reported
from gradcheck.probing.verdict import judge, silent_layers
from gradcheck.spec.thresholds import USUAL, Thresholds

#: Steps that a gate has to open, and Adam's learning rate.
STEPS, RATE = 12, 1e-3


class Subject(Protocol):
    """A user's own model with its batch and its loss. No call leaves a trace in the model."""

    def trained(self) -> list[np.ndarray]:
        """Return the values of what is trained, in an order of their own."""

    def capture(self, trained: Sequence[np.ndarray] | None = None) -> CapturedPass:
        """Pass the batch forward and its gradient back, with these values where they are given."""

    def gradients(self, trained: Sequence[np.ndarray], number: int) -> tuple[float, Sequence[np.ndarray | None]]:
        """Return the loss with these values, and its gradient at each; the number seeds dropout and the like."""

    def loss_of(self, output: np.ndarray, place: int = 0) -> float:
        """Return the loss of another output of the same shape; of several the place among ``CapturedLoss.parts``."""


@dataclass(frozen=True)
class ArrayLesson:
    """The batch that a subject is to learn, by steps that NumPy takes (``probing.trial.Lesson``)."""

    subject: Subject
    output: np.ndarray | None  # of the model as it is; None where there are several
    arrived: list[np.ndarray] = field(default_factory=list)  # the gradients of Adam's last step

    def first(self) -> float:
        """Return the loss of the model as it is."""
        return self.subject.gradients(self.subject.trained(), 0)[0]

    def of_answers(self) -> tuple[float, float]:
        """Return the loss of an output of zeros, and by how much outputs of size 1 change it; nan where unknown."""
        if self.output is None:
            return math.nan, math.nan
        generator = np.random.default_rng(0)
        try:
            zero = self.subject.loss_of(np.zeros_like(self.output))
            drawn = (generator.standard_normal(self.output.shape) for _ in range(ANSWERS))
            size = sum(abs(self.subject.loss_of(one.astype(self.output.dtype)) - zero) for one in drawn) / ANSWERS
        except Exception:  # the user's own loss may want more than numbers
            return math.nan, math.nan
        return zero, size or math.nan

    @contextmanager
    def adam(self, rate: float) -> Iterator[Callable[[int], float]]:
        """Take steps of Adam as long as the context lasts: each by its number, which returns the loss before it."""
        yield Adam(self.subject, rate, self.arrived).step

    def span(self) -> float:
        """Return the decades between the weights' gradients in the last step, per entry; nan where it isn't known."""
        return decades_between(self.arrived)

    @contextmanager
    def sgd(self, rate: float) -> Iterator[Callable[[int, float], float]]:
        """Take steps of SGD in the same way, each by its number and the scale of its loss."""
        values = self.subject.trained()

        def step(number: int, scale: float) -> float:
            loss, gradients = self.subject.gradients(values, number)
            for at, one in enumerate(gradients):
                values[at] = values[at] if one is None else values[at] - rate * scale * one
            return loss

        yield step


class Adam:
    """Adam (Kingma & Ba 2015), with the usual constants, on values that the model itself doesn't hold."""

    def __init__(self, subject: Subject, rate: float, arrived: list[np.ndarray] | None = None) -> None:
        self.subject, self.rate, self.count = subject, rate, 0
        self.arrived = [] if arrived is None else arrived
        self.values = subject.trained()
        self._moments = [(np.zeros(one.shape), np.zeros(one.shape)) for one in self.values]

    def step(self, number: int) -> float:
        """Take a step; return the loss before it."""
        loss, gradients = self.subject.gradients(self.values, number)
        if not math.isfinite(loss):
            return loss
        self.count += 1
        self.arrived[:] = [one for one in gradients if one is not None]
        for at, gradient in enumerate(gradients):
            if gradient is None:
                continue
            first, second = self._moments[at]
            first += (1 - 0.9) * (gradient - first)
            second += (1 - 0.999) * (np.square(gradient, dtype=np.float64) - second)
            size = np.sqrt(second / (1 - 0.999**self.count)) + 1e-8
            moved = self.values[at] - self.rate / (1 - 0.9**self.count) * first / size
            self.values[at] = moved.astype(self.values[at].dtype)
        return loss


@ending_reported()
def probe_subject(
    subject: Subject,
    framework: str,
    model: str,
    options: Mapping[str, Any],
    limits: Thresholds,
    *,
    trial: bool = True,
    tick: Callable[[float], None] | None = None,
) -> Report:
    """Pass a batch through a subject and back, and report on it.

    The report has the names of the framework and of the model's class, and the options: ``loss`` as it was given,
    ``mode``, ``seed``, and what else the framework's probe takes. In a trial what looks ill is trained before it is
    accused; limits of one's own decide without one.
    """
    captured = subject.capture()
    of_loss, unseen = find_loss_faults(captured, subject.loss_of, framework, by_default=options["loss"] is None)
    found = _opened(subject, captured)
    found = replace(found, of_loss=(*of_loss, *found.of_loss), not_looked_at=(*found.not_looked_at, *unseen))
    judgement = judge(found, limits)
    if trial and limits == USUAL:
        judgement = _tried(judgement, ArrayLesson(subject, captured.loss.output), tick)
    parameters = sum(one.value.size for layer in captured.layers for one in layer.weights if one.trained)
    count = sum(len(layer.weights) for layer in captured.layers)
    return captured_report(framework, model, options, limits, judgement, parameters=parameters, weights=count)


def _tried(
    judgement: Judgement[Findings], lesson: ArrayLesson, tick: Callable[[float], None] | None
) -> Judgement[Findings]:
    found = judgement.found
    try:
        return tried(judgement, lesson, found.at_loss.first, tick, from_zero=found.from_zero)
    except UNTRAINABLE:
        return judgement


def _opened(subject: Subject, captured: CapturedPass) -> Findings:
    """Return what a pass shows; where weights at zero shut layers off, or are all there is, one after training."""
    named = [(f"{layer.name}.{one.name}", one) for layer in captured.layers for one in layer.weights if one.trained]
    found = replace(find(captured), gated=any(_is_small(layer.weights) for layer in captured.layers))
    zero = [name for name, one in named if not one.bias and not one.value.any()]
    closed = found.closed or found.cut or found.flow.obstacle or dead_layers(found.flow)
    if closed or not zero or not (silent_layers(found.flow) or len(found.flow.layers) == 1):
        return found
    optimizer = Adam(subject, RATE)
    try:
        losses = [optimizer.step(number) for number in range(STEPS)]
        again = subject.capture(optimizer.values)
    except UNTRAINABLE:
        return found
    if not all(map(math.isfinite, losses)):
        return found
    now = {f"{layer.name}.{one.name}": one.value for layer in again.layers for one in layer.weights}
    opened = tuple(name for name in zero if now[name].any())
    later = find(again)
    flow = replace(later.flow, output=later.flow.output._replace(loss=captured.loss.value))
    return replace(
        later, flow=flow, at_loss=found.at_loss, gated=True, opened=opened,
        shut=tuple(name for name in zero if name not in opened),
    )  # fmt: skip


def _is_small(weights: Sequence[Weight]) -> bool:
    """Whether a layer is a factor of each unit, or one for all, far below 1."""
    factors = all(one.value.size == max(one.value.shape, default=1) for one in weights)
    return factors and any(0 < float(np.abs(one.value).max(initial=0.0)) < SMALL_FACTOR for one in weights)
