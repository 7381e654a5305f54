"""The course of training: its steps are taken, looked at one by one, and then as a whole."""

from collections.abc import Callable

from gradcheck.diagnosis.causes import Cause
from gradcheck.torch.probing.judgement import Judgement
from gradcheck.torch.probing.training.first_steps import Steps, train
from gradcheck.torch.probing.training.history import History
from gradcheck.torch.probing.training.optimizers import find_lost_eps


def follow(
    run: Callable[[int], Judgement],
    steps: Steps | None,
    history: History,
    tick: Callable[[float], None] | None = None,
    glance: Callable[[int], Judgement] | None = None,
) -> Judgement:
    """Take steps of training, if any, into an empty history, and return what is found after the last one.

    A run is of the batch of a number; a glance takes its place for all but the last pass.
    """
    passes = 1 if steps is None else steps.number + 2
    if steps is not None:
        history.remember_start()
    last = passes - 2
    for judgement in train(lambda number: run(number) if glance is None or number == last else glance(number), steps):
        history.add(judgement)
        if tick is not None:
            tick(len(history.points) / passes)
    if steps is None:
        return judgement
    if not judgement.found.flow.obstacle:
        history.close(run(0).found, steps)
    elif (eps := find_lost_eps(steps.optimizer)) is not None:
        history.found.append(Cause("eps-lost", None, eps))
    return judgement
