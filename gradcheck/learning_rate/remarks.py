"""What else is to be said of a search in a user's own model."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gradcheck.base.wording import as_percent, counted
from gradcheck.learning_rate.conclusions import Reason
from gradcheck.learning_rate.rules import CHECKED, rule_of
from gradcheck.learning_rate.runs import Draw
from gradcheck.render.numbers import significant
from gradcheck.spec.command_line import options

#: What there is to say of the best rate only.
OF_A_RATE = ("learnt-little", "groups", "another-rule", "short-runs", "rounding")

#: A run has learnt something where its loss in the end is this share of the first one, and of a constant answer's.
LEARNT = 0.7

#: More names than this are counted.
NAMED = 3


def one_batch(updates: int) -> Reason:
    """Say that all updates had the same batch."""
    text = (
        f"all {counted(updates, 'update')} of a run have the same batch, on which the loss falls faster than in "
        "training: a loader, or a function of batches, gives each its own"
    )
    return Reason("one-batch", text)


def groups(rates: Sequence[float]) -> Reason:
    """Say what the best rate is of each group of parameters."""
    each = ", ".join(significant(rate) for rate in rates[: 2 * NAMED])
    more = f" and {len(rates) - 2 * NAMED} more" if len(rates) > 2 * NAMED else ""
    return Reason("groups", f"the rates of the groups keep their proportions: at the best one {each}{more}")


def another_rule(optimizer: str, like: str) -> Reason:
    """Say that the rule of another optimizer stands in for that of this one."""
    text = (
        f"that was checked for {like}: the runs are {optimizer}'s own, the factor from short runs to a long training "
        f"is {like}'s"
    )
    return Reason("another-rule", text)


def short_runs(optimizer: str, updates: int) -> Reason | None:
    """Say how much narrower longer runs make the band of an optimizer with a rule; None where they don't."""
    longest = CHECKED[-1]
    band, narrower = rule_of(optimizer, updates).band, rule_of(optimizer, longest).band
    if updates >= longest or band <= narrower:
        return None
    length = counted(updates, "update")
    text = f"that is the factor of runs of {length}: of {longest} it is {narrower:g} instead of {band:g}"
    return Reason("short-runs", text, float(updates), float(longest))


def learnt_little(draw: Draw, constant: float) -> Reason | None:
    """Say that the runs end before much is learnt, if they do: they don't compare yet how well rates train."""
    known = min(draw.start.loss, constant) if math.isfinite(constant) else draw.start.loss
    if not draw.runs or not known > 0 or not LEARNT * known < draw.furthest.score < math.inf:
        return None
    best = draw.furthest
    text = (
        f"the runs have learnt little in {counted(len(best.losses), 'update')}, the loss is at best "
        f"{significant(best.score, 3)}: more updates a run would say more of the best rate"
    )
    return Reason("learnt-little", text, best.score, LEARNT * known)


def cured(changes: Mapping[str, Any], optimizer: str, best: float, low: float, high: float) -> Reason:
    """Say after which changes a network that doesn't train has a rate, and which."""
    between = f"about {significant(best)} then, between {significant(low)} and {significant(high)}"
    return Reason(
        "cure", f"with {' '.join(options(changes))} it trains: the best rate of {optimizer} is {between}", best
    )


def lost_to_rounding(share: float, kind: str) -> Reason:
    """Say which part of the weights an update at the best rate leaves as they are."""
    text = (
        f"rounding leaves {as_percent(share)} of the {kind} weights as they are in an update at the best rate: keep "
        "them in float32"
    )
    return Reason("rounding", text, share)


def noisy(share: float) -> Reason:
    """Say that a loss isn't the same twice."""
    text = (
        f"with the same weights, batch and seed the loss differs by {as_percent(share)} from pass to pass: the model "
        "has random numbers or a state of its own, and so have these rates"
    )
    return Reason("noise", text, share)


def not_held(names: Sequence[str]) -> Reason:
    """Say which parameters the optimizer doesn't train."""
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return Reason("not-held", f"the optimizer doesn't hold {listed}: they stay as they are", float(len(names)))
