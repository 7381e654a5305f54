"""What training shows, in words: causes of a user's own model, and the trial of a described network. Loads no NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gradcheck.base.wording import counted
from gradcheck.diagnosis.code import Code
from gradcheck.render.numbers import percent, significant

if TYPE_CHECKING:
    from gradcheck.diagnosis.report import Report

OF_TRIALS = {
    "opened": Code(
        "weights that start at zero are measured after the first steps of training; value: how many",
        "{names} start{s} at zero: measured with the values that the first steps of training give {them}",
    ),
    "gates-shut": Code(
        "weights that start at zero and stay there; value: how many",
        "{names} start{s} at zero and never open{s}: each gets its gradient through another one that is zero",
    ),
    "elasticity": Code(
        "value: log10 of what the loss changes by, of itself, as a typical layer's weights change by their own size",
        "the loss hardly depends on the layers: weights that change by their own size change it by 10^{value:.1f} of "
        "itself (limit 1e-{limit:g})",
    ),
    "trial-learns": Code(
        "a model that looks ill learns its own batch; value: the loss in the end",
        "beyond a limit, but it learns: {steps} steps of Adam (rate {rate:g}) bring the loss on this batch from "
        "{first:.3g} to {value:.3g}",
    ),
    "needs-adam": Code(
        "a plain chain that Adam trains and SGD hardly does; value: the probability that plain SGD trains it",
        lambda cause, _: (
            f"plain SGD trains it with probability {percent(cause.value or 0.0)}, as its layers' gradients lie far "
            "apart: stay with Adam, or take another initialisation, norms or skip connections"
        ),
    ),
    "trial-fails": Code(
        "a model that looks ill doesn't learn its own batch either; value: the loss in the end",
        "and it doesn't learn: {steps} steps of Adam bring the loss on this batch from {first:.3g} to {value:.3g} at "
        "best (rate {rate:g}), not to {goal:.3g}",
    ),
    "inputs-explode": Code(
        "large inputs make plain SGD explode; value: their root mean square",
        "the inputs' root mean square is {value:.3g}: ten steps of plain SGD at its usual rate make the loss explode; "
        "scale the inputs to about 1, or put a norm after {at}",
    ),
}


def said_of_trial(report: Report) -> Iterator[str]:
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
