"""A trial: the network trained for real at a few rates, as long as it doesn't learn, within a time limit."""

import math
import time
from collections.abc import Iterator
from itertools import islice
from statistics import median
from typing import NamedTuple

import numpy as np

from gradcheck.base.record import number
from gradcheck.data.datasets import Batch, Dataset
from gradcheck.data.epochs import Batches
from gradcheck.diagnosis.trial_record import NetworkTrialRecord, Outcome, RateRecord
from gradcheck.engine.loss import constant_answer, loss_of
from gradcheck.engine.memory import keep_freed_memory
from gradcheck.errors import OptionError
from gradcheck.families import stored_weights, trainable
from gradcheck.families.family import StoredNetwork
from gradcheck.simulation.experiment import Experiment

#: Learning rates of SGD, in the order in which they are tried, its momentum, and the steps at each: of the networks
#: that train at one of six rates all do at one of these (benchmarks/trainability). Steps are counted in groups of
#: batches that hold so many examples: the loss of a single example says nothing.
RATES, MOMENTUM, STEPS, EXAMPLES = (0.03, 0.01, 0.1, 0.003, 0.001), 0.9, 120, 16

#: A rate is given up after so many steps that have not brought the loss this share below what is known without any.
PATIENCE, HOPE = 60, 0.03

#: It learns where the loss falls by this share of the smaller one of its start and what a constant answer costs, as in
#: a trial of ``gradcheck.torch.probe``.
FALLS_BY = 0.3

#: The loss in the end is the median of so many groups.
LAST = 5

#: A loss that has grown by so many times doesn't come back within a trial.
DIVERGED = 10.0


class Run(NamedTuple):
    """A run of SGD at one rate."""

    rate: float
    losses: list[float]  # of each batch, before its step
    groups: list[float]  # the mean loss of each group of batches
    status: Outcome

    @property
    def last(self) -> float:
        """The loss in the end; infinity where it isn't finite."""
        return _end(self.groups)


def hold_trial(experiment: Experiment, seconds: float) -> NetworkTrialRecord:
    """Train the network of the first seed at one rate after the other, until it learns at one, or the time is over.

    What a run has found by then counts. The weights are stored, and the data has labels.
    """
    keep_freed_memory()
    constant, until = _constant_answer(experiment), time.monotonic() + seconds
    runs: list[Run] = []
    for rate in RATES:
        runs.append(_run(experiment, rate, constant, until))
        if runs[-1].status in ("learned", "unfinished"):
            break
    return _record(runs, constant, seconds)


def _run(experiment: Experiment, rate: float, constant: float, until: float) -> Run:
    """Train at one rate until it is clear what comes of it, or `until` that time."""
    losses, groups = list[float](), list[float]()
    size = math.ceil(EXAMPLES / experiment.data.batch_size)
    for loss in islice(_descent(experiment, rate), STEPS * size):
        losses.append(loss)
        if len(losses) % size == 0:
            groups.append(sum(losses[-size:]) / size)
            if status := _status(groups, constant):
                return Run(rate, losses, groups, status)
        if time.monotonic() > until:
            return Run(rate, losses, groups, "unfinished")
    return Run(rate, losses, groups, "stuck")


def goal_of(first: float, constant: float) -> float:
    """Return the loss at which more has been learnt than what is the same for all examples."""
    return (1 - FALLS_BY) * (min(first, constant) if math.isfinite(first) else constant)


def check_trial(experiment: Experiment) -> None:
    """Raise the error of a network that can't be tried, before anything is measured.

    Raises
    ------
    OptionError
        Its weights aren't stored, or the data has no labels to learn.
    """
    stored_weights(experiment.network.arch, "trial", "are drawn anew in each pass")
    _constant_answer(experiment)


def _constant_answer(experiment: Experiment) -> float:
    """Return the loss of the best answer that is the same for all examples: the entropy of the labels."""
    dataset = experiment.dataset
    labels = dataset.labels if isinstance(dataset, Dataset) else None
    if labels is None:
        problem = (
            f"needs labels to learn, and {experiment.data.data} has none; take --data digits, a .npz with y, or a .csv "
            "with --labels"
        )
        raise OptionError("trial", problem)
    return constant_answer(labels)


def _descent(experiment: Experiment, rate: float) -> Iterator[float]:
    """Train the network from its start with SGD; yield the loss of each batch, before its step."""
    network = _network(experiment)
    parameters = [array for _, one in network.maps for array in one if array is not None]
    velocities = [np.zeros_like(one) for one in parameters]
    for inputs, labels in _batches(experiment):
        with np.errstate(all="ignore"):  # diverging is one of the answers
            loss, _, gradients = network.gradient(inputs, loss_of(labels))
            for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity *= MOMENTUM
                velocity += gradient
                parameter -= rate * velocity
        yield loss


def _network(experiment: Experiment) -> StoredNetwork:
    """Return a copy of the first seed's network that training may change."""
    network = experiment.stored_network("trial", "are drawn anew")
    return trainable(experiment.network, network, experiment.dataset.features, experiment.run.dtype)


def _batches(experiment: Experiment) -> Iterator[Batch]:
    """Return the batches of each run, in an order that the first seed draws."""
    dataset, run = experiment.dataset, experiment.run
    assert isinstance(dataset, Dataset)
    return Batches(experiment.data, dataset, run.seed, run.dtype).without_end()


def _status(groups: list[float], constant: float) -> Outcome | None:
    """Return how a run has ended after a group; None while it goes on."""
    if not groups[-1] <= DIVERGED * groups[0]:  # nor is nan
        return "diverged"
    if len(groups) >= LAST and _end(groups) <= goal_of(groups[0], constant):
        return "learned"
    hopeless = len(groups) == PATIENCE and _end(groups) > (1 - HOPE) * min(groups[0], constant)
    return "stuck" if hopeless else None


def _end(losses: list[float]) -> float:
    """Return the median of the last losses; infinity where one of them isn't finite, or there is none."""
    last = losses[-LAST:]
    return median(last) if last and all(map(math.isfinite, last)) else math.inf


def _record(runs: list[Run], constant: float, seconds: float) -> NetworkTrialRecord:
    """Lay out what came of the runs; the one whose loss is least in the end did best."""
    best = min(runs, key=lambda one: one.last)
    first = best.groups[0] if best.groups else math.nan
    unfinished = any(one.status == "unfinished" for one in runs)
    return NetworkTrialRecord(
        first=number(first),
        constant=constant,
        goal=goal_of(first, constant),
        last=number(best.last),
        rate=best.rate,
        steps=len(best.losses),
        learns=True if best.status == "learned" else None if unfinished else False,
        momentum=MOMENTUM,
        seconds=seconds,
        rates=tuple(
            RateRecord(
                rate=one.rate, steps=len(one.losses), last=number(one.last), status=one.status,
                losses=tuple(map(number, one.losses)),
            )
            for one in runs
        ),
    )  # fmt: skip
