"""Short runs whose losses are given, as a search would have made them."""

import math

import pytest

import gradcheck
from gradcheck.learning_rate.runs import Draw, Run
from gradcheck.learning_rate.search import CriticalRate

#: A network that does not train at any rate.
VANISHING = {"depth": 30, "width": 8, "updates": 6}


@pytest.fixture(scope="session")
def without_rate():
    """The search of a network that does not train: its options, and its report."""
    return VANISHING, gradcheck.rate(**VANISHING)


@pytest.fixture(scope="session")
def draw():
    """Rate ↦ the loss in the end, infinity for a run that diverged ↦ a draw whose loss is 2 at first."""

    def made(runs, seed=0, status="found", critical=1.0, course=()):
        seen = ((critical / 2, 1.8), (critical, 2.0), (2 * critical, 6.0))
        start = CriticalRate(status, critical if status == "found" else math.nan, 2.0, seen)
        return Draw(seed, start, tuple(run(rate, loss, course) for rate, loss in runs.items()))

    def run(rate, loss, course):
        losses = (2.0, 9.0) if math.isinf(loss) else (2.0, *(course or [loss] * 3), *[loss] * 6)
        return Run(rate, losses, math.isinf(loss))

    return made
