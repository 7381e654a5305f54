"""Steps that hardly bring the loss down where a trial does at once: then it is they, and not the model."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from gradcheck.diagnosis.causes import Cause
from gradcheck.probing.trial import LAST, STEPS, UNTRAINABLE, hold_trial
from gradcheck.torch.probing.training.first_steps import Steps
from gradcheck.torch.probing.training.history import TRAINED, History
from gradcheck.torch.probing.training.lesson import Lesson

#: A loss that has fallen by more than this share of what it might is on its way.
LITTLE = 0.1

#: A loss falls steadily where the later half of the steps brings at least this share of what the earlier one does: the
#: rate is small then, as 1e-5 of fine-tuning is meant to be, and more steps get as far.
STEADY = 0.5

#: What says already that the steps lead nowhere, or that there is nothing to learn.
SAID = ("loss-risen", "trained-before")


def find_outpaced(lesson: Callable[[int], Lesson], history: History, steps: Steps) -> Iterator[Cause]:
    """Yield that fewer steps of Adam, at a usual rate, bring a loss down that all steps so far have hardly moved.

    Both start from the same weights and are on the same batch, whose loss is zero at best. The lesson is that of a
    power of two that the loss is multiplied with.
    """
    found, taken = history.first.found, history.steps - steps.warmup
    comparable = history.one_batch and taken >= STEPS and found.values.never_negative
    healthy = history.statuses[0] == history.statuses[-1] == "healthy"
    if not comparable or not healthy or any(one.code in SAID for one in history.found):
        return
    guessing, start = history.points[0].guessing, history.losses[0]
    worth = min(start, guessing) if guessing > 0 else start
    if start < TRAINED * guessing or start - median(history.losses[-LAST:]) > LITTLE * worth:
        return
    if _falls_steadily(history.losses):
        return
    try:
        trial = hold_trial(lesson(found.shift), found.at_loss.first)
    except UNTRAINABLE:
        return
    if trial is None or not trial.learns or trial.steps > taken or _lowest(history.losses) <= trial.goal:
        return
    details = {"first": start, "steps": history.steps, "trial": trial.steps, "rate": trial.rate, "last": trial.last}
    yield Cause("outpaced", None, history.again, trial.last, details)


def _falls_steadily(losses: Sequence[float]) -> bool:
    start = (len(losses) - LAST) // 2
    before, middle, end = (median(losses[at : at + LAST]) for at in (0, start, len(losses) - LAST))
    return middle - end >= STEADY * (before - middle) > 0


def _lowest(losses: Sequence[float]) -> float:
    """Return the lowest loss that has stood for a while: at a large rate single ones jump."""
    return min(median(losses[at : at + LAST]) for at in range(len(losses) - LAST + 1))
