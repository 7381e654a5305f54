"""What to conclude from a demonstration, in words and numbers: one line a strategy, and a verdict."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradcheck.base.wording import as_percent
from gradcheck.clipping.adaptive import NORM_EPSILON, WATCHED
from gradcheck.spec.clip_rules import ADAPTIVE, SMALL, Rule
from gradcheck.spec.training import TrainingSpec
from gradcheck.training.strategy import LEARNED, STATUSES, Strategy, loss_limit

#: Below this, a mean cosine is called a turn.
TURNED = 0.995

#: Libraries whose global norm has no ε in its denominator.
WITHOUT_EPSILON = ("optax", "keras", "paddle")

#: How a run ends that has learned nothing.
LOST = ("diverged", "stuck", "stopped")

VERDICTS = ("saved", "unneeded", "ruined", "lost", "early", "unclipped", "clipped")


#: Codes of reasons; of the run without clipping one a status.
CODES = ("rules-learn", *(f"unclipped-{status}" for status in STATUSES), "clips-always", "clipped-and-lost")


class Reason(NamedTuple):
    """What decided."""

    code: str  # one of ``CODES``
    # how many rules learn or are lost; without clipping the accuracy (without labels, the loss) or the step; what is
    # left of the learning rate where every step is clipped
    value: float
    # what the value is compared with: all rules, the accuracy of a run that has learned, the loss of one that has not
    # diverged
    limit: float | None
    about: tuple[Strategy, ...]  # the best, the one without clipping, or those that are lost

    @property
    def text(self) -> str:
        """The reason in words."""
        first = self.about[0]
        if self.code == "rules-learn":
            best = f"{_named(first)}, {_reached(first)}"
            return f"{self.value} of {self.limit} clipping rules learn; best: {best}"
        if self.code == "clips-always":
            left = f"{_named(first)} clips in every step, which leaves {self.value:.2g} of the learning rate"
            return f"{left}: hold it against no clipping at that rate"
        if self.code == "clipped-and-lost":
            return f"clipped and still lost: {', '.join(str(one.rule) for one in self.about)}"
        return f"without clipping it {_outcome(first)}"


class Conclusion(NamedTuple):
    """What all strategies show together."""

    # ``saved``: some rule learns, without clipping it doesn't; ``unneeded``: without clipping it learns, and no rule
    # loses it; ``ruined``: without clipping it learns, some rule loses it; ``lost``: nothing learns; ``early``: nothing
    # has learned yet, but the best is learning; ``unclipped``: no rule was tried; ``clipped``: rules only were tried
    status: str
    best: str  # the strategy with the best final accuracy (without labels, loss)
    reasons: tuple[Reason, ...]


def conclude(strategies: Sequence[Strategy]) -> Conclusion:
    """Return what all strategies show together."""
    best = max(strategies, key=_merit)
    plain = next((one for one in strategies if one.rule.name == "none"), None)
    rules = [one for one in strategies if one.rule.name != "none"]
    learned = [one for one in rules if one.status == "learned"]
    if plain is None:
        status = "clipped"
    elif not rules:
        status = "unclipped"
    elif plain.status == "learned":
        status = "ruined" if any(one.status in LOST for one in rules) else "unneeded"
    else:
        status = "saved" if learned else "early" if best.status == "learning" else "lost"
    return Conclusion(status, str(best.rule), tuple(_reasons(plain, rules, learned, best)))


def _merit(one: Strategy) -> tuple[float, float]:
    """Order strategies by accuracy, then by loss; what is not finite is worst."""
    accuracy = -1.0 if math.isnan(one.final.accuracy) else one.final.accuracy
    return accuracy, -one.final.loss if math.isfinite(one.final.loss) else -math.inf


def _reasons(
    plain: Strategy | None, rules: Sequence[Strategy], learned: Sequence[Strategy], best: Strategy
) -> Iterator[Reason]:
    if rules:
        yield Reason("rules-learn", len(learned), len(rules), (best,))
    if plain is not None:
        yield Reason(f"unclipped-{plain.status}", *_decisive(plain), (plain,))
    if plain is not None and plain.status != "learned" and best.status == "learned" and best.clipped_share == 1:
        yield Reason("clips-always", 1 - best.learning_rate_lost, None, (best,))
    failed = tuple(one for one in rules if one.status in LOST and one.clipped_share > 0)
    if failed:
        yield Reason("clipped-and-lost", len(failed), None, failed)


def _decisive(one: Strategy) -> tuple[float, float | None]:
    """Return the number that decided on a run's status, and what it was held against."""
    if one.status == "stopped":
        return len(one.loss), None
    if one.status == "diverged":
        return one.loss[-1], loss_limit(one.loss)
    return (one.final.loss, None) if math.isnan(one.final.accuracy) else (one.final.accuracy, LEARNED)


def _named(one: Strategy) -> str:
    return "no clipping" if one.rule.name == "none" else str(one.rule)


def _reached(one: Strategy) -> str:
    """Return the final accuracy, or without labels the final loss."""
    if math.isnan(one.final.accuracy):
        return f"final loss {one.final.loss:.3g}"
    return f"training accuracy {100 * one.final.accuracy:.1f} %"


def _outcome(one: Strategy) -> str:
    if one.status == "stopped":
        tensor = one.first_nonfinite[1] if one.first_nonfinite else ""
        return f"is stopped at step {len(one.loss)} by a gradient that is not finite, first in {tensor}"
    if one.status == "diverged":
        above = f"is above {loss_limit(one.loss):.2g} in most steps to the end"
        stays = above if math.isfinite(one.loss[-1]) else "ends up not finite"
        return f"diverges at step {one.diverged_at}: the loss {stays}; {_reached(one)}"
    ends = {"learned": "learns", "learning": "has not learned yet", "stuck": "stays near chance"}
    return f"{ends[one.status]}: {_reached(one)}"


def conclusion_of(one: Strategy, spec: TrainingSpec) -> str:
    """Return in one line what to conclude from a strategy."""
    return "; ".join([_outcome(one), *_clauses(one, spec)])


def _clauses(one: Strategy, spec: TrainingSpec) -> Iterator[str]:
    yield from _nonfinite(one, spec)
    if one.rule.name != "none":
        yield from _reach(one, spec)
        yield from _direction(one)
        if one.rule.name in ADAPTIVE and one.status in ("diverged", "stuck") and one.clipped_share > 0:
            yield "its limit is learned from norms that already explode"


def _nonfinite(one: Strategy, spec: TrainingSpec) -> Iterator[str]:
    if one.first_nonfinite is None or one.status == "stopped":
        return
    step, tensor = one.first_nonfinite
    clipped = f"clipped as {spec.library} does" if spec.library else "taken as it is"
    done = {"skip": "skipped", "zero": "taken with zeros in their place", "apply": clipped}[str(spec.nonfinite)]
    count = "1 step has" if one.nonfinite_steps == 1 else f"{one.nonfinite_steps} steps have"
    yield f"{count} a non-finite gradient, first at step {step} in {tensor}: {done}"


def _reach(one: Strategy, spec: TrainingSpec) -> Iterator[str]:
    """Say whether the threshold was ever, or always, reached."""
    kept = 1 - one.learning_rate_lost
    if math.isnan(one.clipped_share):
        return
    if one.rule.name == "zscore" and sum(map(math.isfinite, one.norm)) <= WATCHED:
        yield f"it only watched: the first {WATCHED} norms set its mean and deviation"
    elif one.clipped_share == 0:
        largest = f" (largest norm {one.largest_norm:.3g})" if one.rule.name not in ("value", "agc") else ""
        yield f"its threshold was never reached{largest}: it does what none does"
    elif one.clipped_share == 1:
        yield f"clips in every step: what is left is a learning rate of {kept * spec.lr:.2g}"
    else:
        share = as_percent(one.clipped_share)
        yield f"clips {share} of the steps, {as_percent(one.learning_rate_lost)} of the learning rate is lost"


def _direction(one: Strategy) -> Iterator[str]:
    """Say whether the direction of the gradient was kept."""
    if one.mean_cosine < TURNED:
        yield f"turns the direction (mean cosine {one.mean_cosine:.2f})"
    elif one.mean_global_cosine < TURNED:
        yield f"keeps each tensor's direction, but turns the whole step (cosine {one.mean_global_cosine:.2f})"


def warnings(rules: Sequence[Rule], library: str | None = None) -> list[str]:
    """Return what to beware of in the rules themselves."""
    if library in WITHOUT_EPSILON:
        return []
    return [_over_clipping(rule) for rule in rules if rule.name == "global-norm" and (rule.threshold or 1) <= SMALL]


def _over_clipping(rule: Rule) -> str:
    limit = rule.threshold or 0.0
    left = limit / (limit + NORM_EPSILON)
    return (
        f"{rule}: the 1e-6 in the rule's denominator now over-clips: a gradient of norm {limit:g} is cut to "
        f"{limit * left:.3g}, {100 * (1 - left):.0f} % too much; take a threshold above {SMALL:g}"
    )
