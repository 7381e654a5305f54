"""What a report says of training, in words: how likely it is, and what a trial of it showed. Loads no NumPy."""

from collections.abc import Iterator

from gradcheck.base.wording import counted
from gradcheck.diagnosis.remarks import DOUBTS, NEEDS_ADAM, TRAINS_ALL_THE_SAME
from gradcheck.diagnosis.report import Report, VerdictRecord
from gradcheck.render.numbers import percent, significant
from gradcheck.spec.thresholds import USUAL

#: What keeps a network from training although its gradient is healthy, by the cause.
WHY_NOT = {
    "forward-zero": "the signal is lost on its way forward",
    "output-size": "its outputs are far from 1",
    "weight-span": "the weights' gradients are too far apart",
    "sensitivity": "each step in all weights changes too much of what tells the examples apart",
}


def said_of_training(report: Report) -> Iterator[str]:
    """Yield how likely training works, and what came of it where it was tried."""
    if not _contradicts(report) and not _is_unknown(report):
        yield chance_of_training(report.verdict, limited=_is_limited(report))
    yield from _of_trial(report)


def _is_limited(report: Report) -> bool:
    """Whether its verdict has limits that the user gave."""
    return any(report.config.get(name, usual) != usual for name, usual in USUAL.to_dict().items())


def _contradicts(report: Report) -> bool:
    """Whether a model of one's own is ill, and the score that it trains is high: that knows of fewer faults."""
    return report.command == "probe" and report.verdict.status != "healthy" and report.verdict.trainable


def _is_unknown(report: Report) -> bool:
    """Whether a model of one's own is ill and its score is but the highest that such models are given."""
    failed = any(cause.code == "trial-fails" for cause in report.verdict.causes)
    return report.command == "probe" and report.verdict.score == TRAINS_ALL_THE_SAME and not failed


def chance_of_training(verdict: VerdictRecord, *, limited: bool = False) -> str:
    """Return how likely SGD, or Adam in a trial, trains the network, and why not where its gradient is healthy.

    Where its limits are the user's own, it may be healthy by them alone.
    """
    codes = [cause.code for cause in verdict.causes]
    if verdict.status == "healthy" and not ({*DOUBTS} - {NEEDS_ADAM}).isdisjoint(codes):
        return "no probability of training is given: what is named above outweighs a healthy gradient"
    if verdict.status == "healthy" and "frozen-body" in codes:
        return "no probability of training is given: it depends on what is frozen, and that may be drawn at random"
    if "trial-fails" in codes and verdict.score == TRAINS_ALL_THE_SAME:
        return f"of models that fail such a trial {percent(verdict.score)} train all the same"
    who = "Adam" if "trial-learns" in codes else "plain SGD"
    chance = f"{who} trains it with probability {percent(verdict.score)}"
    if verdict.status != "healthy" or verdict.trainable:
        return chance
    otherwise = "it may not be healthy by the usual limits" if limited else "so few networks with such numbers trained"
    why = next((said for code, said in WHY_NOT.items() if code in codes), otherwise)
    return f"the gradient is within the limits{' given' if limited else ''}, and yet {chance}: {why}"


def _of_trial(report: Report) -> Iterator[str]:
    """Yield what came of training a described network for real, and what counts where the score says otherwise."""
    trial = report.trial
    if trial is None:
        return
    best = f"{counted(trial.steps, 'step')} of SGD (rate {trial.rate:g})"
    first, last, goal = (significant(one, 3) for one in (trial.first, trial.last, trial.goal))
    course = f"the loss from {first} to {last}" if trial.last is not None else "the loss out of the range of floats"
    if trial.learns is None:
        yield f"trained for real: its {trial.seconds:g} s were over before it learnt; {best} brought {course}"
        return
    if trial.learns:
        yield f"trained for real, it learns: {best} bring {course}"
    else:
        rates = ", ".join(f"{rate:g}" for rate in sorted(one.rate for one in trial.rates))
        yield f"trained for real, it doesn't learn at any rate of {rates}: {best} bring {course} at best, not to {goal}"
    if trial.learns != report.verdict.trainable:
        yield "the trial and that probability differ: on networks trained at length both were right about as often"
